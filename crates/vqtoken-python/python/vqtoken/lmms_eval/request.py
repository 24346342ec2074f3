"""A request of lmms-eval as a video and a question."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_MAX_TOKENS = 128
"""Tokens of an answer where the task sets no bound."""


@dataclass(frozen=True)
class Request:
    """What is asked about one video."""

    video: Any
    """A path, frames `[T, H, W, 3]` uint8, or None for a question without a video."""
    question: str
    system: str | None
    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    until: tuple[str, ...]
    """Texts before which an answer ends."""

    @staticmethod
    def read(messages: Iterable[Any], options: Mapping[str, Any]) -> Request:
        """Reads a task's messages, as `ChatMessages.messages` has them, and its `generation_kwargs`.

        Raises `ValueError` for what the model cannot do: pictures, sound, several videos, a part of a video, an exchange of several
        turns, beam search.
        """
        video: Any = None
        question: list[str] = []
        system: list[str] = []
        roles = [message.role for message in messages]
        if [role for role in roles if role != "system"] != ["user"]:
            raise ValueError(f"messages of {', '.join(roles) or 'nobody'}: vqtoken_rs answers one message of the user")
        for message in messages:
            texts = question if message.role == "user" else system
            for part in message.content:
                if part.type == "text":
                    texts.append(part.text)
                elif part.type != "video":
                    raise ValueError(f"a part is of type {part.type}: vqtoken_rs reads text and one video")
                elif video is not None:
                    raise ValueError("several videos: vqtoken_rs reads one")
                elif part.start_time is not None or part.end_time is not None:
                    raise ValueError("start_time or end_time: vqtoken_rs reads whole videos; cut it out before")
                else:
                    video = _video(part.url)
        beams = options.get("num_beams") or 1
        if beams != 1:
            raise ValueError(f"num_beams={beams}: vqtoken_rs has no beam search; set it to 1 in the task")
        is_sampled = options.get("do_sample", True)
        until = options.get("until") or ()
        return Request(
            video=video,
            question="\n".join(question),
            system="\n".join(system) or None,
            max_tokens=int(options.get("max_new_tokens") or DEFAULT_MAX_TOKENS),
            temperature=float(options.get("temperature") or 0.0) if is_sampled else 0.0,
            top_p=float(options.get("top_p") or 1.0),
            top_k=int(options.get("top_k") or 0),
            until=(until,) if isinstance(until, str) else tuple(until),
        )

    @property
    def group(self) -> tuple[Any, ...]:
        """Equal for requests that one call answers: the same video, asked in the same manner."""
        video = self.video if isinstance(self.video, str | None) else id(self.video)
        return video, self.system, self.max_tokens, self.temperature, self.top_p, self.top_k

    def cut(self, answer: str) -> str:
        """An answer up to the first text that ends it."""
        for text in filter(None, self.until):
            answer = answer.split(text, 1)[0]
        return answer


def _video(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, str):
        return value.removeprefix("file://")
    if getattr(value, "ndim", None) == 4:
        return value
    raise ValueError(f"a video is a {type(value).__name__}: expected a path or frames [T, H, W, 3]")
