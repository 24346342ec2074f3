"""A reading: one way in which a video becomes visual tokens.

| written | what the language model reads |
| --- | --- |
| `vqtoken:32`, `vqtoken:adaptive:elbow:12-32` | the codes of the clip, through the VQ-attention if the checkpoint has one |
| `codebook:32` | the bare codes |
| `pooled` | every frame pooled to half its sides, as `transformers` does without this patch |
| `tome:32`, `evs:q=0.9`, .. | what a training-free reducer leaves of the unpooled grid |
| `pooled+tome:32`, .. | what it leaves of the pooled grid |
| `tome:32@renumbered`, .. | the same tokens at positions 0, 1, 2, .. |

The command line has the same names (`vqtoken eval --reducer`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .. import _vqtoken as native
from ..errors import ReduceError

Positions: TypeAlias = Literal["kept", "renumbered"]
"""`"kept"`: each token at its position in the unreduced sequence. `"renumbered"`: at 0, 1, 2, .."""

DEFAULT_CODES = 32
"""Codes of `vqtoken` and `codebook` where the name has no number."""

_RENUMBERED = "@renumbered"
_POOLED = "pooled"


@dataclass(frozen=True)
class Reading:
    """Which grid is reduced, by what, and where the language model reads what is left."""

    name: str
    """As it was written, without `@renumbered`."""
    reducer: str | None
    """For `vqtoken.reduce`; None where nothing is reduced."""
    is_pooled: bool
    """Whether the frames are pooled first."""
    is_attended: bool
    """Whether codes go through the VQ-attention."""
    positions: Positions

    @staticmethod
    def parse(text: str, positions: Positions = "kept") -> Reading:
        """Reads a name of the table above.

        Raises `ReduceError` for a reducer that does not exist, and for `positions` that are neither `"kept"` nor `"renumbered"`.
        What follows the colon is checked when the first video is reduced: budgets depend on its size.
        """
        if positions not in ("kept", "renumbered"):
            raise ReduceError(f"positions are {positions!r}: expected 'kept' or 'renumbered'")
        name, suffix = (text[: -len(_RENUMBERED)], True) if text.endswith(_RENUMBERED) else (text, False)
        if name == _POOLED:
            return Reading(name, None, True, False, "kept")
        is_pooled = name.startswith(f"{_POOLED}+")
        reducer = name[len(_POOLED) + 1 :] if is_pooled else name
        kind, _, amount = reducer.partition(":")
        has_codes = kind in ("vqtoken", "codebook")
        if not has_codes and kind not in {info.name for info in native.REDUCERS}:
            known = ", ".join(info.name for info in native.REDUCERS)
            raise ReduceError(
                f"{reducer!r} is not a reducer: expected pooled, pooled+REDUCER, codebook:32, or one of {known}"
            )
        if has_codes and is_pooled:
            raise ReduceError(f"{text}: VQToken quantizes the unpooled grid: write {reducer}")
        if has_codes:
            reducer = f"vqtoken:{amount or DEFAULT_CODES}"
        is_renumbered = suffix or positions == "renumbered"
        return Reading(name, reducer, is_pooled, kind == "vqtoken", "renumbered" if is_renumbered else "kept")

    @property
    def budget(self) -> int | None:
        """The number of tokens that the name asks for; None where the video decides it."""
        amount = (self.reducer or "").partition(":")[2]
        return int(amount) if amount.isdecimal() else None

    def __str__(self) -> str:
        return self.name + (_RENUMBERED if self.positions == "renumbered" else "")
