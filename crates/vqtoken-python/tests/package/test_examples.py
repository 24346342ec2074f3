"""The example that asks a video does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ask_video.py"


def output(*arguments: object) -> list[str]:
    command = [sys.executable, "-W", "ignore", str(EXAMPLE), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_asks_the_demonstration_clip():
    lines = output()
    assert "32 codes of 32 frames, " in lines[-4]
    # What the clip shows.
    assert lines[-3] == "Which way does the red circle move? right"
    assert lines[-2].startswith("What moves? ")
    assert lines[-1] == "From the file alone: right"


def test_it_asks_a_clip_what_it_is_asked_to(clip):
    lines = output(clip, "Which way does the red circle move?", "--tokens", 8)
    assert lines[0].startswith("8 codes of 32 frames, ") and len(lines) == 3
    assert lines[1].startswith("Which way does the red circle move? ")
