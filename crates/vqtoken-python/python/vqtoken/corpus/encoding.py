"""`encode`: a table of paths to a table of video tokens."""

from __future__ import annotations

import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from vqtoken import check_budget
from vqtoken.corpus.address import is_relative
from vqtoken.corpus.engines import Resources, engine as engine_of
from vqtoken.corpus.errors import CorpusError
from vqtoken.corpus.run import Summary, run
from vqtoken.corpus.source import Source, paths_of
from vqtoken.corpus.worker import EncodeJob, Loader, load_model

import pyarrow as pa

__all__ = ["encode"]

QUALITIES = ("exact", "bf16", "int8")


def encode(
    source: Source,
    out: str | PathLike[str],
    *,
    model: str | PathLike[str] | None = None,
    precision: str = "auto",
    engine: str = "local",
    column: str = "path",
    frames: int | None = None,
    fps: float | None = None,
    tokens: int | str | None = None,
    window: float | None = None,
    total: int | str | None = None,
    near_repeats: float = 0.0,
    seed: int = 0,
    quality: str = "bf16",
    rows_per_piece: int = 256,
    workers: int | tuple[int, int] | None = None,
    cpus_per_worker: float = 1.0,
    num_gpus: float = 0.0,
    progress: Callable[[int, int], object] | None = None,
    loader: Loader = load_model,
) -> Summary:
    """Encodes every video of `source` into the folder `out`, a row each, and goes on where an earlier call was killed.

    A video that cannot be encoded is a row with an error. `frames` to `seed` are those of `VideoLlm.encode`, and `quality` is that of the `.vqt`
    bytes. `workers` is a number, or the least and the most; each computes on `cpus_per_worker` threads. `progress(done, rows)` is called as
    results come. `loader` loads the model in a worker; another one may give any object with a method `encode`.

    Raises `CorpusError` where the source or the folder cannot be used, or the folder was begun with other options.
    """
    if frames is not None and fps is not None:
        raise CorpusError("frames= and fps= both say how a video is sampled: give one of them")
    if quality not in QUALITIES:
        raise CorpusError(f"unknown quality {quality!r}: expected {', '.join(QUALITIES)}")
    arguments: dict[str, Any] = {
        "frames": frames,
        "fps": fps,
        "tokens": None if tokens is None else check_budget(tokens),
        "window": window,
        "total": None if total is None else check_budget(total),
        "near_repeats": near_repeats,
        "seed": seed,
    }
    arguments = {name: value for name, value in arguments.items() if value is not None}
    paths = paths_of(source, column)
    base = os.getcwd()
    name = model_name(model)
    options = {"model": name, "precision": precision, "quality": quality, **arguments}
    if any(path is not None and is_relative(path) for path in _each(paths)):
        options["relative_to"] = base
    resources = Resources(workers, cpus_per_worker, num_gpus)
    job = EncodeJob(name, precision, resources.threads, loader, base, arguments, quality)
    check_rows_per_piece(rows_per_piece)
    plan = pa.table({"path": paths})
    return run(Path(out), job, plan, options, engine_of(engine), resources, rows_per_piece, progress)


def model_name(model: str | PathLike[str] | None) -> str | None:
    """A model as workers can load it from any folder: the absolute path of a directory, or a hub id as it is."""
    if model is None:
        return None
    name = os.fspath(model)
    return os.path.abspath(name) if os.path.exists(name) else name


def check_rows_per_piece(rows: int) -> None:
    """Refuses pieces without rows."""
    if rows < 1:
        raise CorpusError(f"rows_per_piece={rows}: give at least 1")


def _each(paths: pa.Array) -> Any:
    for start in range(0, len(paths), 4096):
        yield from paths.slice(start, 4096).to_pylist()
