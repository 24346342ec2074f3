"""Workers as actors of Ray Data.

Ray starts an actor again that was killed and gives it its rows again; the station within starts its process again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vqtoken.corpus.engines import Resources
from vqtoken.corpus.errors import CorpusError, need
from vqtoken.corpus.station import Station

if TYPE_CHECKING:
    import pyarrow

    from vqtoken.corpus.worker import Job


def run(job: Job, chunks: list[pyarrow.Table], resources: Resources) -> Iterator[pyarrow.Table]:
    """Results of all rows. Uses the Ray that this process is connected to, or else starts or finds one as `ray.init()` does."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = need("ray", "ray[data]", "the engine ray")
    data = need("ray.data", "ray[data]", "the engine ray")
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, logging_level="warning")
    try:
        cpus = ray.cluster_resources().get("CPU", 1)
        most = min(resources.most(cpus), len(chunks))
        least = resources.workers[0] if isinstance(resources.workers, tuple) else resources.workers or 1
        if min(least, most) * resources.cpus_per_worker > cpus and resources.workers is not None:
            raise CorpusError(
                f"{least} workers of {resources.cpus_per_worker:g} CPUs do not fit on {cpus:g} CPUs: give fewer workers= or cpus_per_worker="
            )
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        # A second chunk waits at each actor while it works on the first; more would make the last ones wait for one actor.
        actors = data.ActorPoolStrategy(min_size=min(least, most), max_size=most, max_tasks_in_flight_per_actor=2)
        results = data.from_arrow(chunks).map_batches(
            Station,
            fn_constructor_args=(job,),
            batch_size=None,
            batch_format="pyarrow",
            compute=actors,
            num_cpus=resources.cpus_per_worker,
            num_gpus=resources.num_gpus or None,
        )
        yield from results.iter_batches(batch_size=None, batch_format="pyarrow")
    finally:
        if started:
            ray.shutdown()
