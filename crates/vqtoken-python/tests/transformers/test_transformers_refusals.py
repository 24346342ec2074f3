"""What the drop-in refuses, and what it leaves behind."""

from __future__ import annotations

import pytest
import torch
import vqtoken
from vqtoken.transformers import PatchError, PlaceholderError, UnsupportedModelError, reduce_video


@pytest.mark.parametrize(
    ("reading", "needle"),
    [
        ("magic:3", "'magic:3' is not a reducer"),
        ("pooled+magic", "'magic' is not a reducer"),
        ("pooled+vqtoken:3", "write vqtoken:3"),
        ("", "is not a reducer"),
    ],
)
def test_a_reducer_that_does_not_exist(model, reading, needle):
    with pytest.raises(vqtoken.ReduceError, match="(?s)" + needle.replace("+", r"\+")):
        reduce_video(model, reading)
    with pytest.raises(vqtoken.ReduceError, match="'kept' or 'renumbered'"):
        reduce_video(model, "tome:9", positions="own")
    reduce_video(model, "tome:9").remove()


def test_a_model_of_another_kind():
    with pytest.raises(UnsupportedModelError, match="Linear is not supported"):
        reduce_video(torch.nn.Linear(2, 2), "tome:9")


def test_a_processor_of_another_kind(model):
    with pytest.raises(UnsupportedModelError, match="object has no video_token"):
        reduce_video(model, "tome:9", processor=object())
    reduce_video(model, "tome:9").remove()


def test_a_model_is_reduced_once_at_a_time(model, processor, inputs):
    before = dict(vars(model)), dict(vars(model.model))
    reduction = reduce_video(model, "tome:9", processor=processor)
    with pytest.raises(PatchError, match="reduced by tome:9 already"):
        reduce_video(model, "vqtoken:6")
    assert model(**inputs(0)).logits.shape[1] == inputs(0)["input_ids"].shape[1]
    reduction.remove()
    reduction.remove()
    assert (dict(vars(model)), dict(vars(model.model))) == before
    with pytest.raises(ZeroDivisionError), reduce_video(model, "vqtoken:6"):
        1 / 0
    assert (dict(vars(model)), dict(vars(model.model))) == before


def test_a_processor_is_reduced_once_at_a_time(model, processor):
    with reduce_video(model, "tome:9", processor=processor) as reduction:
        other = type(model)(model.config)
        with pytest.raises(PatchError, match="LlavaOnevisionProcessor is reduced by tome:9"):
            reduce_video(other, "vqtoken:6", processor=processor)
        assert repr(reduction) == "<LlavaOnevisionForConditionalGeneration reading videos as tome:9>"
    reduce_video(other, "vqtoken:6", processor=processor).remove()


def test_a_method_that_somebody_else_replaced_is_not_lost(model):
    reduction = reduce_video(model, "tome:9")
    ours = model.forward
    model.forward = lambda **inputs: None
    with pytest.raises(PatchError, match="forward was replaced"):
        reduction.remove()
    model.forward = ours
    reduction.remove()


def test_placeholders_that_do_not_fit(model, inputs):
    given = inputs(0)
    video = model.config.video_token_index
    with reduce_video(model, "tome:9"):
        for drop in (1, 16):
            place = given["input_ids"][0].tolist().index(video)
            ids = torch.cat([given["input_ids"][:, :place], given["input_ids"][:, place + drop :]], 1)
            with pytest.raises(
                PlaceholderError, match=f"{17 - drop} video placeholders for 1 videos: expected 17, or 10"
            ):
                model(input_ids=ids, pixel_values_videos=given["pixel_values_videos"])
            with pytest.raises(PlaceholderError, match="expected 17, or 10"):
                model.generate(input_ids=ids, pixel_values_videos=given["pixel_values_videos"])


def test_placeholders_that_are_torn_apart(model, inputs):
    given = inputs(0)
    ids = given["input_ids"].clone()
    place = ids[0].tolist().index(model.config.video_token_index)
    ids[0, [place + 4, place + 17]] = ids[0, [place + 17, place + 4]]
    with (
        reduce_video(model, "tome:9"),
        pytest.raises(PlaceholderError, match="fewer than 17 placeholders next to each other"),
    ):
        model(input_ids=ids, pixel_values_videos=given["pixel_values_videos"])


def test_pixels_of_another_shape(model, inputs):
    given = inputs(0)
    with reduce_video(model, "tome:9"):
        with pytest.raises(vqtoken.ArrayError, match=r"pixel_values_videos is \[4, 3, 56, 56\]: expected"):
            model(input_ids=given["input_ids"], pixel_values_videos=given["pixel_values_videos"][0])
        with pytest.raises(vqtoken.ArrayError, match="pixel_values_videos is list"):
            model(input_ids=given["input_ids"], pixel_values_videos=[1])


def test_positions_or_embeddings_beside_videos(model, inputs):
    given = inputs(0)
    with reduce_video(model, "tome:9"):
        with pytest.raises(PlaceholderError, match="position_ids with pixel_values_videos"):
            model(**given, position_ids=torch.arange(given["input_ids"].shape[1])[None])
        with pytest.raises(PlaceholderError, match="no input_ids with pixel_values_videos"):
            model(pixel_values_videos=given["pixel_values_videos"])


def test_a_budget_that_the_video_cannot_meet(model, inputs):
    with reduce_video(model, "tome:65"), pytest.raises(vqtoken.ReduceError):
        model(**inputs(0))
    with reduce_video(model, "tome:x"), pytest.raises(vqtoken.ReduceError):
        model(**inputs(0))
    assert torch.isfinite(model(**inputs(0)).logits).all()
