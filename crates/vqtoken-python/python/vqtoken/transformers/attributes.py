"""Attributes of a model that are replaced, and put back."""

from __future__ import annotations

from typing import Any

from .errors import PatchError

_MISSING = object()


class Attributes:
    """Replaces attributes of objects, not of their classes: other models of the same class stay as they are."""

    def __init__(self) -> None:
        self._saved: list[tuple[object, str, Any, Any]] = []

    def replace(self, owner: object, name: str, value: Any) -> None:
        """Sets an attribute of `owner` until `restore`."""
        before = vars(owner).get(name, _MISSING)
        setattr(owner, name, value)
        self._saved.append((owner, name, before, value))

    def restore(self) -> None:
        """Puts all attributes back, the last first.

        Raises `PatchError`, and puts nothing back, if somebody else has replaced one of them in the meantime.
        """
        for owner, name, _, value in self._saved:
            if vars(owner).get(name, _MISSING) is not value:
                raise PatchError(
                    f"{type(owner).__name__}.{name} was replaced after the video reduction: undo that first"
                )
        while self._saved:
            owner, name, before, _ = self._saved.pop()
            if before is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
