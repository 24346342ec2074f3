"""Packages that some tests need."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import pytest


def optional(name: str) -> ModuleType:
    """A package that a test needs; without it the test is skipped, and fails where the environment says that all is installed."""
    if os.environ.get("VQTOKEN_ALL_PACKAGES"):
        return importlib.import_module(name)
    return pytest.importorskip(name)
