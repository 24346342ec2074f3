"""What a worker does with a row: `EncodeJob` makes video tokens, `AskJob` answers a question about some.

A job is what the driver sends to workers; `start` loads the model there. Rows are dictionaries of plain values.
"""

from __future__ import annotations

import os
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from vqtoken.corpus.content import Contents

Row: TypeAlias = "dict[str, Any]"
Loader: TypeAlias = "Callable[[str | None, str, int], Any]"
"""Called with model, precision and threads; gives an object with the methods `encode` and `ask` of `VideoLlm`."""

KEPT_RESULTS = 64
"""Results that a worker keeps for rows with the same content."""


def load_model(model: str | None, precision: str, threads: int) -> Any:
    """Loads a `VideoLlm` that computes on so many threads."""
    import vqtoken

    vqtoken.set_threads(threads)
    return vqtoken.VideoLlm.load(model, precision=precision)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Job:
    """What every worker of a run is given."""

    kind: ClassVar[str]
    model: str | None
    precision: str
    threads: int
    loader: Loader
    base: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def load(self) -> Any:
        return self.loader(self.model, self.precision, self.threads)

    def start(self) -> Worker:
        raise NotImplementedError

    def failed(self, row: Row, error: str) -> Row:
        """The result of a row that went wrong."""
        raise NotImplementedError


@dataclass(frozen=True)
class EncodeJob(Job):
    """Rows `row`, `path` to rows of `table.VIDEOS`."""

    kind: ClassVar[str] = "encode"
    quality: str | None = None

    def start(self) -> Worker:
        return EncodeWorker(self)

    def failed(self, row: Row, error: str, sha256: str | None = None) -> Row:
        tokens = {"sha256": sha256, "duration": None, "codes": None, "vqt": None, "warnings": []}
        return {"row": row["row"], "path": row["path"], **tokens, "error": error}


@dataclass(frozen=True)
class AskJob(Job):
    """Rows `row`, `path`, `question`, `piece`, `index` to rows of `table.ANSWERS`."""

    kind: ClassVar[str] = "ask"

    def start(self) -> Worker:
        return AskWorker(self)

    def failed(self, row: Row, error: str) -> Row:
        return {**{name: row[name] for name in ("row", "path", "question")}, "answer": None, "error": error}


class Worker:
    """Holds a loaded model. Calling it never raises for what is wrong with a row."""

    model_id: str | None

    def __call__(self, row: Row) -> Row:
        raise NotImplementedError


class EncodeWorker(Worker):
    """Makes video tokens."""

    def __init__(self, job: EncodeJob):
        self.job = job
        self.model = job.load()
        self.model_id = getattr(self.model, "id", None)
        self.contents = Contents(job.base)
        self.results: OrderedDict[tuple[str, str], Row] = OrderedDict()
        _try_options(self.model, job)

    def __call__(self, row: Row) -> Row:
        sha256 = None
        try:
            with self.contents.open(row["path"]) as content:
                sha256 = content.sha256
                # The file's name is in the video tokens.
                key = (sha256, os.path.basename(content.file))
                if key not in self.results:
                    self.results[key] = self._encode(content.file)
                self.results.move_to_end(key)
                if len(self.results) > KEPT_RESULTS:
                    self.results.popitem(last=False)
                return {"row": row["row"], "path": row["path"], "sha256": sha256, **self.results[key]}
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # A panic of the compiled part is no Exception.
            return self.job.failed(row, _message(error), sha256)

    def _encode(self, file: str) -> Row:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            tokens = self.model.encode(file, **self.job.arguments)
        said = list(tokens.warnings)
        for warning in caught:
            if str(warning.message) not in said:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        return {
            "duration": tokens.duration,
            "codes": tokens.codes,
            "vqt": tokens.to_bytes(quality=self.job.quality),
            "warnings": said,
            "error": None,
        }


class AskWorker(Worker):
    """Answers questions about rows of a corpus of video tokens."""

    def __init__(self, job: AskJob):
        self.job = job
        self.model = job.load()
        self.model_id = getattr(self.model, "id", None)
        self.piece: tuple[str, Any] | None = None
        self.tokens: tuple[tuple[str, int], Any] | None = None

    def __call__(self, row: Row) -> Row:
        try:
            answer = self.model.ask(self._tokens(row["piece"], row["index"]), row["question"], **self.job.arguments)
            return {**self.job.failed(row, ""), "answer": answer, "error": None}
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # A panic of the compiled part is no Exception.
            return self.job.failed(row, _message(error))

    def _tokens(self, piece: str, index: int) -> Any:
        import vqtoken

        if self.piece is None or self.piece[0] != piece:
            from pyarrow import parquet

            with open(os.path.join(self.job.base, piece), "rb") as file:
                self.piece = piece, parquet.ParquetFile(file).read(["vqt"]).column("vqt")
        if self.tokens is None or self.tokens[0] != (piece, index):
            data = self.piece[1][index].as_py()
            if data is None:
                raise vqtoken.TokensError("the video has no tokens: its row in the corpus has the error")
            self.tokens = (piece, index), vqtoken.VideoTokens.from_bytes(data)
        return self.tokens[1]


def _try_options(model: Any, job: EncodeJob) -> None:
    """Encodes one black frame, so that options that fit no video fail once and not in every row."""
    import numpy as np

    import vqtoken

    if isinstance(model, vqtoken.VideoLlm):
        side = model.image_size
        # One frame has fewer tokens than many a budget; the driver has checked budgets.
        small = {name: 1 for name in ("tokens", "total") if name in job.arguments}
        arguments = {name: value for name, value in job.arguments.items() if name not in ("frames", "fps")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", vqtoken.VqtokenWarning)
            tokens = model.encode(np.zeros((1, side, side, 3), np.uint8), **{**arguments, **small})
        tokens.to_bytes(quality=job.quality)  # type: ignore[arg-type]


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__
