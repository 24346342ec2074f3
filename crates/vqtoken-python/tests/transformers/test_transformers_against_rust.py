"""A reduced torch model gives the logits that this project's own model gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import vqtoken
from llava_qwen_stand_in import load
from safetensors.torch import load_file
from vqtoken.transformers import reduce_video

READINGS = [
    "pooled",
    "vqtoken:6",
    "vqtoken:adaptive:elbow:2-9",
    "pooled+tome:5",
    "uniform:9",
    "random:9",
    "norm:9",
    "bilinear",
    "average",
    "tome:9",
    "video-tome:9",
    "dpc-knn:9",
    "dycoke:p=0.5",
    "evs:q=0.5",
    "vidcom2:q=0.5",
    "fastvid:9",
    "holitom:9",
    "scissor:tau=0.9",
    "sttm:th=0.8",
]
IMAGE, VIDEO = 464, 465
TOLERANCE = 1e-3
"""What the specification allows. Both compute in float32 and sum in other orders: 5.3e-6 were measured."""


@pytest.fixture(scope="module")
def cases(golden):
    vision, language = (load_file(golden / "cases" / f"{name}.safetensors") for name in ("vision", "language"))
    ids = language["prompt_ids"].tolist()
    place = ids.index(IMAGE)
    return vision["pixels"], ids[:place], ids[place + 1 :]


def rust_logits(llm, pixels, before, after, reading):
    """Logits of the language side for what it reads of a reading, `[L, V]`."""
    grid, position_options = llm.embed_pixels(pixels.numpy()), {}
    if reading == "pooled" or reading.startswith("pooled+"):
        grid = vqtoken.pool(grid)
    if reading == "pooled":
        return llm.logits(before, grid.reshape(-1, grid.shape[-1]), after)
    reduction = vqtoken.reduce(grid, reading.removeprefix("pooled+"))
    visual = reduction.tokens
    if reduction.quantization is not None:
        visual = llm.attend(reduction.quantization.codebook, reduction.quantization.index_map)
    else:
        position_options = {"positions": reduction.positions.tolist(), "sequence_length": reduction.sequence_length}
    return llm.logits(before, visual, after, **position_options)


def test_every_reducer_is_compared():
    compared = {reading.partition(":")[0] for reading in READINGS}
    assert {info.name for info in vqtoken.REDUCERS} <= compared


@pytest.mark.parametrize("reading", READINGS)
def test_onevision(model, golden, cases, reading, record_property):
    pixels, before, after = cases
    llm = vqtoken.VideoLlm.load(golden / "onevision-hf", precision="f32")
    expected = rust_logits(llm, pixels, before, after, reading)
    ids = torch.tensor([[*before, *[VIDEO] * 17, *after]])
    with reduce_video(model, reading):
        found = model(input_ids=ids, pixel_values_videos=pixels[None]).logits[0].numpy()
    compare(found, expected, reading, record_property)


@pytest.mark.parametrize("reading", ["pooled", "vqtoken:6", "vqtoken:3", "tome:9", "evs:q=0.5"])
def test_llava_qwen(golden, cases, reading, record_property):
    pixels, before, after = cases
    directory = golden / "onevision-vqtoken"
    expected = rust_logits(vqtoken.VideoLlm.load(directory, precision="f32"), pixels, before, after, reading)
    model = load(directory)
    ids = torch.tensor([[*before, -200, *after]])
    with reduce_video(model, reading):
        found = model(ids, images=[pixels], modalities=["video"]).logits[0].numpy()
    compare(found, expected, reading, record_property)


@pytest.mark.parametrize("reading", ["vqtoken:6", "tome:9"])
def test_generation(model, golden, cases, reading):
    pixels, before, after = cases
    llm = vqtoken.VideoLlm.load(golden / "onevision-hf", precision="f32")
    expected = []
    for _ in range(6):
        expected.append(int(rust_logits(llm, pixels, before, [*after, *expected], reading)[-1].argmax()))
    ids = torch.tensor([[*before, *[VIDEO] * 17, *after]])
    with reduce_video(model, reading):
        output = model.generate(
            ids, pixel_values_videos=pixels[None], max_new_tokens=6, do_sample=False, eos_token_id=None
        )
    assert output[0, ids.shape[1] :].tolist() == expected


def compare(found, expected, reading, record_property):
    assert found.shape == expected.shape
    difference = float(np.abs(found - expected).max())
    print(f"{reading}: logits differ by at most {difference:.1e}")
    record_property("largest difference", difference)
    assert difference < TOLERANCE
