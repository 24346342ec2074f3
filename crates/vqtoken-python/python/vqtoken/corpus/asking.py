"""`ask`: a corpus of video tokens and questions to a table of answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from vqtoken.corpus import manifest
from vqtoken.corpus.address import is_address
from vqtoken.corpus.encoding import check_rows_per_piece, model_name
from vqtoken.corpus.engines import Resources, engine as engine_of
from vqtoken.corpus.errors import CorpusError
from vqtoken.corpus.run import Summary, run
from vqtoken.corpus.source import table_of
from vqtoken.corpus.worker import AskJob, Loader, load_model

import pyarrow as pa
from pyarrow import parquet

__all__ = ["ask"]

Questions: TypeAlias = "str | PathLike[str] | Iterable[str] | pa.Table"
"""Questions for every video, or a table (or its file) with the columns `path` and `question`."""


def ask(
    corpus: str | PathLike[str],
    out: str | PathLike[str],
    questions: Questions,
    *,
    model: str | PathLike[str] | None = None,
    precision: str = "auto",
    engine: str = "local",
    system: str | None = None,
    max_tokens: int = 128,
    temperature: float = 0.0,
    top_p: float = 1.0,
    top_k: int = 0,
    seed: int = 0,
    rows_per_piece: int = 256,
    workers: int | tuple[int, int] | None = None,
    cpus_per_worker: float = 1.0,
    num_gpus: float = 0.0,
    progress: Callable[[int, int], object] | None = None,
    loader: Loader = load_model,
) -> Summary:
    """Answers questions about the videos of a corpus into the folder `out`, a row a question. The videos are not needed.

    A list of questions is asked of every video. A table, or a Parquet, CSV or Arrow file of one, has a row for each question: `path`, as it is in
    the corpus, and `question`. The other arguments are those of `VideoLlm.ask` and of `encode`; killed calls go on likewise.
    """
    folder = Path(corpus)
    made = manifest.read(folder)
    if made.kind != "encode":
        raise CorpusError(f"{folder} holds answers: give the folder of video tokens")
    missing = sum(map(len, made.missing()))
    if missing:
        raise CorpusError(f"{folder} lacks {missing} of its {made.rows} rows: make the call that encodes it again")
    plan = _plan(folder, made, questions)
    arguments: dict[str, Any] = {
        "system": system,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "seed": seed,
    }
    arguments = {name: value for name, value in arguments.items() if value is not None}
    name, base = model_name(model), str(folder.resolve())
    options = {"model": name, "precision": precision, "corpus": base, **arguments}
    resources = Resources(workers, cpus_per_worker, num_gpus)
    check_rows_per_piece(rows_per_piece)
    job = AskJob(name, precision, resources.threads, loader, base, arguments)
    return run(Path(out), job, plan, options, engine_of(engine), resources, rows_per_piece, progress)


def _plan(folder: Path, made: manifest.Manifest, questions: Questions) -> pa.Table:
    """Rows `path`, `question`, `piece`, `index`: the video tokens are row `index` of the file `piece`."""
    places = [
        (path, piece.name, index)
        for piece in made.pieces
        for index, path in enumerate(parquet.ParquetFile(folder / piece.name).read(["path"]).column("path").to_pylist())
    ]
    table = _table(questions)
    if table is None:
        asked = _texts(questions)
        rows = [(path, question, piece, index) for path, piece, index in places for question in asked]
    else:
        of_path: dict[str, tuple[str, int]] = {}
        for path, piece, index in places:
            of_path.setdefault(path, (piece, index))
        pairs = list(zip(table.column("path").to_pylist(), table.column("question").to_pylist()))
        unknown = next((path for path, _ in pairs if path not in of_path), None)
        if unknown is not None:
            raise CorpusError(f"{unknown!r} is not in the corpus {folder}: paths are those of its column `path`")
        rows = [(path, question, *of_path[path]) for path, question in pairs]
    empty = next((path for path, question, _, _ in rows if not (question or "").strip()), None)
    if empty is not None or not rows:
        raise CorpusError("there is no question to ask" if empty is None else f"the question about {empty} is empty")
    columns = zip(*rows)
    types = {"path": pa.string(), "question": pa.string(), "piece": pa.string(), "index": pa.int64()}
    return pa.table({name: pa.array(column, kind) for (name, kind), column in zip(types.items(), columns)})


def _table(questions: Questions) -> pa.Table | None:
    """The questions as a table, if they are one."""
    needed = ["path", "question"]
    table, where = None, "the table of questions"
    if isinstance(questions, pa.Table):
        table = questions
    elif isinstance(questions, (str, PathLike)):
        where = os.fspath(questions)
        is_place = os.path.exists(where) or (is_address(where) and " " not in where)
        table = table_of(where, needed) if is_place else None
        if table is None and isinstance(questions, PathLike):
            raise CorpusError(f"{where} is no table of questions: give a Parquet, CSV or Arrow file")
    if table is not None and not set(needed) <= set(table.column_names):
        have = ", ".join(map(repr, table.column_names)) or "none"
        raise CorpusError(f"{where} lacks a column 'path' or 'question'; its columns are {have}")
    return table


def _texts(questions: Questions) -> list[str]:
    texts = [questions] if isinstance(questions, str) else list(questions)  # type: ignore[arg-type]
    if not all(isinstance(text, str) for text in texts):
        raise CorpusError("questions are texts, or a table with the columns `path` and `question`")
    return texts  # type: ignore[return-value]
