"""What a corpus refuses, and packages that it needs."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from vqtoken.errors import Error

__all__ = ["CorpusError", "MissingPackageError", "need"]


class CorpusError(Error):
    """A corpus cannot be read, begun or gone on with."""


class MissingPackageError(CorpusError, ImportError):
    """A package that is not among this package's dependencies is needed."""


def need(module: str, package: str, purpose: str) -> ModuleType:
    """Imports a module of an optional package. Raises `MissingPackageError` with the name that pip knows it by."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingPackageError(f"{purpose} needs the package {package}: pip install '{package}'") from None
