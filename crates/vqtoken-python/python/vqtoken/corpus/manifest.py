"""The folder of a corpus: what it was begun with, the plan, pieces and the lock.

| file | what |
| --- | --- |
| `_manifest.jsonl` | one line each: the options, parts of the plan, the model, pieces |
| `_plan-FIRST.parquet` | the rows to be done, from row FIRST on |
| `piece-FIRST.parquet` | the results of consecutive rows, from row FIRST on |
| `_lock` | locked by the driver at work |

Readers of folders of Parquet skip names that start with `_`. Files are written beside their place, synchronised and renamed; then a line names
them. A line is valid with its line break, so a kill at any moment leaves either the state before or the state after.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from vqtoken.corpus.errors import CorpusError

FORMAT = "vqtoken-corpus-1"
MANIFEST = "_manifest.jsonl"


@dataclass(frozen=True)
class Piece:
    """A file with the results of the rows `first..first + rows`."""

    name: str
    first: int
    rows: int
    failed: int
    bytes: int


@dataclass(frozen=True)
class Plan:
    """A file with the rows `first..first + rows` to be done."""

    name: str
    first: int
    rows: int


@dataclass
class Manifest:
    """What the manifest says. Pieces are in the order of their rows."""

    kind: str
    options: dict[str, Any]
    plans: list[Plan] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    model: str | None = None

    @property
    def rows(self) -> int:
        return sum(plan.rows for plan in self.plans)

    def missing(self) -> Iterator[range]:
        """Runs of rows that no piece holds."""
        start = 0
        for piece in self.pieces:
            if start < piece.first:
                yield range(start, piece.first)
            start = piece.first + piece.rows
        if start < self.rows:
            yield range(start, self.rows)


def read(folder: Path) -> Manifest:
    """The manifest of a corpus. Raises `CorpusError` where there is none."""
    try:
        data = (folder / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise CorpusError(f"{folder} is no corpus: it has no {MANIFEST}") from None
    manifest = _parse(folder, data[: data.rfind(b"\n") + 1])
    if manifest is None:
        raise CorpusError(f"{folder} is no corpus: its {MANIFEST} is empty")
    return manifest


class Folder:
    """The folder of a corpus under the driver's lock."""

    def __init__(self, path: Path, file: BinaryIO, manifest: Manifest):
        self.path = path
        self.manifest = manifest
        self._file = file

    def add_plan(self, rows: int, data: bytes) -> None:
        """Appends rows to the plan."""
        plan = Plan(f"_plan-{self.manifest.rows:09}.parquet", self.manifest.rows, rows)
        write_file(self.path / plan.name, data)
        self._append({"plan": asdict(plan)})
        self.manifest.plans.append(plan)

    def add_piece(self, first: int, rows: int, failed: int, data: bytes) -> None:
        """Makes rows done."""
        piece = Piece(f"piece-{first:09}.parquet", first, rows, failed, len(data))
        write_file(self.path / piece.name, data)
        self._append({"piece": asdict(piece)})
        self.manifest.pieces.append(piece)

    def set_model(self, model: str) -> None:
        """Notes which weights made the rows, and refuses others."""
        if self.manifest.model is None:
            self._append({"model": model})
            self.manifest.model = model
        if self.manifest.model != model:
            raise CorpusError(
                f"{self.path} was begun with the weights {self.manifest.model}, and the model's are now {model}: "
                "give another folder, or the model as it was"
            )

    def _append(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def open_folder(path: Path, kind: str, options: dict[str, Any], version: str) -> Iterator[Folder]:
    """Begins a corpus or goes on with it, as its only driver.

    Raises `CorpusError` where another driver is at work, or the corpus was begun with other options.
    """
    if re.match(r"[A-Za-z][\w+.-]+:/", path.as_posix()):  # A Path has one slash of the two. A drive has one letter.
        raise CorpusError(f"{path} is an address: the output is a folder of this machine or one mounted on it")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise CorpusError(f"{path} is a file: the output is a folder") from None
    with _locked(path), (path / MANIFEST).open("a+b") as file:
        file.seek(0)
        data = file.read()
        complete = data[: data.rfind(b"\n") + 1]
        if len(complete) < len(data):
            file.truncate(len(complete))
        manifest = _parse(path, complete)
        if manifest is not None and not manifest.pieces:
            # Nothing is done that other options could contradict.
            file.truncate(0)
            manifest = None
        if manifest is None:
            if not complete and any(path.glob("piece-*.parquet")):
                raise CorpusError(f"{path} holds pieces but no manifest: give another folder")
            manifest = Manifest(kind, options)
            folder = Folder(path, file, manifest)
            folder._append({"format": FORMAT, "kind": kind, "options": options, "version": version})
            _sync_folder(path)
        else:
            _check_options(path, manifest, kind, options)
            folder = Folder(path, file, manifest)
        _remove_unnamed(path, manifest)
        yield folder


def write_file(path: Path, data: bytes) -> None:
    """Writes a file so that it is there whole or not at all."""
    beside = path.with_name(f"_{path.name}.part")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    _sync_folder(path.parent)


def _parse(folder: Path, data: bytes) -> Manifest | None:
    manifest: Manifest | None = None
    for number, text in enumerate(data.splitlines(), 1):
        try:
            line = json.loads(text)
            if manifest is None:
                if line["format"] != FORMAT:
                    raise CorpusError(f"{folder} has the format {line['format']}; this version reads {FORMAT}")
                manifest = Manifest(line["kind"], line["options"])
            elif "plan" in line:
                manifest.plans.append(Plan(**line["plan"]))
            elif "piece" in line:
                manifest.pieces.append(Piece(**line["piece"]))
            else:
                manifest.model = line["model"]
        except (ValueError, KeyError, TypeError) as error:
            raise CorpusError(f"{folder / MANIFEST} is damaged in line {number}: {error}") from None
    if manifest is not None:
        manifest.pieces.sort(key=lambda piece: piece.first)
    return manifest


def _check_options(folder: Path, manifest: Manifest, kind: str, options: dict[str, Any]) -> None:
    if manifest.kind != kind:
        raise CorpusError(f"{folder} was made by {manifest.kind}, not by {kind}: give another folder")
    names = list(dict.fromkeys([*manifest.options, *options]))
    differences = [
        f"{name} was {manifest.options.get(name)!r} and is now {options.get(name)!r}"
        for name in names
        if manifest.options.get(name) != options.get(name)
    ]
    if differences:
        raise CorpusError(
            f"{folder} was begun with other options: {'; '.join(differences)}. Give those it was begun with, or another folder"
        )


def _remove_unnamed(folder: Path, manifest: Manifest) -> None:
    """Removes files that a killed driver wrote and no line names."""
    named = {file.name for file in [*manifest.plans, *manifest.pieces]}
    missing = [name for name in sorted(named) if not (folder / name).is_file()]
    if missing:
        raise CorpusError(f"{folder} lacks {missing[0]}, which its manifest names: put it back, or give another folder")
    for pattern in ("piece-*.parquet", "_plan-*.parquet", "_*.part"):
        for file in folder.glob(pattern):
            if file.name not in named:
                file.unlink()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock. The system drops it when the process ends in whatever way."""
    with (folder / "_lock").open("a+b") as file:
        try:
            _lock(file)
        except OSError:
            file.seek(0)
            holder = file.read(200).decode(errors="replace").strip()
            raise CorpusError(
                f"{folder} is being written by {holder or 'another process'}: wait for it, or give another folder"
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        file.flush()
        yield


def _lock(file: BinaryIO) -> None:
    try:
        import fcntl
    except ModuleNotFoundError:
        import msvcrt

        # Readers may read what is not locked, so the lock is far behind the text.
        file.seek(1 << 20)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
