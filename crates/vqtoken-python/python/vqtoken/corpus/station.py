"""What an engine calls: a worker's place, with a process of its own that holds the model.

The process keeps the engine out of reach of a video that kills its worker (by memory, or a fault in native code): the process is started again,
and a row that was there each time becomes a row with an error.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vqtoken.corpus.errors import CorpusError
from vqtoken.corpus.table import schema_of

if TYPE_CHECKING:
    import pyarrow

    from vqtoken.corpus.worker import Job, Row

ATTEMPTS = 5
"""Processes that a row may end before it is given up. More than one, because a process may be killed for reasons that are not the row's."""

FATAL, MODEL = "_fatal", "_model"
"""Columns beside the results: why the run must end, and the id of the model."""


def transport_schema(kind: str) -> pyarrow.Schema:
    """The columns that stations give."""
    return schema_of(kind).append(pa.field(FATAL, pa.string())).append(pa.field(MODEL, pa.string()))


class Station:
    """Gives tables of rows to a process and returns tables of results."""

    def __init__(self, job: Job):
        self.job = job
        self._schema = transport_schema(job.kind)
        self._process: subprocess.Popen[bytes] | None = None
        self._model: str | None = None
        self._closed = False

    def __call__(self, rows: pyarrow.Table) -> pyarrow.Table:
        """The results of rows. Raises only if this station was closed."""
        try:
            results = [{**self._result(row), MODEL: self._model} for row in rows.to_pylist()]
        except LoadError as error:
            results = [{**self.job.failed(row, str(error)), FATAL: str(error)} for row in rows.to_pylist()[:1]]
        return pa.Table.from_pylist(results, schema=self._schema)

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        self._closed = True
        if self._process is not None:
            self._process.kill()

    def _result(self, row: Row) -> Row:
        for _ in range(ATTEMPTS):
            process = self._process or self._start()
            try:
                return _exchange(process, row)
            except (EOFError, OSError, pickle.UnpicklingError):
                ended = _end(process)
                self._process = None
                if self._closed:
                    raise CorpusError("the worker was stopped") from None
        return self.job.failed(row, f"the worker's process ended {ATTEMPTS} times at this row, last by {ended}")

    def _start(self) -> subprocess.Popen[bytes]:
        for _ in range(ATTEMPTS):
            process = _spawn()
            self._process = process
            weakref.finalize(self, process.kill)
            if self._closed:
                process.kill()
                raise CorpusError("the worker was stopped")
            try:
                state, told = _exchange(process, self.job)
            except (EOFError, OSError, pickle.UnpicklingError):
                ended = _end(process)
                self._process = None
                continue
            if state == "failed":
                _end(process)
                raise LoadError(told)
            self._model = told
            return process
        raise LoadError(f"the worker's process ended {ATTEMPTS} times while it loaded the model, last by {ended}")


class LoadError(CorpusError):
    """The model cannot be loaded, or the options fit no video."""


def _spawn() -> subprocess.Popen[bytes]:
    # A new interpreter and not multiprocessing: a script that calls encode() without a guard would start itself again.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    command = [sys.executable, "-m", "vqtoken.corpus.child"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


def _exchange(process: subprocess.Popen[bytes], message: Any) -> Any:
    assert process.stdin is not None and process.stdout is not None
    pickle.dump(message, process.stdin, protocol=5)
    process.stdin.flush()
    return pickle.load(process.stdout)


def _end(process: subprocess.Popen[bytes]) -> str:
    """Ends a process, and says how it ended."""
    process.kill()
    process.stdout.close()  # type: ignore[union-attr]
    try:
        process.stdin.close()  # type: ignore[union-attr]
    except OSError:
        pass  # What was left in its buffer has no reader.
    code = process.wait()
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
