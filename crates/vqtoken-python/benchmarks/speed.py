"""The package's speed beside others', one JSON line a case.

    pip install torch faiss-cpu scikit-learn          # what is missing is left out, and said
    python benchmarks/speed.py --binary target/release/vqtoken [--clip CLIP] [--runs 5]

Cases: `ask` and `encode` against the binary on one video (its own seconds, loading apart), `quantize` on 23,328 x 896 tokens of torch beside
faiss and scikit-learn in this process, and what a call costs beside its work. Each takes turns with its peer; medians are printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import vqtoken


def seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(case: str, **figures: object) -> None:
    print(json.dumps({"case": case, **figures}), flush=True)


def of_binary(binary: Path, *arguments: object) -> float:
    """Seconds of all stages but loading, as the binary measures them itself."""
    output = subprocess.run([binary, "--json", *map(str, arguments)], check=True, capture_output=True, text=True)
    stages = json.loads(output.stdout)["seconds"]
    return sum(value for name, value in stages.items() if name not in ("load", "all", "total"))


def videos(binary: Path, clip: Path, runs: int, folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", vqtoken.VqtokenWarning)
        model = vqtoken.VideoLlm.load()
    question = "Which way does the red circle move?"
    model.ask(clip, question)
    cases = {
        "ask": (lambda: model.ask(clip, question), ["ask", clip, question]),
        "encode": (lambda: model.encode(clip).to_bytes(), ["encode", clip, "-o", folder / "clip.vqt"]),
    }
    for case, (work, arguments) in cases.items():
        pairs = [(seconds_of(work), of_binary(binary, *arguments)) for _ in range(runs)]
        ours, theirs = (statistics.median(column) for column in zip(*pairs))
        share = statistics.median(binary_seconds / seconds for seconds, binary_seconds in pairs)
        report(case, python=round(ours, 4), binary=round(theirs, 4), share_of_the_binary=round(share, 3))


def mixture() -> np.ndarray:
    """40 Gaussian clusters of unequal size, `[23328, 896]`."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((40, 896), dtype=np.float32)
    labels = rng.choice(40, 32 * 729, p=rng.dirichlet(np.full(40, 0.7)))
    return centres[labels] + 0.8 * rng.standard_normal((32 * 729, 896), dtype=np.float32)


def quantizers(runs: int) -> None:
    tokens = mixture()
    try:
        import torch

        given = torch.from_numpy(tokens)
    except ImportError:
        report("quantize", note="torch is not installed: NumPy arrays instead")
        given = tokens
    units = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    cases: dict[str, Callable[[], object]] = {"vqtoken": lambda: vqtoken.quantize(given, 32)}
    try:
        import faiss

        faiss.omp_set_num_threads(vqtoken.threads())

        def by_faiss() -> None:
            kmeans = faiss.Kmeans(896, 32, niter=25, spherical=True, seed=1, max_points_per_centroid=10**9)
            kmeans.train(units)
            kmeans.index.search(units, 1)

        cases["faiss-spherical"] = by_faiss
    except ImportError:
        report("quantize", note="faiss is not installed")
    try:
        from sklearn.cluster import KMeans

        cases["sklearn-lloyd"] = lambda: KMeans(32, n_init=1, max_iter=50, random_state=0).fit(units)
    except ImportError:
        report("quantize", note="scikit-learn is not installed")
    seconds = {name: [] for name in cases}
    for _ in range(runs):
        for name, work in cases.items():
            seconds[name].append(seconds_of(work))
    medians = {name: round(statistics.median(values), 4) for name, values in seconds.items()}
    report("quantize", tokens=list(tokens.shape), codes=32, seconds=medians)
    pointer = vqtoken.TokenGrid(given).data.__array_interface__["data"][0]
    report("quantize-copies", copies=0 if pointer == tokens.__array_interface__["data"][0] else 1)


def call_overhead() -> None:
    tokens = np.random.default_rng(0).normal(size=(2, 2)).astype(np.float32)
    quantization = vqtoken.quantize(tokens, 1)
    calls = {
        "TokenGrid": lambda: vqtoken.TokenGrid(tokens),
        "codebook": lambda: quantization.codebook,
        "quantize": lambda: vqtoken.quantize(tokens, 1),
        "reduce": lambda: vqtoken.reduce(tokens, "uniform:1"),
    }
    for name, call in calls.items():
        rounds = [seconds_of(lambda: [call() for _ in range(1000)]) / 1000 for _ in range(5)]
        report("call", name=name, microseconds=round(statistics.median(rounds) * 1e6, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = arguments.clip or Path(folder) / "demo.mp4"
        if arguments.clip is None:
            subprocess.run([arguments.binary, "demo", "-o", clip], check=True, capture_output=True)
        videos(arguments.binary, clip, arguments.runs, Path(folder))
    quantizers(arguments.runs)
    call_overhead()


if __name__ == "__main__":
    main()
