"""Searches many moments with other engines, beside `bench_moments`, which writes the vectors:

    pip install lancedb sqlite-vec apsw usearch numpy
    cargo build --release -p vqtoken-archive --example bench_moments
    target/release/examples/bench_moments 100000 1152 ARCHIVE DATA
    python benchmarks/moments.py DATA 1152

Each engine builds in one process and searches in a fresh one, with two threads, on the same vectors and queries. Recall at 10 is against an exact
scan. A line of JSON for each: seconds to add (an index included), milliseconds of a query, bytes on the disk, resident memory while it searches.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS", "LANCE_CPU_THREADS", "TOKIO_WORKER_THREADS"):
    os.environ.setdefault(variable, "2")

import numpy as np

TOP = 10
BATCH = 20_000


class LanceDB:
    """A table without an index, or with IVF_PQ and exact distances of 50 times as many candidates as are asked for."""

    def __init__(self, folder: Path, features: int, index: bool):
        import lancedb

        self.features, self.index, self.database = features, index, lancedb.connect(folder)

    def build(self, batches):
        import pyarrow as pa

        schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float32(), self.features))])

        def tables():
            start = 0
            for batch in batches:
                values = pa.FixedSizeListArray.from_arrays(pa.array(batch.ravel()), self.features)
                yield pa.RecordBatch.from_arrays([pa.array(range(start, start + len(batch))), values], schema=schema)
                start += len(batch)

        table = self.database.create_table("moments", pa.RecordBatchReader.from_batches(schema, tables()))
        if self.index:
            table.create_index(metric="dot", index_type="IVF_PQ")

    def open(self):
        self.table = self.database.open_table("moments")

    def search(self, query):
        found = self.table.search(query).distance_type("dot").select(["id"]).limit(TOP)
        if self.index:
            found = found.nprobes(20).refine_factor(50)
        return [row["id"] for row in found.to_list()]


class SqliteVec:
    """A virtual table, scanned."""

    def __init__(self, folder: Path, features: int):
        # Many builds of Python's own `sqlite3` cannot load extensions.
        import apsw
        import sqlite_vec

        self.features, self.database = features, apsw.Connection(str(folder / "moments.sqlite"))
        self.database.enable_load_extension(True)
        self.database.load_extension(sqlite_vec.loadable_path())

    def build(self, batches):
        self.database.execute(f"create virtual table moments using vec0(vector float[{self.features}])")
        start = 0
        for batch in batches:
            rows = ((start + index, vector.tobytes()) for index, vector in enumerate(batch))
            with self.database:
                self.database.executemany("insert into moments(rowid, vector) values (?, ?)", rows)
            start += len(batch)

    def open(self):
        pass

    def search(self, query):
        sql = "select rowid from moments where vector match ? and k = ?"
        return [row for (row,) in self.database.execute(sql, (query.tobytes(), TOP))]


class USearch:
    """HNSW of int8, with the library's own settings, mapped from the disk."""

    def __init__(self, folder: Path, features: int):
        self.path, self.features = folder / "moments.usearch", features

    def build(self, batches):
        from usearch.index import Index

        index, start = Index(ndim=self.features, metric="ip", dtype="i8"), 0
        for batch in batches:
            index.add(np.arange(start, start + len(batch)), batch, threads=2)
            start += len(batch)
        index.save(self.path)

    def open(self):
        from usearch.index import Index

        self.index = Index.restore(self.path, view=True)

    def search(self, query):
        return self.index.search(query, TOP, threads=2).keys.tolist()


ENGINES = {
    "lancedb": lambda folder, features: LanceDB(folder, features, index=False),
    "lancedb-ivf-pq": lambda folder, features: LanceDB(folder, features, index=True),
    "sqlite-vec": SqliteVec,
    "usearch": USearch,
}


def read(data: Path, name: str, features: int) -> np.ndarray:
    return np.memmap(data / name, dtype="<f4", mode="r").reshape(-1, features)


def exact(base: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The ten best moments of each query, `[queries, 10]`."""
    scores, ids = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
    for start in range(0, len(base), BATCH):
        block = queries @ base[start : start + BATCH].T
        scores = np.hstack([scores, block])
        ids = np.hstack([ids, np.tile(np.arange(start, start + block.shape[1]), (len(queries), 1))])
        best = np.argsort(-scores, axis=1)[:, :TOP]
        scores, ids = np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)
    return ids


def resident() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def build(engine: str, data: Path, features: int, folder: Path) -> dict:
    base = read(data, "base.f32", features)
    start = time.perf_counter()
    ENGINES[engine](folder, features).build(np.array(base[at : at + BATCH]) for at in range(0, len(base), BATCH))
    return {"add_seconds": round(time.perf_counter() - start, 1)}


def search(engine: str, data: Path, features: int, folder: Path, count: int) -> dict:
    queries, truth = np.array(read(data, "queries.f32", features))[:count], np.load(data / "truth.npy")
    opened = ENGINES[engine](folder, features)
    opened.open()
    opened.search(queries[0])
    times, hits, most = [], 0, 0
    for query, expected in zip(queries, truth):
        start = time.perf_counter()
        found = opened.search(query)
        times.append(time.perf_counter() - start)
        hits += len(set(found) & set(expected.tolist()))
        most = max(most, resident())
    return {
        "median_ms": round(1e3 * float(np.median(times)), 2),
        "p95_ms": round(1e3 * float(np.quantile(times, 0.95)), 2),
        "recall_at_10": round(hits / (TOP * len(queries)), 4),
        "resident_most": most,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("features", type=int)
    parser.add_argument("--engines", default=",".join(ENGINES), help="separated by commas")
    parser.add_argument("--queries", type=int, default=200, help="how many of the queries are asked; a scan of a million takes seconds")
    parser.add_argument("--part", choices=["build", "search"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    data, features = arguments.data, arguments.features
    if arguments.part:
        folder = data / arguments.engines
        if arguments.part == "build":
            result = build(arguments.engines, data, features, folder)
        else:
            result = search(arguments.engines, data, features, folder, arguments.queries)
        print(json.dumps(result))
        return
    base = read(data, "base.f32", features)
    np.save(data / "truth.npy", exact(base, np.array(read(data, "queries.f32", features))))
    for engine in arguments.engines.split(","):
        folder = data / engine
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        result = {"engine": engine, "n": len(base), "d": features}
        for part in ("build", "search"):
            command = [sys.executable, __file__, str(data), str(features), "--engines", engine]
            command += ["--queries", str(arguments.queries), "--part", part]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            result |= json.loads(output.splitlines()[-1])
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        print(json.dumps(result | {"bytes_per_moment": round(size / len(base))}), flush=True)


if __name__ == "__main__":
    main()
