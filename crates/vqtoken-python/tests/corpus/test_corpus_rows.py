"""A row a video: what is in it, whatever went wrong, and that a corpus is made once."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pytest
import stub_model
from needed_packages import needs
from driver_process import STUB, start_driver
from pyarrow import parquet

import vqtoken
import vqtoken.corpus
from vqtoken.corpus import CorpusError, encode, to_arrow

ENGINES = ["local", "ray", "daft"]


def stub(source: object, out: Path, **options: object) -> vqtoken.corpus.Summary:
    options = {"rows_per_piece": 3, "workers": 2, **options}
    return encode(source, out, loader=stub_model.load, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_makes_the_same_rows(engine, files, tmp_path):
    needs(engine)
    (files / "bad.mp4").write_bytes(b"")
    summary = stub(files, tmp_path / engine, engine=engine)
    assert (summary.rows, summary.done_now, summary.failed, summary.pieces) == (21, 21, 1, 7)
    expected = to_arrow(tmp_path / engine)
    stub(files, tmp_path / "again")
    assert expected.equals(to_arrow(tmp_path / "again"))
    assert expected.column("row").to_pylist() == list(range(21))


def test_rows_are_in_natural_order_and_tell_what_went_wrong(files, tmp_path):
    (files / "bad.mp4").write_bytes(b"")
    (files / "notes.txt").write_text("no video")
    stub(files, tmp_path / "out")
    rows = to_arrow(tmp_path / "out").to_pylist()
    assert [Path(row["path"]).name for row in rows] == ["bad.mp4", *(f"clip-{index}.mp4" for index in range(20))]
    assert rows[0]["error"] == "a bad video" and rows[0]["vqt"] is None
    assert all(row["error"] is None and row["codes"] == 4 and len(row["sha256"]) == 64 for row in rows[1:])
    assert rows[1]["sha256"] == rows[8]["sha256"] != rows[2]["sha256"]


def test_a_video_that_ends_its_process_is_a_row(files, tmp_path):
    (files / "kill.mp4").write_bytes(b"")
    summary = stub(files, tmp_path / "out")
    assert (summary.rows, summary.failed) == (21, 1)
    error = [row["error"] for row in to_arrow(tmp_path / "out").to_pylist() if row["error"]]
    assert "SIGKILL" in error[0]


def test_real_clips(clips, corpus, tmp_path):
    rows = to_arrow(corpus).to_pylist()
    assert len(rows) == 7
    assert sum(row["error"] is not None for row in rows) == 1 and rows[0]["error"]
    model = vqtoken.VideoLlm.load()
    row = rows[3]
    assert row["vqt"] == model.encode(row["path"], frames=4, tokens=8).to_bytes()
    assert row["codes"] == 8 and row["duration"] > 0


def test_a_second_call_has_nothing_to_do(files, tmp_path):
    stub(files, tmp_path / "out")
    before = (tmp_path / "out" / "_manifest.jsonl").read_bytes()
    assert stub(files, tmp_path / "out").done_now == 0
    assert (tmp_path / "out" / "_manifest.jsonl").read_bytes() == before


def test_new_videos_are_appended(files, tmp_path):
    stub(files, tmp_path / "out")
    (files / "clip-3b.mp4").write_bytes(b"new")
    summary = stub(files, tmp_path / "out")
    assert (summary.rows, summary.done_now) == (21, 1)
    assert to_arrow(tmp_path / "out").column("path").to_pylist()[-1].endswith("clip-3b.mp4")


def test_sources_are_folders_lists_texts_and_tables(files, tmp_path):
    paths = [str(files / f"clip-{index}.mp4") for index in range(20)]
    (tmp_path / "list.txt").write_text("\n".join(paths) + "\n")
    table = pa.table({"path": paths, "other": list(range(20))})
    parquet.write_table(table, tmp_path / "table.parquet")
    (tmp_path / "table.csv").write_text("id,path\n" + "".join(f"{index},{path}\n" for index, path in enumerate(paths)))
    expected = None
    sources = [files, paths, map(Path, paths), tmp_path / "list.txt", table, tmp_path / "table.parquet", tmp_path / "table.csv"]
    for index, source in enumerate(sources):
        stub(source, tmp_path / f"out-{index}")
        rows = to_arrow(tmp_path / f"out-{index}")
        expected = rows if expected is None else expected
        assert rows.equals(expected), source


def test_what_cannot_be_encoded_is_refused(files, tmp_path):
    (tmp_path / "file").write_text("")
    parquet.write_table(pa.table({"name": ["a"], "size": [1]}), tmp_path / "other.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    (tmp_path / "empty").mkdir()
    for source, message in [
        (tmp_path / "none", "none"),
        (tmp_path / "empty", "no videos"),
        (tmp_path / "other.parquet", "'name', 'size'"),
        (tmp_path / "broken.parquet", "broken.parquet"),
        ([], "no videos"),
        (7, "source"),
        ([b"bytes", 3], "source"),
    ]:
        with pytest.raises(CorpusError, match=message):
            stub(source, tmp_path / "out")
    for options, message in [
        ({"engine": "spark"}, "spark"),
        ({"frames": 3, "fps": 1.0}, "frames"),
        ({"quality": "best"}, "best"),
        ({"workers": 0}, "workers"),
        ({"cpus_per_worker": 0}, "cpus_per_worker"),
        ({"num_gpus": 1}, "GPU"),
        ({"rows_per_piece": 0}, "rows_per_piece"),
        ({"model": "missing"}, "no model of this name"),
    ]:
        with pytest.raises(CorpusError, match=message):
            stub(files, tmp_path / "options", **options)
    with pytest.raises(vqtoken.ReduceError):
        stub(files, tmp_path / "options", tokens="many")
    with pytest.raises(CorpusError, match="file"):
        stub(files, tmp_path / "file")


def test_a_row_that_is_no_file_is_an_error(files, tmp_path):
    stub([str(files), str(tmp_path / "none.mp4"), None, ""], tmp_path / "out")
    rows = to_arrow(tmp_path / "out").to_pylist()
    assert [bool(row["error"]) for row in rows] == [True] * 4
    assert "folder" in rows[0]["error"]


def test_other_options_are_refused(files, tmp_path):
    stub(files, tmp_path / "out", tokens=32)
    with pytest.raises(CorpusError, match="tokens was '32' and is now '16'"):
        stub(files, tmp_path / "out", tokens=16)
    with pytest.raises(CorpusError, match="model"):
        stub(files, tmp_path / "out", tokens=32, model="other")


def test_a_damaged_corpus_is_refused(files, tmp_path):
    stub(files, tmp_path / "out")
    (tmp_path / "out" / "piece-000000003.parquet").unlink()
    with pytest.raises(CorpusError, match="piece-000000003"):
        stub(files, tmp_path / "out")
    with pytest.raises(CorpusError, match="no corpus"):
        to_arrow(tmp_path)
    with pytest.raises(CorpusError, match="no column 'frames'"):
        to_arrow(tmp_path / "out", ["frames"])


def test_two_drivers_on_one_folder_are_refused(files, tmp_path):
    first = start_driver(files, tmp_path / "out", "local", STUB, tmp_path / "log", seconds=0.5)
    while not (tmp_path / "out" / "_manifest.jsonl").exists():
        time.sleep(0.02)
    with pytest.raises(CorpusError, match=f"process {first.pid}"):
        stub(files, tmp_path / "out", rows_per_piece=2)
    first.kill()
    first.wait()
    stub(files, tmp_path / "out", rows_per_piece=2)
