"""Positions while a model generates."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def continuing_positions(prepare: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Wraps a model's `prepare_inputs_for_generation`.

    Positions of a prompt with gaps go on from the last of them. `transformers` 5 does this itself; 4 hands the prompt's positions
    to every step. Without a cache it also takes a step in positions for the border between two packed texts, unless there is an
    attention mask, and 5 leaves out masks of ones.
    """

    @functools.wraps(prepare)
    def wrapper(*args: Any, **kwargs: Any) -> dict[str, Any]:
        inputs = prepare(*args, **kwargs)
        positions, mask = kwargs.get("position_ids"), kwargs.get("attention_mask")
        if positions is None or positions.ndim != 2:
            return inputs
        if mask is not None and mask.ndim == 2:
            positions = _continued(positions, mask.shape[1])
        current = inputs.get("inputs_embeds")
        current = inputs["input_ids"] if current is None else current
        inputs["position_ids"] = positions[:, -current.shape[1] :].contiguous()
        cache = inputs.get("cache", inputs.get("past_key_values"))
        if inputs.get("attention_mask") is None and cache is None:
            inputs["attention_mask"] = torch.ones_like(positions)
        return inputs

    return wrapper


def _continued(positions: Tensor, length: int) -> Tensor:
    """`[B, L]` as `[B, length]`, counted on."""
    missing = length - positions.shape[1]
    if missing <= 0:
        return positions
    steps = torch.arange(1, missing + 1, device=positions.device)
    return torch.cat([positions, positions[:, -1:] + steps], dim=1)
