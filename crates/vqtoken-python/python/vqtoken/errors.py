"""The exceptions of this package. Each message names the thing at fault and the remedy."""

from __future__ import annotations

__all__ = ["ArrayError", "Error", "ForkError", "ModelError", "ReduceError", "TokensError", "VideoError", "VqtokenWarning"]


class Error(Exception):
    """Anything that this package refuses or fails at."""


class VideoError(Error):
    """A video cannot be opened or decoded."""


class ModelError(Error):
    """A model cannot be loaded or used."""


class TokensError(Error):
    """Video tokens or a `.vqt` file cannot be read or written."""


class ReduceError(Error, ValueError):
    """The quantizer or a reducer refuses tokens, a budget or an amount."""


class ArrayError(Error, ValueError):
    """An array has another shape, type, order or device than it should."""


class ForkError(Error):
    """The process was forked after its computing threads had started."""


class VqtokenWarning(UserWarning):
    """What a call did otherwise than one might expect, and what a video is damaged by."""
