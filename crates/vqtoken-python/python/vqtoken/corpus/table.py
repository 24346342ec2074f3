"""The columns of a corpus, and a corpus as an Arrow table or a Lance data set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqtoken.corpus.errors import CorpusError, need

if TYPE_CHECKING:
    import pyarrow

need("pyarrow", "pyarrow", "a corpus")

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as parquet  # noqa: E402

from vqtoken.corpus import manifest  # noqa: E402

__all__ = ["ANSWERS", "VIDEOS", "schema_of", "to_arrow", "to_lance"]

VIDEOS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("duration", pa.float64()),
        ("codes", pa.int32()),
        ("vqt", pa.binary()),
        ("warnings", pa.list_(pa.string())),
        ("error", pa.string()),
    ]
)
"""A row a video: its place in the source, the path as given, the hash of the file, seconds, the number of codes, the bytes of a `.vqt` file,
what the decoder had to say, and why there are no tokens."""

ANSWERS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        ("path", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("error", pa.string()),
    ]
)
"""A row a question."""


def schema_of(kind: str) -> pyarrow.Schema:
    """The columns of a corpus of a kind, `"encode"` or `"ask"`."""
    return {"encode": VIDEOS, "ask": ANSWERS}[kind]


def pieces(corpus: str | PathLike[str], columns: list[str] | None = None) -> Iterator[pyarrow.Table]:
    """The pieces that the manifest names, in the order of their rows."""
    folder = Path(corpus)
    for piece in manifest.read(folder).pieces:
        yield parquet.ParquetFile(folder / piece.name).read(columns)


def to_arrow(corpus: str | PathLike[str], columns: list[str] | None = None) -> pyarrow.Table:
    """All rows that are done, in the order of the source. `columns` limits what is read."""
    schema = schema_of(manifest.read(Path(corpus)).kind)
    if columns is not None:
        unknown = [name for name in columns if name not in schema.names]
        if unknown:
            raise CorpusError(f"{corpus} has no column {unknown[0]!r}; its columns are {', '.join(schema.names)}")
        schema = pa.schema([schema.field(name) for name in columns])
    return pa.concat_tables([schema.empty_table(), *pieces(corpus, columns)])


def to_lance(corpus: str | PathLike[str], address: str | PathLike[str], **options: Any) -> Any:
    """Writes all rows that are done as a Lance data set and returns it. `options` go to `lance.write_dataset`.

    Raises `CorpusError` where Lance cannot write, such as where there is a data set already and `mode` is not `"overwrite"` or `"append"`.
    """
    lance = need("lance", "pylance", "to_lance")
    schema = schema_of(manifest.read(Path(corpus)).kind)
    batches = (batch for piece in pieces(corpus) for batch in piece.to_batches())
    reader = pa.RecordBatchReader.from_batches(schema, batches)
    try:
        return lance.write_dataset(reader, str(address), **options)
    except (OSError, ValueError) as error:
        told = re.sub(r", \S+\.rs:\d+:\d+$", "", str(error))  # The line of Lance's own source.
        remedy = '; give mode="overwrite" or another address' if "already exists" in told else ""
        raise CorpusError(f"{address} cannot be written by Lance: {told}{remedy}") from error
