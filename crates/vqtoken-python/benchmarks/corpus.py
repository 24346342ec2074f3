"""Corpora beside the bare binary, one JSON line a case.

    python benchmarks/corpus.py throughput --binary target/release/vqtoken [--clips 200] [--engines local ray daft]
    python benchmarks/corpus.py rows [--rows 100000]

`throughput` encodes the same clips by the binary and by each engine with two workers of one core, and counts the engine's seconds from its first
result on, and from the call on. The binary computes on two threads. `rows` plans and writes rows that are links to a few files, with a stub in
place of the model, and prints seconds and the driver's memory for half as many rows and for all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "corpus"))

import vqtoken.corpus
from driver_process import model_processes


def report(case: str, **figures: object) -> None:
    print(json.dumps({"case": case, **figures}), flush=True)


def workers_memory() -> int:
    """Resident bytes of this driver's processes that hold a model."""
    total = 0
    for process in model_processes(os.getpid()):
        try:
            status = Path(f"/proc/{process.number}/status").read_text()
            total += 1024 * int(status.split("VmRSS:")[1].split()[0])
        except (OSError, IndexError):
            pass
    return total


def throughput(binary: Path, clips: int, engines: list[str], folder: Path) -> None:
    subprocess.run([binary, "data", "shapes", "--out", folder / "shapes", "--clips", str(clips)], check=True, capture_output=True)
    videos = sorted((folder / "shapes" / "videos").glob("*.mp4"))

    def by_binary(name: str) -> float:
        start = time.perf_counter()
        subprocess.run([binary, "encode", *videos, "-o", folder / name], check=True, capture_output=True)
        return time.perf_counter() - start

    # In turns, so that what else the machine does slows both: each engine is beside the binary's runs before and after it.
    before = by_binary("before")
    for engine in engines:
        told: list[tuple[float, int, int]] = []
        start = time.perf_counter()
        vqtoken.corpus.encode(
            videos,
            folder / engine,
            engine=engine,
            workers=2,
            progress=lambda done, rows: told.append((time.perf_counter(), done, workers_memory())),
        )
        seconds = time.perf_counter() - start
        after = by_binary(f"{engine}-after")
        first, last = told[1], told[-1]
        up = (last[1] - first[1]) / (last[0] - first[0])
        bare = len(videos) / ((before + after) / 2)
        memory = [entry[2] // 2**20 for entry in told if entry[2]]
        report(
            "throughput",
            engine=engine,
            clips=len(videos),
            seconds=round(seconds, 2),
            clips_a_second_once_up=round(up, 2),
            binary=round(bare, 2),
            binary_before_and_after=[round(len(videos) / before, 2), round(len(videos) / after, 2)],
            load=round(os.getloadavg()[0], 1),
            share=round(up / bare, 3),
            share_with_start=round(len(videos) / seconds / bare, 3),
            megabytes_of_workers={"at a tenth": memory[len(memory) // 10], "at the end": memory[-1], "at most": max(memory)},
        )
        before = after


def rows(count: int, folder: Path) -> None:
    files = [folder / f"clip-{index}.mp4" for index in range(4)]
    for file in files:
        file.write_bytes(file.name.encode())
    for number in (count // 2, count):
        code = f"""
import resource, time, stub_model, vqtoken.corpus
links = [{str(folder)!r} + f"/clip-{{index % 4}}.mp4" for index in range({number})]
start = time.perf_counter()
summary = vqtoken.corpus.encode(links, {str(folder / f"out-{number}")!r}, loader=stub_model.load, workers=1, rows_per_piece=1000)
print(summary.rows, time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
        tests = sys.path[0]
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {tests!r})\n{code}"], check=True, capture_output=True, text=True
        )
        made, seconds, megabytes = map(float, done.stdout.split())
        report("rows", rows=int(made), seconds=round(seconds, 1), driver_megabytes=round(megabytes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cases = parser.add_subparsers(dest="case", required=True)
    case = cases.add_parser("throughput")
    case.add_argument("--binary", type=Path, required=True)
    case.add_argument("--clips", type=int, default=200)
    case.add_argument("--engines", nargs="+", default=["local", "ray", "daft"])
    cases.add_parser("rows").add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.case == "rows":
            rows(arguments.rows, Path(folder))
        else:
            throughput(arguments.binary.resolve(), arguments.clips, arguments.engines, Path(folder))


if __name__ == "__main__":
    main()
