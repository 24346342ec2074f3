"""Questions over a corpus of video tokens, and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pyarrow as pa
import pytest
from needed_packages import needs
from pyarrow import parquet

import vqtoken
from vqtoken.corpus import CorpusError, ask, to_arrow

QUESTION = "What moves?"


@pytest.mark.parametrize("engine", ["local", "ray", "daft"])
def test_a_list_of_questions_is_asked_of_every_video(engine, corpus, tmp_path):
    needs(engine)
    summary = ask(corpus, tmp_path / "answers", [QUESTION, "Which way?"], engine=engine, workers=1)
    assert (summary.rows, summary.failed) == (14, 2)
    rows = to_arrow(tmp_path / "answers").to_pylist()
    assert "no tokens" in rows[0]["error"] and rows[0]["answer"] is None
    model = vqtoken.VideoLlm.load()
    tokens = vqtoken.VideoTokens.from_bytes(to_arrow(corpus).column("vqt")[3].as_py())
    assert rows[6]["answer"] == model.ask(tokens, QUESTION) and rows[6]["question"] == QUESTION


def test_a_table_has_a_question_a_row(corpus, tmp_path):
    paths = to_arrow(corpus).column("path").to_pylist()
    table = pa.table({"path": [paths[2], paths[2], paths[5]], "question": ["What moves?", "Which way?", "What moves?"]})
    parquet.write_table(table, tmp_path / "questions.parquet")
    ask(corpus, tmp_path / "answers", tmp_path / "questions.parquet", workers=1)
    rows = to_arrow(tmp_path / "answers").to_pylist()
    assert [row["path"] for row in rows] == table.column("path").to_pylist()
    assert all(row["answer"] for row in rows)


def test_what_cannot_be_asked_is_refused(corpus, tmp_path):
    parquet.write_table(pa.table({"path": ["a"], "text": ["b"]}), tmp_path / "other.parquet")
    for questions, message in [
        ([], "no question"),
        ([" "], "empty"),
        ([7], "texts"),
        (tmp_path / "other.parquet", "'path', 'text'"),
        (tmp_path / "none.parquet", "none.parquet"),
        (pa.table({"path": ["nowhere.mp4"], "question": ["What?"]}), "nowhere.mp4"),
    ]:
        with pytest.raises(CorpusError, match=message):
            ask(corpus, tmp_path / "answers", questions)
    with pytest.raises(CorpusError, match="no corpus"):
        ask(tmp_path, tmp_path / "answers", [QUESTION])


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "vqtoken", "corpus", *map(str, arguments)], capture_output=True, text=True
    )


def test_the_command_line(clips, tmp_path):
    out = tmp_path / "tokens"
    done = command("encode", clips, out, "--frames", 4, "--tokens", 8, "--workers", 1, "--json")
    assert done.returncode == 1, done.stderr  # One file is no video.
    assert json.loads(done.stdout) == {"output": str(out), "rows": 7, "done_now": 7, "failed": 1, "pieces": 1}
    assert "corpus list" in done.stderr
    listed = command("list", out)
    assert "broken.mp4" in listed.stdout and "7 rows, 1 with an error" in listed.stdout
    (clips / "broken.mp4").touch()
    answers = command("ask", out, tmp_path / "answers", "--question", QUESTION, "--workers", 1)
    assert "7 rows" in answers.stdout
    assert command("encode", clips, out, "--frames", 5).returncode == 1
    assert command("encode", clips).returncode == 2
    assert command("encode", clips, out, "--workers", "few").returncode == 2
    assert "error: " in command("list", os.devnull).stderr
