"""The driver: rows of the plan to workers, their results to pieces.

Only the driver writes. Workers answer in any order; a piece is written when all of its rows are there, so at most the pieces that rows are
under way for are in memory.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

import vqtoken
from vqtoken.corpus import manifest
from vqtoken.corpus.engines import Engine, Resources
from vqtoken.corpus.errors import CorpusError
from vqtoken.corpus.station import FATAL, MODEL
from vqtoken.corpus.table import schema_of

if TYPE_CHECKING:
    import pyarrow

    from vqtoken.corpus.worker import Job, Row

CHUNK = 16
"""The most rows that go to a worker at a time."""
CHUNKS_PER_WORKER = 64
"""Chunks that there are for each worker where rows are few: the last ones wait for one another no longer than a chunk takes."""


@dataclass(frozen=True)
class Summary:
    """What a call did: rows of the corpus, those of them that this call did, rows of the corpus with an error, and pieces."""

    rows: int
    done_now: int
    failed: int
    pieces: int


def run(
    out: Path,
    job: Job,
    plan: pyarrow.Table,
    options: dict[str, Any],
    engine: Engine,
    resources: Resources,
    rows_per_piece: int,
    progress: Callable[[int, int], object] | None,
) -> Summary:
    """Does all rows of a plan that are not done, and returns what there is then.

    A plan that has grown since the first call is gone on with: new rows are appended to the corpus.
    """
    with manifest.open_folder(out, job.kind, options, vqtoken.__version__) as folder:
        rows = _extended(folder, plan)
        total = len(rows)
        pieces = [
            range(first, min(first + rows_per_piece, missing.stop))
            for missing in folder.manifest.missing()
            for first in range(missing.start, missing.stop, rows_per_piece)
        ]
        left = sum(map(len, pieces))
        done = total - left
        if progress is not None:
            progress(done, total)
        if pieces:
            chunk = max(1, min(CHUNK, left // (resources.most(8) * CHUNKS_PER_WORKER)))
            collector = _Collector(folder, job.kind, pieces)
            with closing(engine.run(job, list(_chunks(rows, pieces, chunk)), resources)) as results:
                for result in results:
                    done += collector.add(result)
                    if progress is not None:
                        progress(done, total)
            collector.finish()
        failed = sum(piece.failed for piece in folder.manifest.pieces)
        return Summary(total, left, failed, len(folder.manifest.pieces))


def _extended(folder: manifest.Folder, wanted: pyarrow.Table) -> pyarrow.Table:
    """The rows of the corpus: those planned so far, then those of `wanted` that are not among them."""
    parts = [parquet.ParquetFile(folder.path / plan.name).read() for plan in folder.manifest.plans]
    planned = pa.concat_tables([wanted.schema.empty_table(), *parts]).combine_chunks()
    if planned.equals(wanted):
        return planned
    known = Counter(_keys(planned))
    new = []
    for row, key in enumerate(_keys(wanted)):
        if known[key] > 0:
            known[key] -= 1
        else:
            new.append(row)
    if new:
        added = wanted.take(pa.array(new, pa.int64()))
        folder.add_plan(len(added), _parquet(added))
        planned = pa.concat_tables([planned, added]).combine_chunks()
    return planned


def _keys(table: pyarrow.Table) -> Iterator[tuple[Any, ...]]:
    for batch in table.to_batches(max_chunksize=4096):
        yield from zip(*(column.to_pylist() for column in batch.columns))


def _chunks(rows: pyarrow.Table, pieces: list[range], size: int) -> Iterator[pyarrow.Table]:
    for piece in pieces:
        for first in range(piece.start, piece.stop, size):
            chunk = rows.slice(first, min(size, piece.stop - first))
            numbers = pa.array(range(first, first + len(chunk)), pa.int64())
            yield chunk.add_column(0, "row", numbers)


class _Collector:
    """Gathers results, and writes each piece whose rows are all there."""

    def __init__(self, folder: manifest.Folder, kind: str, pieces: list[range]):
        self.folder = folder
        self.schema = schema_of(kind)
        self.pieces = pieces
        self.starts = [piece.start for piece in pieces]
        self.gathered: dict[int, dict[int, Row]] = {}
        self.written: set[int] = set()

    def add(self, results: pyarrow.Table) -> int:
        """Takes results, and returns how many of them are new: an engine may do a row again whose worker it lost."""
        new = 0
        for row in results.to_pylist():
            fatal, model, number = row.pop(FATAL), row.pop(MODEL), row["row"]
            if fatal is not None:
                raise CorpusError(fatal)
            if model is not None:
                self.folder.set_model(model)
            piece = self.pieces[bisect_right(self.starts, number) - 1]
            if piece.start in self.written:
                continue
            rows = self.gathered.setdefault(piece.start, {})
            new += number not in rows
            rows[number] = row
            if len(rows) == len(piece):
                self._write(piece, self.gathered.pop(piece.start))
        return new

    def finish(self) -> None:
        """Checks that every piece was written."""
        missing = sum(len(piece) for piece in self.pieces if piece.start not in self.written)
        if missing:
            raise CorpusError(f"the engine ended before {missing} rows were written: make the same call again to go on")

    def _write(self, piece: range, rows: dict[int, Row]) -> None:
        table = pa.Table.from_pylist([rows[number] for number in piece], schema=self.schema)
        failed = len(table) - table.column("error").null_count
        self.folder.add_piece(piece.start, len(piece), failed, _parquet(table))
        self.written.add(piece.start)


def _parquet(table: pyarrow.Table) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
