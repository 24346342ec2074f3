"""`generate` of a reduced LLaVA-OneVision."""

from __future__ import annotations

import pytest
import torch
from vqtoken.transformers import reduce_video

NEW = 8
OPTIONS = dict(max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False)


def greedy_by_whole_prompts(model, given):
    """New tokens of one row, each from a call with the whole text so far and no cache."""
    ids, mask, new = given["input_ids"], given["attention_mask"], []
    for _ in range(NEW):
        logits = model(input_ids=ids, attention_mask=mask, pixel_values_videos=given["pixel_values_videos"]).logits[
            :, -1
        ]
        logits[:, model.generation_config.eos_token_id] = -torch.inf
        new.append(logits.argmax(-1, keepdim=True))
        ids, mask = torch.cat([ids, new[-1]], 1), torch.cat([mask, torch.ones_like(new[-1])], 1)
    return torch.cat(new, 1)


@pytest.mark.parametrize("reading", ["pooled", "vqtoken:6", "tome:9", "evs:q=0.5", "tome:9@renumbered"])
def test_generation_with_a_cache_equals_calls_without(model, inputs, reading):
    given = inputs(0)
    with reduce_video(model, reading):
        expected = greedy_by_whole_prompts(model, given)
        for use_cache in (True, False):
            output = model.generate(**given, **OPTIONS, use_cache=use_cache)
            assert torch.equal(output[:, : given["input_ids"].shape[1]], given["input_ids"])
            assert output[:, given["input_ids"].shape[1] :].tolist() == expected.tolist(), use_cache


@pytest.mark.parametrize("reading", ["vqtoken:6", "tome:9", "evs:q=0.5"])
def test_rows_of_a_batch_generate_as_if_alone(model, inputs, reading):
    with reduce_video(model, reading):
        together = model.generate(**inputs(0, 1), **OPTIONS)[:, -NEW:]
        alone = [model.generate(**inputs(index), **OPTIONS)[0, -NEW:] for index in (0, 1)]
    assert together.tolist() == [row.tolist() for row in alone]


def test_pooled_generates_what_transformers_generates(model, inputs):
    given = inputs(0, 1)
    expected = model.generate(**given, **OPTIONS)
    with reduce_video(model, "pooled"):
        assert torch.equal(model.generate(**given, **OPTIONS), expected)
    assert torch.equal(model.generate(**given, **OPTIONS), expected)


def test_beams_and_several_answers(model, inputs):
    given = inputs(0, 1)
    with reduce_video(model, "tome:9"):
        output = model.generate(**given, **OPTIONS, num_beams=3, num_return_sequences=2, return_dict_in_generate=True)
        one = model.generate(**inputs(0), **OPTIONS, num_beams=3, num_return_sequences=2)
    length = given["input_ids"].shape[1]
    assert torch.equal(output.sequences[:, :length], given["input_ids"].repeat_interleave(2, 0))
    assert output.sequences[:2, length:].tolist() == one[:, -NEW:].tolist()


def test_the_first_argument_may_be_the_prompt(model, inputs):
    given = dict(inputs(0))
    with reduce_video(model, "tome:9"):
        expected = model.generate(**given, **OPTIONS)
        ids = given.pop("input_ids")
        assert torch.equal(model.generate(ids, **given, **OPTIONS), expected)


def test_max_length_counts_the_prompt_as_it_was_given(model, inputs):
    given = inputs(0)
    length = given["input_ids"].shape[1]
    with reduce_video(model, "tome:9"):
        output = model.generate(**given, max_length=length + 3, min_length=length + 3, do_sample=False)
        assert output.shape[1] == length + 3
        assert output.tolist() == model.generate(**given, max_new_tokens=3, min_new_tokens=3, do_sample=False).tolist()


def test_text_alone_is_read_as_before(model, processor):
    given = processor(text=["<|im_start|>user\nWhich way?<|im_end|>\n<|im_start|>assistant\n"], return_tensors="pt")
    expected = model.generate(**given, **OPTIONS)
    with reduce_video(model, "tome:9"):
        assert torch.equal(model.generate(**given, **OPTIONS), expected)
