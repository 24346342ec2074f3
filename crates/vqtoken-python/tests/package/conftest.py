"""What the tests of the package share: a clip of moving shapes and the built-in model."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import vqtoken


@pytest.fixture(scope="session")
def model() -> vqtoken.VideoLlm:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vqtoken.VqtokenWarning)
        return vqtoken.VideoLlm.load()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "shapes.mp4"
    subprocess.run([sys.executable, "-m", "vqtoken", "demo", "-o", str(path)], check=True)
    return path


@pytest.fixture(scope="session")
def video_tokens(model: vqtoken.VideoLlm, clip: Path) -> vqtoken.VideoTokens:
    return model.encode(clip, frames=8, tokens=16)


@pytest.fixture
def grid() -> np.ndarray:
    """Patch embeddings `[4, 6, 6, 16]`."""
    return np.random.default_rng(0).normal(size=(4, 6, 6, 16)).astype(np.float32)
