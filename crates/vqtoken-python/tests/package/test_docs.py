"""What docstrings show is true."""

from __future__ import annotations

import ast
import doctest
from pathlib import Path

import vqtoken


def test_docstrings():
    result = doctest.testmod(vqtoken, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0 and result.failed == 0


def test_stubs_name_what_there_is():
    """Every class, method and function of the stubs exists, and every public one that exists is in the stubs."""
    stubs = ast.parse((Path(vqtoken.__file__).parent / "_vqtoken.pyi").read_text())
    native = vqtoken._vqtoken
    names = set()
    for node in stubs.body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
            members = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
            there = {name for name in vars(getattr(native, node.name)) if not name.startswith("_")}
            assert {name for name in members if not name.startswith("_")} == there, node.name
    assert names | {"REDUCERS"} == {name for name in dir(native) if not name.startswith("_")}


def test_everything_public_has_a_docstring():
    for name in vqtoken.__all__:
        thing = getattr(vqtoken, name)
        if not isinstance(thing, (str, tuple)):
            assert thing.__doc__, name
            for member, value in vars(thing).items() if isinstance(thing, type) else ():
                if not member.startswith("_"):
                    assert value.__doc__, f"{name}.{member}"
