"""Workers on this machine: a thread each that speaks with a station's process."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vqtoken.corpus.engines import Resources, cpus_here
from vqtoken.corpus.errors import CorpusError
from vqtoken.corpus.station import Station

if TYPE_CHECKING:
    import pyarrow

    from vqtoken.corpus.worker import Job


def run(job: Job, chunks: list[pyarrow.Table], resources: Resources) -> Iterator[pyarrow.Table]:
    """Results of all rows. `num_gpus` is refused: this engine gives out no GPUs."""
    if resources.num_gpus:
        raise CorpusError("the engine local gives out no GPUs: leave num_gpus out, or use the engine ray or daft")
    stations = [Station(job) for _ in range(min(resources.most(cpus_here()), len(chunks)))]
    waiting: queue.SimpleQueue[pyarrow.Table] = queue.SimpleQueue()
    for chunk in chunks:
        waiting.put(chunk)
    # Bounded, so that results do not pile up in front of a slow disk.
    results: queue.Queue[pyarrow.Table | BaseException] = queue.Queue(4 * len(stations))
    ended = threading.Event()

    def work(station: Station) -> None:
        try:
            while not ended.is_set():
                results.put(station(waiting.get_nowait()))
        except queue.Empty:
            pass
        except BaseException as error:
            results.put(error)

    threads = [threading.Thread(target=work, args=(station,), daemon=True) for station in stations]
    for thread in threads:
        thread.start()
    try:
        for _ in chunks:
            result = results.get()
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        ended.set()
        for station in stations:
            station.close()
        while any(thread.is_alive() for thread in threads):
            try:
                results.get(timeout=0.05)
            except queue.Empty:
                pass
