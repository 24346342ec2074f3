"""The program beside PyTorch, transformers and faiss on this machine: each in turn, round by round, as one table.

    pip install torch transformers faiss-cpu safetensors
    cargo build --release
    python benchmarks/compare.py --binary target/release/vqtoken [--rounds 3] [--isa avx2|avx512|amx] [--case vision ..]

A ratio is the peer's seconds by ours within one round; the table has the median over the rounds, and the least and the largest. `--isa` forces
both sides to an instruction set. Peers compute in f32, and in bf16 where the CPU multiplies that natively. Everything runs with two threads unless
`--threads` says otherwise. Keep the machine quiet: other programs cost the two sides differently.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

Seconds = dict[str, float]

# What oneDNN and ATen are forced to, beside VQTOKEN_ISA.
PEER_ISA = {
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "avx512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16", "ATEN_CPU_CAPABILITY": "avx512"},
    "amx": {},
}


def multiplies_bf16(isa: str | None) -> bool:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = {"avx2": [], "avx512": ["avx512_bf16"]}.get(isa or "amx", ["avx512_bf16", "amx_bf16"])
    return any(name in flags for name in names)


class Sides:
    """How the two sides are run."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        isa = arguments.isa
        self.environment = dict(os.environ, **({"VQTOKEN_ISA": isa, **PEER_ISA[isa]} if isa else {}))

    def run(self, *command: object) -> list[dict]:
        done = subprocess.run([*map(str, command)], env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def ours(self, *options: object) -> list[dict]:
        threads = ["--threads", self.arguments.threads]
        return self.run(self.arguments.binary, "--json", "bench", *options, *threads)

    def peer(self, *options: object) -> Seconds:
        script = Path(__file__).with_name("peer.py")
        return self.run(sys.executable, script, *options, "--threads", self.arguments.threads)[0]


def vision(sides: Sides, precision: str) -> Seconds:
    frames, random = ["--frames", sides.arguments.frames], ["--random", "onevision-0.5b"]
    if precision == "peer":
        options = ["vision", *frames, "--precision"]
        return {f"tower {dtype}": sides.peer(*options, dtype)["tower"] for dtype in sides.arguments.dtypes}
    (record,) = sides.ours("vision", *random, "--precision", precision, *frames, "--repeat", 1)
    return {f"tower {precision}": record["seconds_per_frame"]}


def language(sides: Sides, precision: str) -> Seconds:
    # One newline follows the visual tokens, which are what `--prompt` counts.
    positions = sides.arguments.prompt
    if precision == "peer":
        found: Seconds = {}
        for dtype in sides.arguments.dtypes:
            seconds = sides.peer("language", "--prompt", positions, "--precision", dtype)
            found |= {f"prefill of {positions} {dtype}": seconds[f"prefill of {positions}"], f"token {dtype}": seconds["token"]}
        return found
    options = ["--random", "onevision-0.5b", "--prompt", positions - 1, "--tokens", 16, "--rows", 16]
    prefill, decode = sides.ours("language", *options, "--precision", precision, "--repeat", 1)
    return {
        f"prefill of {positions} {precision}": prefill["seconds"],
        f"token {precision}": decode["seconds"],
        f"16 tokens at once {precision}": decode["seconds_of_rows"],
    }


def train(sides: Sides, precision: str) -> Seconds:
    if precision == "peer":
        return {"training step f32": sides.peer("train", "--repeat", 5)["training step"]}
    (record,) = sides.ours("train", "--repeat", 5)
    return {"training step f32": record["seconds_per_frame"]}


def quantize(sides: Sides, precision: str) -> Seconds:
    file = sides.arguments.tokens_file
    if precision == "peer":
        return {"32 codes f32": sides.peer("quantize", "--tokens-file", file, "--repeat", 3)["clusters"]}
    (record,) = sides.ours("quantize", "--tokens-file", file, "--case", "fixed", "--repeat", 5)
    return {"32 codes f32": record["seconds"]}


# Each case with the precisions of ours.
CASES = {
    "vision": (vision, ["f32", "bf16", "int8"]),
    "language": (language, ["f32", "bf16", "int8", "int4"]),
    "train": (train, ["f32"]),
    "quantize": (quantize, ["f32"]),
}


def write_tokens(file: Path) -> None:
    """23,328 tokens of 896 channels around 40 centres of unequal weight."""
    import numpy as np
    from safetensors.numpy import save_file

    random = np.random.default_rng(0)
    centres = random.standard_normal((40, 896))
    weights = random.random(40) ** 2
    labels = random.choice(40, 23_328, p=weights / weights.sum())
    tokens = centres[labels] + 0.7 * random.standard_normal((23_328, 896))
    save_file({"tokens": tokens.astype(np.float32)}, file)


def rounds_of(sides: Sides, case: str, rounds: int) -> list[tuple[Seconds, Seconds]]:
    """What ours and the peer took in each round."""
    measure, precisions = CASES[case]
    found = []
    for index in range(rounds):
        ours: Seconds = {}
        for precision in precisions:
            ours |= measure(sides, precision)
        found.append((ours, measure(sides, "peer")))
        print(f"{case}: round {index + 1} of {rounds}", file=sys.stderr)
    return found


def rows_of(rounds: list[tuple[Seconds, Seconds]]) -> list[str]:
    """Lines of the table: each of ours beside each peer of the same stage."""
    lines = []
    for name in rounds[0][0]:
        stage = name.rsplit(" ", 1)[0]
        ours = [ours[name] for ours, _ in rounds]
        peers = [peer for peer in rounds[0][1] if peer.rsplit(" ", 1)[0] == stage]
        for peer in peers or [None]:
            cells = [name, f"{statistics.median(ours):.4g}"]
            if peer is not None:
                ratios = [theirs[peer] / ours[name] for ours, theirs in rounds]
                theirs = statistics.median(theirs[peer] for _, theirs in rounds)
                ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
                cells += [f"{peer.rsplit(' ', 1)[1]}: {theirs:.4g}", ratio]
            else:
                token = [ours[f"token {name.rsplit(' ', 1)[1]}"] for ours, _ in rounds]
                ratio = statistics.median(16 * one / at_once for one, at_once in zip(token, ours))
                cells += ["one after the other", f"{ratio:.1f}"]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/vqtoken")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--isa", choices=PEER_ISA)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=81)
    parser.add_argument("--case", choices=CASES, nargs="+", default=list(CASES))
    arguments = parser.parse_args()
    arguments.dtypes = ["f32", "bf16"] if multiplies_bf16(arguments.isa) else ["f32"]
    with tempfile.TemporaryDirectory() as folder:
        arguments.tokens_file = Path(folder) / "tokens.safetensors"
        if "quantize" in arguments.case:
            write_tokens(arguments.tokens_file)
        sides = Sides(arguments)
        (peak,) = sides.run(arguments.binary, "--json", "bench", "peak")
        print(json.dumps(peak), file=sys.stderr)
        print("| seconds | ours | peer | ratio |\n| --- | --- | --- | --- |")
        for case in arguments.case:
            print("\n".join(rows_of(rounds_of(sides, case, arguments.rounds))), flush=True)
