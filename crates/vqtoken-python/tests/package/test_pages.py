"""Snippets of the pages about this package run as they stand, where the project's folder has the pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[4]


def snippets(page: str) -> list[str]:
    """The Python of a page, in order."""
    return re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / page).read_text(), re.DOTALL)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the project's demonstration clips."""
    if not (PROJECT / "docs").is_dir():
        pytest.skip("the pages are not here")
    (tmp_path / "demo").symlink_to(PROJECT / "demo")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore::vqtoken.VqtokenWarning")
def test_python_asks_a_video_and_quantizes_arrays(project, capsys):
    ask, method, patch = snippets("python.md")
    exec(ask, variables := {})
    assert capsys.readouterr().out.startswith("right\n")
    assert (project / "shapes.vqt").stat().st_size < 10_000 and variables["tokens"].codes == 32
    exec(method, variables)
    assert variables["quantization"].codes == 32 and len(variables["reduction"].tokens) == 32
    compile(patch, "python.md", "exec")  # It runs in tests/transformers.
