"""The example that encodes a folder does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from needed_packages import needs

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "encode_folder.py"


@pytest.mark.parametrize("engine", ["local", "ray", "daft"])
def test_it_encodes_and_asks_a_folder_and_goes_on(engine, clips, tmp_path):
    needs(engine)
    command = [sys.executable, "-W", "ignore", str(EXAMPLE), str(clips), str(tmp_path / "corpus"), "What moves?"]
    for done_now in (7, 0):
        done = subprocess.run([*command, "--engine", engine, "--workers", "1"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        summary, *rows = [line for line in done.stdout.splitlines() if "videos, " in line or str(clips) in line]
        assert summary == f"7 videos, {done_now} encoded now, 1 with an error"
        tokens, answers = rows[:7], rows[7:]
        assert len(answers) == 7 and sum("32 codes over (32, " in row for row in tokens) == 6
        assert all("What moves? " in row for row in answers) and "no tokens" in answers[0]
