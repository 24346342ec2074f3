"""Workers as instances of a class of Daft, on its runner for this machine or the one for Ray."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vqtoken.corpus.engines import Resources, cpus_here
from vqtoken.corpus.errors import need
from vqtoken.corpus.station import Station, transport_schema

if TYPE_CHECKING:
    import pyarrow

    from vqtoken.corpus.worker import Job


def run(job: Job, chunks: list[pyarrow.Table], resources: Resources) -> Iterator[pyarrow.Table]:
    """Results of all rows. Daft has no autoscaling: of `workers=(least, most)` there are `most`."""
    daft = need("daft", "daft", "the engine daft")
    names = chunks[0].column_names
    schema = transport_schema(job.kind)
    size = max(map(len, chunks))

    # In this process: the work is in the stations' processes.
    @daft.cls(max_concurrency=min(resources.most(cpus_here()), len(chunks)), gpus=resources.num_gpus, use_process=False)
    class Worker:
        def __init__(self) -> None:
            self.station = Station(job)

        @daft.method.batch(return_dtype=daft.DataType.from_arrow_type(pa.struct(list(schema))), batch_size=size)
        def results(self, *columns: Any) -> Any:
            rows = pa.table({name: column.to_arrow() for name, column in zip(names, columns)})
            return self.station(rows).to_struct_array().combine_chunks()

    rows = daft.from_arrow(pa.concat_tables(chunks)).into_batches(size)
    results = rows.select(Worker().results(*(daft.col(name) for name in names)).alias("result"))
    for batch in results.to_arrow_iter():
        yield pa.Table.from_struct_array(batch.column("result")).cast(schema)
