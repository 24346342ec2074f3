"""Packages that tests need beside the package itself."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import pytest


def package(name: str) -> ModuleType:
    """A package. Without it the test is skipped, and fails where CI is set."""
    return importlib.import_module(name) if os.environ.get("CI") else pytest.importorskip(name)


def needs(engine: str) -> ModuleType | None:
    """The package of an engine; local processes need none."""
    return None if engine == "local" else package(engine)
