"""Calls of a reduced LLaVA-OneVision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import vqtoken
from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration
from vqtoken.transformers import reduce_video

READINGS = [
    "vqtoken:6",
    "codebook:6",
    "tome:9",
    "evs:q=0.5",
    "pooled+tome:5",
    "tome:9@renumbered",
    "vqtoken:adaptive:elbow:2-9",
]


def video_tokens(model, ids):
    return (ids == model.config.video_token_index).sum(1).tolist()


def test_pooled_gives_what_transformers_gives(model, inputs):
    for indices in [(0,), (1,), (0, 1)]:
        given = inputs(*indices)
        expected = model(**given).logits
        with reduce_video(model, "pooled"):
            assert torch.equal(model(**given).logits, expected)
    assert torch.equal(model(**inputs(0)).logits, model(**inputs(0)).logits)


def test_pooled_gives_the_golden_logits(model, golden):
    from safetensors.torch import load_file

    vision, language = (load_file(golden / "cases" / f"{name}.safetensors") for name in ("vision", "language"))
    ids = torch.where(
        language["prompt_ids"] == model.config.image_token_index, model.config.video_token_index, language["prompt_ids"]
    )
    prompt = ids.tolist()
    place = prompt.index(model.config.video_token_index)
    prompt[place : place + 1] = [model.config.video_token_index] * 17
    with reduce_video(model, "pooled"):
        logits = model(input_ids=torch.tensor([prompt]), pixel_values_videos=vision["pixels"][None]).logits[0]
    # Sums in another order than those of the machine that made the cases.
    torch.testing.assert_close(logits, language["pooled_baseline_logits"], atol=1e-3, rtol=0)


@pytest.mark.parametrize("reading", READINGS)
def test_rows_of_a_batch_are_read_as_if_alone(model, inputs, reading):
    with reduce_video(model, reading):
        together = model(**inputs(0, 1)).logits[:, -1]
        alone = [model(**inputs(index)).logits[0, -1] for index in (0, 1)]
    # Padded rows are summed in another order.
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-4, rtol=0)
    assert not torch.allclose(alone[0], alone[1], atol=1e-2)


def test_the_language_model_reads_the_reduced_tokens_at_their_positions(model, inputs):
    given = inputs(0)
    grid = unpooled_grid(model, given)
    reduction = vqtoken.reduce(grid.numpy(), "tome:9")
    ids = given["input_ids"][0].tolist()
    start, pooled = ids.index(model.config.video_token_index), 17
    before, after = ids[:start], ids[start + pooled :]
    embed = model.get_input_embeddings()
    tokens = [
        embed(torch.tensor(before)),
        torch.tensor(reduction.tokens),
        model.model.image_newline[None],
        embed(torch.tensor(after)),
    ]
    next_position = start + reduction.sequence_length + 1
    positions = [
        *range(start),
        *(start + np.asarray(reduction.positions)).tolist(),
        start + reduction.sequence_length,
        *range(next_position, next_position + len(after)),
    ]
    expected = model(
        inputs_embeds=torch.cat(tokens)[None],
        position_ids=torch.tensor([positions]),
        attention_mask=torch.ones(1, len(positions), dtype=torch.long),
    ).logits
    with reduce_video(model, "tome:9"):
        kept = model(**given).logits
    torch.testing.assert_close(kept, expected, atol=1e-5, rtol=0)
    with reduce_video(model, "tome:9", positions="renumbered"):
        renumbered = model(**given).logits
    with reduce_video(model, "tome:9@renumbered"):
        assert torch.equal(model(**given).logits, renumbered)
    assert (renumbered - kept).abs().max() > 1e-2


def test_labels_follow_the_prompt(model, inputs):
    given = inputs(0, 1)
    labels = torch.where(given["attention_mask"] == 1, given["input_ids"], -100)
    labels[labels == model.config.video_token_index] = -100
    with reduce_video(model, "tome:9"):
        output = model(**given, labels=labels)
        losses = [
            model(
                **inputs(index),
                labels=inputs(index)["input_ids"].where(
                    inputs(index)["input_ids"] != model.config.video_token_index, torch.tensor(-100)
                ),
            ).loss
            for index in (0, 1)
        ]
    counts = [(row != -100).sum() - (row[0] != -100).long() for row in labels]
    # The first token of the padded row is predicted from padding, which a row alone does not do.
    assert torch.isfinite(output.loss)
    assert abs(output.loss - sum(loss * count for loss, count in zip(losses, counts)) / sum(counts)) < 0.2


def test_right_padding_gives_the_same_rows(model, inputs, processor):
    left = inputs(0, 1)
    processor.tokenizer.padding_side = "right"
    right = inputs(0, 1)
    assert right["attention_mask"][:, 0].all() and not right["attention_mask"][:, -1].all()
    with reduce_video(model, "tome:9"):
        at_the_end = model(**left).logits
        at_the_start = model(**right).logits
    for row, mask in enumerate(right["attention_mask"]):
        length = int(mask.sum()) - 17 + 10
        torch.testing.assert_close(at_the_start[row, :length], at_the_end[row, -length:], atol=1e-4, rtol=0)


def test_a_picture_beside_a_video(model, processor, prompt, videos):
    text = (
        "<|im_start|>user\n<image>\nthen <video>\nWhich way does the red circle go?<|im_end|>\n<|im_start|>assistant\n"
    )
    given = processor(text=[text], images=[videos[1, 0]], videos=[videos[0]], return_tensors="pt")
    expected = model(**given).logits
    with reduce_video(model, "pooled"):
        torch.testing.assert_close(model(**given).logits, expected, atol=1e-5, rtol=0)
    with reduce_video(model, "vqtoken:6"):
        reduced = model(**given).logits
    assert reduced.shape[1] == expected.shape[1] - 17 + 7


def test_two_videos_in_a_row(model, processor, videos):
    text = "<|im_start|>user\n<video><video>\nWhich way does the red circle go?<|im_end|>\n<|im_start|>assistant\n"
    given = processor(text=[text], videos=[videos[0], videos[1]], return_tensors="pt")
    with reduce_video(model, "evs:q=0.5"):
        first = model(**given).logits
    swapped = {**given, "pixel_values_videos": given["pixel_values_videos"].flip(0)}
    with reduce_video(model, "evs:q=0.5", processor=processor):
        short = processor(text=[text], videos=[videos[0], videos[1]], return_tensors="pt")
        assert video_tokens(model, short["input_ids"]) == [2]
        assert torch.equal(model(**short).logits, first)
        assert not torch.allclose(model(**swapped).logits[0, -1], first[0, -1], atol=1e-2)


def test_codes_go_through_the_vq_attention(model, inputs):
    class Doubling:
        def attend(self, codebook, index_map):
            assert index_map.shape == (4, 4, 4) and codebook.shape == (6, 48)
            return np.repeat(codebook, 2, axis=0)

    with reduce_video(model, "vqtoken:6"):
        bare = model(**inputs(0)).logits
    with reduce_video(model, "codebook:6", vq_attention=Doubling()):
        assert torch.equal(model(**inputs(0)).logits, bare)
    with reduce_video(model, "vqtoken:6", vq_attention=Doubling()):
        assert model(**inputs(0)).logits.shape[1] == bare.shape[1] + 6


def test_a_grid_with_odd_sides(checkpoint):
    """5 x 5 patches are pooled to 3 x 3, as 27 x 27 to 14 x 14."""
    config = LlavaOnevisionConfig.from_pretrained(checkpoint)
    config.vision_config.image_size = 70
    model = LlavaOnevisionForConditionalGeneration(config).eval()
    pixels = torch.randn(1, 4, 3, 70, 70, generator=torch.manual_seed(3))
    ids = torch.tensor([[1, 2, *[config.video_token_index] * 37, 3]])
    expected = model(input_ids=ids, pixel_values_videos=pixels).logits
    with reduce_video(model, "pooled"):
        assert torch.equal(model(input_ids=ids, pixel_values_videos=pixels).logits, expected)
    for reading in ("uniform:100", "vqtoken:100", "pooled+uniform:36"):
        with reduce_video(model, reading):
            count = model(input_ids=ids, pixel_values_videos=pixels).logits.shape[1]
        assert count == 3 + int(reading.rpartition(":")[2]) + 1


def test_half_precision(model, inputs):
    given = inputs(0)
    with reduce_video(model, "tome:9"):
        single = model(**given).logits
        model.to(torch.bfloat16)
        half = model(**{**given, "pixel_values_videos": given["pixel_values_videos"].bfloat16()}).logits
    assert half.dtype == torch.bfloat16 and half.shape == single.shape


def unpooled_grid(model, given):
    """The token grid `[4, 4, 4, D]` of the only video, by hand."""
    pixels = given["pixel_values_videos"]
    hidden = model.model.vision_tower(pixels.flatten(0, 1), output_hidden_states=True).hidden_states
    tokens = model.model.multi_modal_projector(hidden[model.config.vision_feature_layer])
    return tokens.reshape(4, 4, 4, -1)


def test_training_says_where_gradients_end(model, inputs):
    given = inputs(0)
    labels = given["input_ids"].where(given["input_ids"] != model.config.video_token_index, torch.tensor(-100))
    model.train()
    with torch.enable_grad():
        with reduce_video(model, "tome:9"):
            with pytest.warns(vqtoken.VqtokenWarning, match="no gradient flows"):
                model(**given, labels=labels).loss.backward()
        assert model.model.multi_modal_projector.linear_2.weight.grad is None
        assert model.lm_head.weight.grad is not None
        with reduce_video(model, "pooled"):
            model(**given, labels=labels).loss.backward()
        assert model.model.multi_modal_projector.linear_2.weight.grad.abs().max() > 0
