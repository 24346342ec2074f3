"""A reduced model with the interface of LLaVA-NeXT."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import vqtoken
from llava_qwen_stand_in import load
from safetensors.torch import load_file
from vqtoken.transformers import PatchError, UnsupportedModelError, reduce_video

IMAGE_TOKEN_INDEX = -200
NEW = 8
OPTIONS = dict(max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False)


@pytest.fixture
def model(golden):
    return load(golden / "onevision-vqtoken")


@pytest.fixture
def cases(golden):
    return {name: load_file(golden / "cases" / f"{name}.safetensors") for name in ("vision", "language", "vqtoken")}


@pytest.fixture
def ids(cases):
    """The golden prompt, `[1, L]`."""
    ids = cases["language"]["prompt_ids"][None].clone()
    ids[ids == 464] = IMAGE_TOKEN_INDEX
    assert (ids == IMAGE_TOKEN_INDEX).sum() == 1
    return ids


@pytest.fixture
def pixels(cases):
    """Four frames, `[4, 3, 56, 56]`."""
    return cases["vision"]["pixels"]


def logits(model, ids, *videos, **options):
    return model(ids, images=list(videos), modalities=["video"] * len(videos), **options).logits


def test_pooled_gives_the_golden_logits(model, cases, ids, pixels):
    expected = logits(model, ids, pixels)
    # Sums in another order than those of the machine that made the cases.
    torch.testing.assert_close(expected[0], cases["language"]["pooled_baseline_logits"], atol=1e-3, rtol=0)
    with reduce_video(model, "pooled"):
        assert torch.equal(logits(model, ids, pixels), expected)


@pytest.mark.parametrize("attention_mask", [True, False])
@pytest.mark.parametrize("reading", ["tome:9", "evs:q=0.5", "pooled+tome:5"])
def test_reduced_tokens_are_read_at_their_positions(model, cases, ids, pixels, reading, attention_mask):
    grid = cases["vision"]["projected"].unflatten(1, (4, 4))
    if reading.startswith("pooled+"):
        grid = cases["vision"]["pooled"].unflatten(1, (2, 2))
    reduction = vqtoken.reduce(grid.numpy(), reading.removeprefix("pooled+"))
    place = ids[0].tolist().index(IMAGE_TOKEN_INDEX)
    embed = model.model.embed_tokens
    tokens = torch.tensor(np.asarray(reduction.tokens))
    parts = [embed(ids[0, :place]), tokens, model.model.image_newline[None], embed(ids[0, place + 1 :])]
    end = place + reduction.sequence_length
    positions = [
        *range(place),
        *(place + np.asarray(reduction.positions)),
        end,
        *range(end + 1, end + ids.shape[1] - place),
    ]
    expected = (
        super(type(model), model)
        .forward(
            inputs_embeds=torch.cat(parts)[None],
            position_ids=torch.tensor([positions]),
            attention_mask=torch.ones(1, len(positions), dtype=torch.long),
        )
        .logits
    )
    mask = {"attention_mask": torch.ones_like(ids)} if attention_mask else {}
    with reduce_video(model, reading):
        kept = logits(model, ids, pixels, **mask)
    # The golden grid was computed on another machine.
    torch.testing.assert_close(kept, expected, atol=1e-3, rtol=0)
    with reduce_video(model, reading, positions="renumbered"):
        assert (logits(model, ids, pixels, **mask) - kept).abs().max() > 1e-2


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("reading", ["vqtoken:6", "tome:9", "evs:q=0.5"])
def test_rows_of_a_batch_are_read_as_if_alone(model, ids, pixels, reading, side):
    model.config.tokenizer_padding_side = side
    other, second = pixels.flip(0) * 0.3, ids[:, 5:]
    padding = torch.zeros(1, 5, dtype=torch.long)
    batch = torch.cat([ids, torch.cat([padding, second] if side == "left" else [second, padding], 1)])
    mask = torch.ones_like(batch)
    mask[1, slice(0, 5) if side == "left" else slice(-5, None)] = 0
    with reduce_video(model, reading):
        together = logits(model, batch, pixels, other, attention_mask=mask)
        alone = [logits(model, ids, pixels)[0], logits(model, second, other)[0]]
        if side == "left":
            output = model.generate(
                batch, images=[pixels, other], modalities=["video"] * 2, attention_mask=mask, **OPTIONS
            )
            for row, (prompt, video) in enumerate([(ids, pixels), (second, other)]):
                single = model.generate(prompt, images=[video], modalities=["video"], **OPTIONS)
                assert output[row].tolist() == single[0].tolist()
    for row, expected in zip(together, alone):
        found = row[-len(expected) :] if side == "left" else row[: len(expected)]
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("reading", ["pooled", "vqtoken:6", "tome:9", "evs:q=0.5"])
def test_generation_with_a_cache_equals_calls_without(model, ids, pixels, reading):
    with reduce_video(model, reading):
        so_far, new = ids, []
        for _ in range(NEW):
            scores = logits(model, so_far, pixels)[:, -1]
            scores[:, model.generation_config.eos_token_id] = -torch.inf
            new.append(int(scores.argmax()))
            so_far = torch.cat([so_far, torch.tensor([[new[-1]]])], 1)
        for use_cache in (True, False):
            output = model.generate(ids, images=[pixels], modalities=["video"], use_cache=use_cache, **OPTIONS)
            assert output[0].tolist() == new, use_cache


def test_codes_go_through_the_vq_attention_of_the_checkpoint(model, ids, pixels):
    with reduce_video(model, "codebook:6"):
        bare = logits(model, ids, pixels)
    with reduce_video(model, "vqtoken:6", vq_attention=None):
        assert torch.equal(logits(model, ids, pixels), bare)
    with reduce_video(model, "vqtoken:6"):
        attended = logits(model, ids, pixels)
    # Four frames and six codes give six tokens.
    assert attended.shape == bare.shape and (attended - bare).abs().max() > 1e-2


def test_a_prompt_longer_than_the_model_reads_is_cut(model, ids, pixels):
    with reduce_video(model, "tome:9"):
        whole = logits(model, ids, pixels)
        model.config.tokenizer_model_max_length = 30
        cut = logits(model, ids, pixels)
    torch.testing.assert_close(cut, whole[:, :30], atol=1e-4, rtol=0)


def test_pictures_beside_a_video(model, ids, pixels):
    both = torch.cat([ids[:, :3], torch.tensor([[IMAGE_TOKEN_INDEX]]), ids[:, 3:]], 1)
    call = dict(images=[pixels[:1], pixels], modalities=["image", "video"])
    with reduce_video(model, "tome:9", positions="renumbered"):
        assert model(both, **call).logits.shape[1] == ids.shape[1] - 1 + 16 + 10
    with reduce_video(model, "tome:9"), pytest.raises(UnsupportedModelError, match="pictures and videos in one call"):
        model(both, **call)


def test_refusals(model, processor):
    with reduce_video(model, "tome:9"), pytest.raises(PatchError, match="reduced by tome:9 already"):
        reduce_video(model, "tome:9")
    with pytest.raises(UnsupportedModelError, match="have no processor"):
        reduce_video(model, "tome:9", processor=processor)
    model.config.mm_newline_position = "grid"
    with pytest.raises(UnsupportedModelError, match="mm_newline_position is 'grid'"):
        reduce_video(model, "tome:9")
    assert "get_2dPool" not in vars(model)
