"""The process that holds a model: reads a job and then rows from standard input, and writes results to standard output.

    python -m vqtoken.corpus.child

Messages are pickles. The first answer is `("ready", MODEL_ID)` or `("failed", MESSAGE)`; then each row is answered by its result.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
from typing import Any, BinaryIO

from vqtoken.errors import Error


def main() -> None:
    # What libraries print must not come between the results.
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # Ctrl-C reaches the whole group of processes. The driver ends this one by closing its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, messages), daemon=True).start()
    try:
        worker = messages.get().start()
    except Exception as error:
        told = str(error) if isinstance(error, (Error, ValueError)) else f"{type(error).__name__}: {error}"
        _write(results, ("failed", told))
        return
    _write(results, ("ready", worker.model_id))
    while True:
        _write(results, worker(messages.get()))


def _read(source: BinaryIO, messages: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            messages.put(pickle.load(source))
    except EOFError:
        # Nobody waits for what is being computed.
        os._exit(0)
    except BaseException as error:
        print(f"a worker cannot read what it was sent: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


def _write(results: BinaryIO, message: Any) -> None:
    pickle.dump(message, results, protocol=5)
    results.flush()


if __name__ == "__main__":
    main()
