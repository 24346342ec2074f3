"""Placeholders of a reduced processor."""

from __future__ import annotations

import pytest
import torch
from vqtoken.transformers import reduce_video


@pytest.mark.parametrize(
    ("reading", "placeholders"),
    [("vqtoken:6", 7), ("pooled+tome:5", 6), ("evs:q=0.5", 1), ("vqtoken:adaptive", 1), ("pooled", 17)],
)
def test_the_processor_gives_as_many_placeholders_as_are_known(model, processor, inputs, reading, placeholders):
    long = inputs(0, 1)
    with reduce_video(model, reading):
        expected = model(**long).logits
    with reduce_video(model, reading, processor=processor):
        short = inputs(0, 1)
        assert (short["input_ids"] == model.config.video_token_index).sum(1).tolist() == [placeholders] * 2
        assert torch.equal(model(**short).logits, expected)
        assert torch.equal(model(**long).logits, expected)
    assert torch.equal(inputs(0, 1)["input_ids"], long["input_ids"])


def test_text_around_the_video_stays(processor, model, inputs):
    long = inputs(0)["input_ids"][0].tolist()
    with reduce_video(model, "tome:9", processor=processor):
        short = inputs(0)["input_ids"][0].tolist()
    video = model.config.video_token_index
    assert [token for token in short if token != video] == [token for token in long if token != video]


def test_a_reduced_processor_is_saved_as_what_it_was(processor, model, tmp_path):
    with reduce_video(model, "tome:9", processor=processor):
        processor.save_pretrained(tmp_path)
    written = (tmp_path / "processor_config.json").read_text()
    assert "LlavaOnevisionProcessor" in written and "vqtoken" not in written
