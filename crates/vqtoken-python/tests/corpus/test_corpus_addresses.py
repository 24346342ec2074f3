"""Videos at addresses: files, archives, a web server; and what is said of those that cannot be read."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import stub_model
from needed_packages import needs, package
from pyarrow import parquet

import vqtoken
from vqtoken.corpus import CorpusError, ask, encode, to_arrow
from vqtoken.corpus import address
from vqtoken.corpus.address import absolute, is_relative, name_of
from vqtoken.corpus.content import Contents

fsspec = package("fsspec")


def rows_of(source: object, out: Path, **options: object) -> list[dict]:
    encode(source, out, loader=stub_model.load, **{"workers": 1, **options})  # type: ignore[arg-type]
    return to_arrow(out).to_pylist()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A folder, and an address that always fails."""

    def do_GET(self) -> None:
        if "/broken/" in self.path:
            self.send_error(500, "out of order")
        else:
            super().do_GET()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(files: Path) -> Iterator[str]:
    """A web server of the files: its address."""
    package("aiohttp")
    package("requests")
    handler = functools.partial(Quiet, directory=str(files))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


@pytest.fixture
def archives(files: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The files and a text as a zip and as a tar file."""
    (files / "notes.txt").write_text("no video")
    with zipfile.ZipFile(tmp_path / "videos.zip", "w") as archive:
        for file in sorted(files.iterdir()):
            archive.write(file, f"inside/{file.name}")
    with tarfile.open(tmp_path / "videos.tar.gz", "w:gz") as archive:
        archive.add(files, "inside")
    return tmp_path / "videos.zip", tmp_path / "videos.tar.gz"


def contents(files: Path) -> list[str]:
    return [hashlib.sha256((files / f"clip-{index}.mp4").read_bytes()).hexdigest() for index in range(20)]


def test_the_name_is_the_files_own():
    for place, name in [
        ("clips/a.mp4", "a.mp4"),
        ("s3://bucket/clips/a?b.mp4", "a?b.mp4"),
        ("https://host/clips/a%20b.mp4?token=x/y", "a b.mp4"),
        ("zip://inside/a.mp4::s3://bucket/videos.zip", "a.mp4"),
        ("simplecache::s3://bucket/a.mp4", "a.mp4"),
        ("simplecache::zip://a.mp4::https://host/videos.zip?token", "a.mp4"),
    ]:
        assert name_of(place) == name, place


def test_an_archive_beside_the_caller_is_relative():
    assert is_relative("a.mp4") and is_relative("zip://a.mp4::videos.zip")
    assert not is_relative("/a.mp4") and not is_relative("zip://a.mp4::s3://videos.zip") and not is_relative("s3://a")
    assert absolute("zip://a.mp4::videos.zip", "/base") == "zip://a.mp4::/base/videos.zip"
    assert absolute("zip://a.mp4::s3://videos.zip", "/base") == "zip://a.mp4::s3://videos.zip"


def test_a_file_address_gives_the_row_of_its_path(files, tmp_path):
    by_address = rows_of([(files / "clip-1.mp4").as_uri()], tmp_path / "address")[0]
    by_path = rows_of([files / "clip-1.mp4"], tmp_path / "path")[0]
    assert {**by_address, "path": by_path["path"]} == by_path and by_path["error"] is None


@pytest.mark.parametrize("engine", ["local", "ray", "daft"])
def test_a_web_server_gives_the_rows_of_its_folder(engine, files, server, tmp_path):
    needs(engine)
    addresses = [f"{server}/clip-{index}.mp4" for index in range(20)]
    rows = rows_of(addresses, tmp_path / "out", engine=engine)
    assert [row["error"] for row in rows] == [None] * 20
    by_path = rows_of(files, tmp_path / "path")
    assert [(row["sha256"], row["vqt"]) for row in rows] == [(row["sha256"], row["vqt"]) for row in by_path]


def test_a_listing_of_a_web_server_is_a_folder(files, server, tmp_path):
    rows = rows_of(f"{server}/", tmp_path / "out")
    assert [row["path"] for row in rows] == [f"{server}/clip-{index}.mp4" for index in range(20)]
    assert [row["sha256"] for row in rows] == contents(files)


def test_lists_and_tables_are_read_from_a_web_server(files, server, tmp_path):
    addresses = [f"{server}/clip-{index}.mp4" for index in (12, 3)]
    (files / "list.txt").write_text("\n".join(addresses))
    parquet.write_table(pa.table({"path": addresses}), files / "table.parquet")
    for name in ("list.txt", "table.parquet"):
        assert [row["path"] for row in rows_of(f"{server}/{name}", tmp_path / name)] == addresses
    for name, message in [("none.txt", "no such file"), ("none.csv", "none.csv"), ("broken/x.txt", "500"), ("broken/x.csv", "500")]:
        with pytest.raises(CorpusError, match=message):
            rows_of(f"{server}/{name}", tmp_path / "none")


def test_a_big_file_comes_whole(files, server, tmp_path):
    data = os.urandom(1 << 20) * 13
    (files / "big one.mp4").write_bytes(data)
    row = rows_of([f"{server}/big%20one.mp4?token=1"], tmp_path / "out")[0]
    assert row["error"] is None and row["sha256"] == hashlib.sha256(data).hexdigest()
    # The stub's tokens are made of the file's name, too.
    assert row["vqt"] == rows_of([files / "big one.mp4"], tmp_path / "path")[0]["vqt"]


def test_real_clips_of_a_web_server_have_the_tokens_of_their_files(clips, corpus, tmp_path):
    package("aiohttp")
    handler = functools.partial(Quiet, directory=str(clips))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        folder = f"http://127.0.0.1:{serving.server_port}"
        name = Path(to_arrow(corpus).column("path")[3].as_py()).name
        encode([f"{folder}/{name}", f"{folder}/broken.mp4"], tmp_path / "out", frames=4, tokens=8, workers=1)
        serving.shutdown()
    good, broken = to_arrow(tmp_path / "out").to_pylist()
    assert good["vqt"] == to_arrow(corpus).column("vqt")[3].as_py()
    assert broken["vqt"] is None and broken["error"] and broken["sha256"]


@pytest.mark.parametrize("which", [0, 1])
def test_an_archive_is_a_folder(which, archives, files, tmp_path, monkeypatch):
    archive = archives[which]
    protocol = ["zip", "tar"][which]
    source = f"{protocol}://::{archive}"
    rows = rows_of(source, tmp_path / "out")
    assert [row["path"] for row in rows] == [f"{protocol}://inside/clip-{index}.mp4::{archive}" for index in range(20)]
    assert [row["error"] for row in rows] == [None] * 20
    assert [row["sha256"] for row in rows] == contents(files)
    assert [row["vqt"] for row in rows] == [row["vqt"] for row in rows_of(files, tmp_path / "path")]
    # Beside the caller, whatever folder the workers are in.
    monkeypatch.chdir(tmp_path)
    row = rows_of([f"{protocol}://inside/clip-3.mp4::{archive.name}"], tmp_path / "relative")[0]
    assert row["sha256"] == rows[3]["sha256"]
    with pytest.raises(CorpusError, match=f"{protocol}://::"):
        rows_of(archive, tmp_path / "none")
    none = rows_of([f"{protocol}://inside/none.mp4::{archive}"], tmp_path / "none")[0]
    assert "no such file" in none["error"]


def test_what_cannot_be_fetched_is_a_row_that_says_why(files, server, tmp_path):
    memory = fsspec.filesystem("memory")
    memory.pipe("/videos/clip-1.mp4", b"content 1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 no archive")
    expected = {
        "memory://videos/clip-1.mp4": "workers are others",
        f"{server}/none.mp4": "no such file",
        f"{server}/broken/clip.mp4": "500",
        f"http://127.0.0.1:{port}/clip.mp4": str(port),
        "nothing://x.mp4": "nothing",
        (files / "none.mp4").as_uri(): "no such file",
        f"zip://a.mp4::{tmp_path / 'broken.zip'}": "zip",
        f"zip://a.mp4::{tmp_path / 'none.zip'}": "no such file",
        f"zip://a.mp4::{server}/none.zip": "no such file",
    }
    rows = rows_of(list(expected), tmp_path / "out", engine="local")
    for row, (place, message) in zip(rows, expected.items()):
        assert row["error"].startswith(place) and message in row["error"], row["error"]
        assert row["vqt"] is None


def test_a_web_server_that_falls_silent_is_not_waited_for(monkeypatch, tmp_path):
    package("aiohttp")
    monkeypatch.setattr(address, "HTTP_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1]}/clip.mp4"
        with pytest.raises(CorpusError, match="clip.mp4 cannot be read"), Contents(str(tmp_path)).open(place):
            pass


def test_a_source_that_cannot_be_read_is_refused(server, tmp_path):
    for source, message in [
        ("nothing://videos", "nothing"),
        (f"{server}/none/", "none"),
        (f"zip://::{tmp_path / 'none.zip'}", "no such file"),
        ("memory://none", "none"),
    ]:
        with pytest.raises(CorpusError, match=message):
            rows_of(source, tmp_path / "out")


def test_questions_are_read_from_an_address(corpus, files, server, tmp_path):
    path = to_arrow(corpus).column("path")[2].as_py()
    parquet.write_table(pa.table({"path": [path], "question": ["What moves?"]}), files / "questions.parquet")
    ask(corpus, tmp_path / "answers", f"{server}/questions.parquet", workers=1)
    assert [row["question"] for row in to_arrow(tmp_path / "answers").to_pylist()] == ["What moves?"]
    with pytest.raises(CorpusError, match="none.parquet"):
        ask(corpus, tmp_path / "other", f"{server}/none.parquet", workers=1)


def test_an_output_that_is_an_address_is_refused(files, tmp_path):
    for out in ("s3://bucket/out", "memory://out"):
        with pytest.raises((CorpusError, vqtoken.Error), match="address"):
            encode(files, out, loader=stub_model.load, workers=1)
