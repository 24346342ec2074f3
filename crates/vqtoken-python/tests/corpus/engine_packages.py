"""Packages of the engines."""

from __future__ import annotations

import os
from types import ModuleType

import pytest


def needs(engine: str) -> ModuleType | None:
    """The package of an engine. Without it the test is skipped, and fails where CI is set."""
    if engine == "local":
        return None
    return __import__(engine) if os.environ.get("CI") else pytest.importorskip(engine)
