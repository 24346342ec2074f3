"""A model that does nothing, for what is tested of a corpus beside its model."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass, field


@dataclass
class StubTokens:
    data: bytes
    duration: float = 1.0
    codes: int = 4
    warnings: list[str] = field(default_factory=list)

    def to_bytes(self, *, quality: str | None = None) -> bytes:
        return self.data


class StubModel:
    """`tokens` of a file are the hash of its name and content; a file `bad` fails, and `kill` ends the process the first times."""

    id = "stub@1"

    def encode(self, file: str, **arguments: object) -> StubTokens:
        name = os.path.basename(file)
        if name.startswith("bad"):
            raise ValueError("a bad video")
        if name.startswith("kill"):
            os.kill(os.getpid(), 9)
        time.sleep(float(os.environ.get("STUB_SECONDS", "0")))
        with open(file, "rb") as source:
            content = source.read()
        return StubTokens(hashlib.sha256(name.encode() + content + repr(sorted(arguments.items())).encode()).digest())


def load(model: str | None, precision: str, threads: int) -> StubModel:
    if model == "missing":
        raise ValueError("no model of this name")
    return StubModel()
