"""Kills at random moments: every run ends with the rows of an undisturbed one, each once.

`VQTOKEN_KILLS` is the number of kills of each kind, one by default.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import stub_model
from needed_packages import needs
from driver_process import RAY_ACCESS, REAL, ROWS_PER_PIECE, STUB, Model, Process, actors, model_processes, start_driver
from pyarrow import parquet

from vqtoken.corpus import encode, to_arrow

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="finds processes in /proc")

KILLS = int(os.environ.get("VQTOKEN_KILLS", "1"))
KILLS_PER_RUN = 4
"""Fewer than a row, or a model while it loads, may end its process (`station.ATTEMPTS`)."""
STARVED = "The current node timed out during startup"
"""What Ray says where a busy machine does not let it start within 30 s, a constant of its own: the call is made again."""
SECONDS = 900
"""A run that takes longer hangs."""

CLUSTER = """
import os, sys, ray
context = ray.init(address="local", include_dashboard=False, num_cpus=2, logging_level="warning")
print(context.address_info["gcs_address"], flush=True)
sys.stdin.read()
ray.shutdown()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, int]]:
    """A Ray that outlives its drivers: its address, and its process."""
    needs("ray")
    environment = {**os.environ, **RAY_ACCESS, "STUB_SECONDS": "0.05", "RAY_USAGE_STATS_ENABLED": "0"}
    # Again where a busy machine does not let Ray start: see STARVED.
    for _ in range(5):
        command = [sys.executable, "-c", CLUSTER]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin and process.stdout
        address = process.stdout.readline().strip()
        if address:
            break
        process.wait()
    assert address, "Ray does not start"
    yield address, process.pid
    process.stdin.close()
    process.wait(timeout=60)


def wait(condition, process: subprocess.Popen[bytes]) -> None:
    """Waits until a condition holds or a process ends."""
    start = time.monotonic()
    while not condition() and process.poll() is None:
        assert time.monotonic() - start < SECONDS, "the run hangs"
        time.sleep(0.01)


def pieces(out: Path) -> list[Path]:
    return sorted(out.glob("piece-*.parquet"))


def wait_for_moment(random_: random.Random, out: Path, left: range, process: subprocess.Popen[bytes]) -> None:
    """Every fifth moment is while the engine starts; the others are when some of the pieces that are `left` are there."""
    if random_.randrange(5) == 0:
        wait((out / "_manifest.jsonl").exists, process)
        time.sleep(random_.uniform(0, 5))
    else:
        before = random_.choice(left)
        wait(lambda: len(pieces(out)) >= before, process)
        time.sleep(random_.uniform(0, 0.1))


def kill(process: int) -> bool:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def check(out: Path, expected: pa.Table) -> None:
    """Every row is there once, for readers of the manifest and for readers of the folder."""
    assert to_arrow(out).equals(expected)
    files = pa.concat_tables([parquet.ParquetFile(piece).read() for piece in pieces(out)])
    assert files.equals(expected)
    assert list(out.glob("*.part")) == []


CASES = [
    pytest.param(engine, has_cluster, model, id=f"{engine}{'-cluster' * has_cluster}-{'stub' if model is STUB else 'model'}")
    for model in (STUB, REAL)
    for engine, has_cluster in (("local", False), ("ray", False), ("ray", True), ("daft", False))
    if model is STUB or (engine != "local" and not has_cluster)
]


@pytest.mark.parametrize("killed", ["driver", "worker"])
@pytest.mark.parametrize(("engine", "has_cluster", "model"), CASES)
def test_killed_runs_end_with_the_rows_of_an_undisturbed_one(
    killed: str, engine: str, has_cluster: bool, model: Model, files: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    needs(engine)
    address, cluster = request.getfixturevalue("cluster") if has_cluster else (None, None)
    if model is STUB:
        source, loader = files, {"loader": stub_model.load}
        for index in range(20, 96):
            (files / f"clip-{index}.mp4").write_bytes(f"content {index}".encode())
    else:
        source, loader = request.getfixturevalue("clips"), {}
    encode(source, tmp_path / "undisturbed", workers=1, rows_per_piece=ROWS_PER_PIECE, **loader, **dict(model.options))
    expected = to_arrow(tmp_path / "undisturbed")
    total = len(pieces(tmp_path / "undisturbed"))

    wanted = KILLS if model is STUB else max(1, KILLS // 4)
    kills = 0
    # Another seed each time, which the output tells.
    seed = random.randrange(1 << 32)
    random_ = random.Random(seed)
    for run in range(2 * wanted):
        out, log = tmp_path / f"out-{run}", tmp_path / f"log-{run}"
        of_run = min(KILLS_PER_RUN, wanted - kills)

        def driver() -> subprocess.Popen[bytes]:
            return start_driver(source, out, engine, model, log, address=address)

        process = driver()
        told = []
        for number in range(of_run):
            done = len(pieces(out))
            # Room for the kills that follow.
            left = range(done + 1, max(done + 2, done + 1 + (total - done) // (of_run - number + 1)))
            wait_for_moment(random_, out, left, process)
            where = cluster or process.pid
            if killed == "driver":
                below = model_processes(where)
                hit = process.poll() is None and kill(process.pid)
                process.wait()
                wait_for_end(below)
            else:
                victims: list[Process] = []
                # Ray's processes are killed as often as the models'.
                kinds = [model_processes, actors] if engine == "ray" else [model_processes]
                wait(lambda: victims.extend(random_.choice(kinds)(where)) or victims, process)
                hit = bool(victims) and kill(random_.choice(victims).number)
            kills += hit
            told.append(len(pieces(out)) if hit else None)
            if process.poll() is not None:
                if not hit:
                    break
                process = driver()
        print(f"seed {seed}, run {run}: killed at {told} of {total} pieces")
        for _ in range(5):
            if process.wait(timeout=SECONDS) == 0 or STARVED not in log.read_text():
                break
            log.write_text("")
            process = driver()
        assert process.returncode == 0, log.read_text()
        check(out, expected)
        if kills == wanted:
            return
    pytest.fail(f"only {kills} of {wanted} kills found a process")


def wait_for_end(processes: list[Process]) -> None:
    """Processes that hold a model end with the driver, however it ended."""
    start = time.monotonic()
    while any(process.is_alive() for process in processes):
        assert time.monotonic() - start < 60, "a process with a model outlives its driver"
        time.sleep(0.05)
