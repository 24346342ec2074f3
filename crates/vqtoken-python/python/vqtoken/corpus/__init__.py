"""Tables of video paths to tables of video tokens, on processes, Ray or Daft.

    import vqtoken.corpus

    vqtoken.corpus.encode("videos/", "tokens/")                                     # one row a video, Parquet in pieces
    vqtoken.corpus.ask("tokens/", "answers/", questions=["What moves?"])             # one row a question
    table = vqtoken.corpus.to_arrow("tokens/")

Called again after a kill, both go on where they were. The driver, the process that makes the call, plans and writes; workers encode.

| file | what |
| --- | --- |
| `source.py`, `address.py` | what to encode: folders, lists, tables; addresses of fsspec |
| `encoding.py`, `asking.py` | `encode` and `ask`: the driver's side |
| `run.py` | rows to workers, results to pieces |
| `manifest.py` | the folder: plan, pieces, manifest, lock |
| `engines/` | `local`, `ray` and `daft`: who runs workers |
| `station.py`, `child.py` | a worker: a process that holds the model, and the one that speaks with it |
| `worker.py`, `content.py` | what is done with a row; a video's file and its hash |
| `table.py` | columns, and corpora as Arrow and Lance |
| `command.py` | `python -m vqtoken corpus` |
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vqtoken.corpus.asking import ask
    from vqtoken.corpus.encoding import encode
    from vqtoken.corpus.errors import CorpusError, MissingPackageError
    from vqtoken.corpus.run import Summary
    from vqtoken.corpus.table import to_arrow, to_lance

__all__ = ["CorpusError", "MissingPackageError", "Summary", "ask", "encode", "to_arrow", "to_lance"]

_MODULES = {
    "CorpusError": "errors",
    "MissingPackageError": "errors",
    "Summary": "run",
    "ask": "asking",
    "encode": "encoding",
    "to_arrow": "table",
    "to_lance": "table",
}


# Workers import this package without pyarrow, which takes them memory and time.
def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
