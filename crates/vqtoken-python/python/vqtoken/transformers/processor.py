"""Placeholders in the processor.

A processor of `transformers` gives a video as many placeholders as pooled patches: 6,273 for 32 frames. A reduced one gives it as
many as it has visual tokens, where the reducer's name says how many, or one, where the video decides it. The reduced model accepts
all of these, and writes as many as it reads.
"""

from __future__ import annotations

from typing import Any

from .errors import PatchError, UnsupportedModelError
from .reading import Reading

_MARK = "_vqtoken_reduction"
_NOWHERE = "\0vqtoken: no text contains this\0"


def provisional_placeholders(reading: Reading) -> int | None:
    """How many placeholders a reduced processor gives each video; None where it is left as it is."""
    if reading.reducer is None:
        return None
    return 1 if reading.budget is None else reading.budget + 1


class ReducedProcessor:
    """Makes a processor give each video a number of placeholders. Its class is replaced: a call looks for `__call__` there."""

    def __init__(self, processor: Any, placeholders: int, reducer: str) -> None:
        """Raises `UnsupportedModelError` if `processor` has no video token, and `PatchError` if it is reduced already."""
        if hasattr(type(processor), _MARK):
            raise PatchError(
                f"this {type(processor).__name__} is reduced by {getattr(processor, _MARK)} already: "
                "leave its `with` block, or call remove() of what reduce_video returned"
            )
        if not isinstance(getattr(processor, "video_token", None), str) or not hasattr(processor, "tokenizer"):
            raise UnsupportedModelError(
                f"{type(processor).__name__} has no video_token: expected a LlavaOnevisionProcessor"
            )
        self._processor, self._class = processor, type(processor)
        processor.__class__ = _reduced_class(type(processor), placeholders, reducer)

    def remove(self) -> None:
        """Gives the processor its class back."""
        self._processor.__class__ = self._class


def _reduced_class(base: type, placeholders: int, reducer: str) -> type:
    def replace_video_token(self: Any, video_inputs: dict[str, Any], video_idx: int, **kwargs: Any) -> str:
        return self.video_token * placeholders

    def call(self: Any, images: Any = None, text: Any = None, *args: Any, **kwargs: Any) -> Any:
        # Before `replace_video_token` existed, processors expanded the token in their text.
        token = self.video_token
        texts = [text] if isinstance(text, str) else text
        if texts is not None:
            text = [sample.replace(token, token * placeholders) for sample in texts]
        self.video_token = _NOWHERE
        try:
            return base.__call__(self, images, text, *args, **kwargs)
        finally:
            self.video_token = token

    if hasattr(base, "replace_video_token"):
        methods: dict[str, Any] = {"replace_video_token": replace_video_token}
    else:
        methods = {"__call__": call}
    # The name is written into files by `save_pretrained`.
    described = {"__module__": base.__module__, "__doc__": base.__doc__, _MARK: reducer}
    return type(base.__name__, (base,), {**methods, **described})
