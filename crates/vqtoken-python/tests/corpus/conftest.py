"""Folders of small files, corpora of a stub model, and one of real clips."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Engines start processes that load the stub model.
sys.path.insert(0, os.path.dirname(__file__))
os.environ["PYTHONPATH"] = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)

if os.environ.get("CI"):
    import pyarrow  # noqa: F401
else:
    pytest.importorskip("pyarrow")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """20 files that the stub model takes for videos."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for index in range(20):
        (folder / f"clip-{index}.mp4").write_bytes(f"content {index % 7}".encode())
    return folder


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of moving shapes, and a file that is no video."""
    folder = tmp_path_factory.mktemp("clips") / "shapes"
    command = [sys.executable, "-m", "vqtoken", "data", "shapes", "--out", str(folder), "--clips", "6"]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "videos" / "broken.mp4").write_bytes(b"no video")
    return folder / "videos"


@pytest.fixture(scope="session")
def corpus(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clips as video tokens."""
    from vqtoken.corpus import encode

    out = tmp_path_factory.mktemp("corpus") / "tokens"
    encode(clips, out, frames=4, tokens=8, rows_per_piece=3, workers=1)
    return out
