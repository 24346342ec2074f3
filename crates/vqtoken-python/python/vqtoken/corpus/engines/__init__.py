"""Engines: who runs workers. Each gives tables of rows to stations and yields their results in any order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from vqtoken.corpus.errors import CorpusError

if TYPE_CHECKING:
    import pyarrow

    from vqtoken.corpus.worker import Job

ENGINES = ("local", "ray", "daft")


@dataclass(frozen=True)
class Resources:
    """What workers get. `workers` is a number, or the least and the most; None is what the machine or cluster has room for."""

    workers: int | tuple[int, int] | None = None
    cpus_per_worker: float = 1.0
    num_gpus: float = 0.0

    def __post_init__(self) -> None:
        least, most = self.workers if isinstance(self.workers, tuple) else (self.workers, self.workers)
        if least is not None and most is not None and not 1 <= least <= most:
            raise CorpusError(f"workers={self.workers!r}: give a number of at least 1, or (least, most)")
        if not self.cpus_per_worker > 0:
            raise CorpusError(f"cpus_per_worker={self.cpus_per_worker}: give more than 0, such as 1 or 0.5")
        if not self.num_gpus >= 0:
            raise CorpusError(f"num_gpus={self.num_gpus}: give 0 or more")

    @property
    def threads(self) -> int:
        """Threads that a worker may compute on."""
        return max(1, int(self.cpus_per_worker))

    def most(self, cpus: float) -> int:
        """The most workers, where there are so many CPUs."""
        if self.workers is None:
            return max(1, int(cpus // self.cpus_per_worker))
        return self.workers[1] if isinstance(self.workers, tuple) else self.workers


class Engine(Protocol):
    """A module of this package."""

    def run(self, job: Job, chunks: list[pyarrow.Table], resources: Resources) -> Iterator[pyarrow.Table]:
        """Results of all rows, a table for one or more chunks. Closing the iterator ends the workers."""


def engine(name: str) -> Engine:
    """An engine by its name."""
    if name not in ENGINES:
        raise CorpusError(f"unknown engine {name!r}: expected {', '.join(ENGINES)}")
    return cast(Engine, import_module(f"vqtoken.corpus.engines.{name}"))


def cpus_here() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
