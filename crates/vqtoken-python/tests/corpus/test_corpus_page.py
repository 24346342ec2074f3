"""The commands and the snippet of the page about corpora run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from engine_packages import needs

import vqtoken.corpus

PROJECT = Path(__file__).resolve().parents[4]


@pytest.fixture
def page(clips, tmp_path, monkeypatch) -> str:
    """The page; in the current folder are `videos/` and a model."""
    needs("ray")
    file = PROJECT / "docs" / "corpora.md"
    if not file.is_file():
        pytest.skip("the page is not here")
    (tmp_path / "videos").mkdir()
    for clip in sorted(clips.glob("clip-*.mp4"))[:2]:
        shutil.copy(clip, tmp_path / "videos")
    (tmp_path / "path" / "to").mkdir(parents=True)
    (tmp_path / "path" / "to" / "model").symlink_to(PROJECT / "models" / "mini")
    monkeypatch.chdir(tmp_path)
    return file.read_text()


def test_the_commands(page, tmp_path):
    commands = re.search(r"```sh\n(.*?)```", page, re.DOTALL).group(1).splitlines()[1:]
    assert len(commands) == 3
    for command in commands:
        command = command.replace("python -m", f"{sys.executable} -W ignore -m")
        done = subprocess.run(command, shell=True, capture_output=True, text=True)
        assert done.returncode == 0, command + done.stderr
    assert "2 rows" in done.stdout
    assert sorted(os.listdir(tmp_path)) == ["answers", "path", "tokens", "videos"]


def test_the_snippet(page, tmp_path):
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", snippet + "\nprint(table.num_rows)"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "2", done.stderr
    answers = vqtoken.corpus.to_arrow(tmp_path / "answers").to_pylist()
    assert len(answers) == 2 and all(row["answer"] for row in answers)
