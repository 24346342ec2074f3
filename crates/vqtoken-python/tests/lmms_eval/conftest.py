"""A tiny benchmark, and runs of lmms-eval and `vqtoken eval` on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lmms_eval")

from make_benchmark import make  # noqa: E402

Run = tuple[list[dict[str, Any]], dict[str, Any]]
"""Samples in the order of the questions, and results."""


@pytest.fixture(scope="session")
def golden() -> Path:
    """The golden set of the project, or the one that VQTOKEN_GOLDEN names."""
    named = os.environ.get("VQTOKEN_GOLDEN")
    return Path(named) if named else Path(__file__).resolve().parents[4] / "golden" / "a"


@pytest.fixture(scope="session")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve questions about three clips of moving shapes."""
    folder = tmp_path_factory.mktemp("lmms_eval")
    options = ["--clips", "6", "--test", "0.5", "--validation", "0.2", "--questions", "4"]
    vqtoken("data", "shapes", "--out", str(folder / "shapes"), *options)
    assert make(folder / "shapes", folder / "benchmark") == 12
    return folder / "benchmark"


@pytest.fixture
def lmms_eval(benchmark: Path, tmp_path: Path) -> Callable[..., dict[str, Run]]:
    """Runs lmms-eval; what it made of each task."""

    def run(model: str, arguments: str, *tasks: str) -> dict[str, Run]:
        command = [sys.executable, "-m", "lmms_eval", "--model", model, "--model_args", arguments]
        command += ["--tasks", ",".join(tasks), "--include_path", str(benchmark / "tasks"), "--batch_size", "1"]
        command += ["--output_path", str(tmp_path / "out"), "--log_samples"]
        done = called(command, {"HF_HOME": str(benchmark), "HF_HUB_OFFLINE": "1"})
        # Its exit code is 0 whatever happened.
        results = next((tmp_path / "out").rglob("*_results.json"), None)
        assert results, done.stdout[-3000:] + done.stderr[-3000:]
        scores = json.loads(results.read_text())["results"]
        found = {}
        for task in tasks:
            (samples,) = (tmp_path / "out").rglob(f"*_samples_{task}.jsonl")
            found[task] = lines(samples), scores[task]
        return found

    return run


@pytest.fixture
def vqtoken_eval(benchmark: Path, tmp_path: Path) -> Callable[..., Run]:
    """Runs `vqtoken eval TASK`."""

    def run(task: str, *options: str) -> Run:
        samples = tmp_path / f"{task}.jsonl"
        output = vqtoken("eval", task, "--data", str(benchmark), "--samples", str(samples), "--json", *options)
        return lines(samples), json.loads(output.splitlines()[-1])

    return run


def vqtoken(*arguments: str) -> str:
    """The output of a command of `vqtoken`."""
    return called([sys.executable, "-m", "vqtoken", *arguments]).stdout


def called(command: list[str], environment: dict[str, str] = {}) -> subprocess.CompletedProcess[str]:  # noqa: B006
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    assert result.returncode == 0, f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result


def lines(path: Path) -> list[dict[str, Any]]:
    return sorted(map(json.loads, path.read_text().splitlines()), key=lambda sample: sample["doc_id"])
