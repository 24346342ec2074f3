"""`reduce_video`: a model whose videos are read reduced."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Literal, TypeAlias

from torch import nn

from .. import _vqtoken as native
from .attributes import Attributes
from .errors import PatchError, UnsupportedModelError
from .llava_qwen import LlavaQwen, is_llava_qwen
from .onevision import OneVision, is_onevision
from .processor import ReducedProcessor, provisional_placeholders
from .reading import Positions, Reading

Attention: TypeAlias = native.VqAttention | Literal["auto"] | None
"""The VQ-attention that codes go through. `"auto"`: that of the directory which the model was loaded from, if it has one."""

_MARK = "_vqtoken_reduction"


class VideoReduction:
    """A model in which videos are reduced until `remove`, or until the end of a `with` block."""

    def __init__(self, model: nn.Module, reading: Reading, attention: Attention, processor: Any) -> None:
        self._model, self.reducer = model, str(reading)
        if hasattr(model, _MARK):
            raise PatchError(
                f"this {type(model).__name__} is reduced by {getattr(model, _MARK)} already: "
                "leave its `with` block, or call remove() of what reduce_video returned"
            )
        if attention == "auto":
            attention = _attention_of(model) if reading.is_attended else None
        placeholders = None if processor is None else provisional_placeholders(reading)
        self._attributes, self._processor = Attributes(), None
        if is_onevision(model):
            patch: OneVision | LlavaQwen = OneVision(model, reading, attention, placeholders)
        elif is_llava_qwen(model):
            if processor is not None:
                raise UnsupportedModelError("models of LLaVA-NeXT have no processor: leave it out")
            patch = LlavaQwen(model, reading, attention)
        else:
            raise UnsupportedModelError(
                f"{type(model).__name__} is not supported: expected LlavaOnevisionForConditionalGeneration, or a model of "
                "LLaVA-NeXT with get_vision_tower, encode_images, get_2dPool and prepare_inputs_labels_for_multimodal"
            )
        if placeholders is not None:
            self._processor = ReducedProcessor(processor, placeholders, self.reducer)
        patch.install(self._attributes)
        self._attributes.replace(model, _MARK, self.reducer)

    def remove(self) -> None:
        """Makes model and processor what they were. Does nothing the second time.

        Raises `PatchError` if somebody else has replaced a method of the model in the meantime.
        """
        self._attributes.restore()
        if self._processor is not None:
            self._processor.remove()
            self._processor = None

    def __enter__(self) -> VideoReduction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<{type(self._model).__name__} reading videos as {self.reducer}>"


def reduce_video(
    model: nn.Module,
    reducer: str,
    *,
    processor: Any = None,
    positions: Positions = "kept",
    vq_attention: Attention = "auto",
) -> VideoReduction:
    """Makes a model read videos by any reducer: `"vqtoken:32"`, `"tome:64"`, `"evs:q=0.9"`, `"pooled+dpc-knn:10%"`, ..

    For a while, `with reduce_video(model, "vqtoken:32"): ...`, or until `remove()` of what it returns. Calls and `generate` take
    the same inputs as before. Reducers work on the unpooled grid, 27 x 27 patches a frame for LLaVA-OneVision.

    `processor`, if given, expands `<video>` to as many placeholders as there will be visual tokens; with one that is left as it
    is, the model reads as few tokens, but the prompt that the processor returns is long. Language models see where a token was by
    its position, so tokens of training-free reducers keep theirs; `positions="renumbered"` counts them 0, 1, 2, ..

    Raises `UnsupportedModelError`, `ReduceError` for a reducer that does not exist, `PatchError` if the model is reduced already,
    and `ModelError` if the VQ-attention of a checkpoint cannot be loaded. A call to the model raises `PlaceholderError`,
    `ArrayError` or `ReduceError` if prompt, pixels or budget do not fit.
    """
    return VideoReduction(model, Reading.parse(reducer, positions), vq_attention, processor)


def _attention_of(model: nn.Module) -> native.VqAttention | None:
    """The VQ-attention in the directory that a model was loaded from; None if it has none or is no local directory."""
    directory = getattr(model.config, "_name_or_path", "")
    return native.VqAttention.load(directory) if directory and os.path.isdir(directory) else None
