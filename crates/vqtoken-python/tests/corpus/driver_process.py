"""Drivers as processes of their own, and the processes below them, so that both can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROWS_PER_PIECE = 2
RAY_ACCESS = {"RAY_AUTH_MODE": "token"}
"""A Ray that a process starts for itself asks for a token, which Ray keeps at home; who connects to it by address has to say so."""

CODE = """
import stub_model, vqtoken.corpus
options = {options!r}
if {is_stub}:
    options["loader"] = stub_model.load
vqtoken.corpus.encode({source!r}, {out!r}, engine={engine!r}, rows_per_piece={rows_per_piece}, workers=2, **options)
"""


@dataclass(frozen=True)
class Model:
    """Which model a driver's workers load, and the options of `encode`."""

    is_stub: bool
    options: tuple[tuple[str, Any], ...] = ()


STUB = Model(True)
REAL = Model(False, (("frames", 4), ("tokens", 8)))


def start_driver(
    source: Path, out: Path, engine: str, model: Model, log: Path, seconds: float = 0.05, address: str | None = None
) -> subprocess.Popen[bytes]:
    """Starts `encode`. A stub takes `seconds` a video. `address` is a Ray to connect to; without one the engine ray starts its own."""
    code = CODE.format(
        options=dict(model.options),
        is_stub=model.is_stub,
        source=str(source),
        out=str(out),
        engine=engine,
        rows_per_piece=ROWS_PER_PIECE,
    )
    environment = {**os.environ, "STUB_SECONDS": str(seconds)}
    if address is not None:
        environment |= {"RAY_ADDRESS": address, **RAY_ACCESS}
    with log.open("ab") as target:
        return subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], env=environment, stdout=target, stderr=target)


@dataclass(frozen=True)
class Process:
    """A process, and when it started, so that another one with its number is not taken for it."""

    number: int
    started: str
    command: str

    def is_alive(self) -> bool:
        return _read(self.number) is not None and self in descendants(None)


def descendants(process: int | None) -> list[Process]:
    """The living processes below one, or all of them."""
    found: dict[int, tuple[int, Process]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            entry = _read(int(name))
            if entry is not None:
                found[int(name)] = entry
    if process is None:
        return [entry for _, entry in found.values()]
    below = {process}
    # A process may be listed before its parent.
    while True:
        more = {number for number, (parent, _) in found.items() if parent in below} - below
        if not more:
            return [found[number][1] for number in sorted(below & found.keys() - {process})]
        below |= more


def _read(number: int) -> tuple[int, Process] | None:
    """A process and its parent; None where it has ended."""
    try:
        status = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (OSError, IndexError):
        return None
    if status[0] in "ZX":
        return None
    return int(status[1]), Process(number, status[19], command)


def model_processes(below: int) -> list[Process]:
    """Processes that hold a model."""
    return [process for process in descendants(below) if "vqtoken.corpus.child" in process.command]


def actors(below: int) -> list[Process]:
    """Ray's processes in which stations are."""
    return [process for process in descendants(below) if process.command.startswith("ray::") and "Station" in process.command]
