"""What to encode: folders, lists, text files and tables, as one column of paths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from vqtoken.corpus.address import ARCHIVES, filesystem, is_address, name_of, unreadable, within
from vqtoken.corpus.errors import CorpusError, need

if TYPE_CHECKING:
    import pyarrow

need("pyarrow", "pyarrow", "a corpus")

import pyarrow as pa  # noqa: E402
import pyarrow.compute as compute  # noqa: E402

__all__ = ["VIDEO_EXTENSIONS", "Source", "paths_of", "table_of"]

Source: TypeAlias = "str | PathLike[str] | Iterable[str | PathLike[str]] | pyarrow.Table"
"""A folder, a video, a text file of paths, a Parquet, CSV or Arrow file, a list of paths, or a table."""

VIDEO_EXTENSIONS = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .flv .wmv .mpg .mpeg .ts .m2ts .mts .ogv .3gp .y4m .gif .mxf .vob .asf".split()
)


def paths_of(source: Source, column: str = "path") -> pyarrow.Array:
    """The paths of a source, `[rows]` of strings, as they were given.

    A folder, of this machine or an fsspec address (`zip://::videos.zip` is all of an archive), is walked in natural order (`clip-2` before
    `clip-10`) for files with the extension of a video. A text file has a path a line. Tables have their paths in `column`.
    """
    if isinstance(source, (str, PathLike)):
        paths = _paths_at(os.fspath(source), column)
    elif isinstance(source, (pa.Table, pa.RecordBatch)):
        paths = _column(source, column, "the table")
    else:
        try:
            paths = pa.array([None if path is None else os.fspath(path) for path in source], pa.string())
        except (TypeError, pa.ArrowException) as error:
            raise CorpusError(f"a source is a path, a list of paths or a pyarrow Table: {error}") from None
    if not len(paths):
        raise CorpusError(f"no videos in {source if isinstance(source, (str, PathLike)) else 'the source'}")
    return paths


def table_of(address: str, columns: list[str]) -> pyarrow.Table | None:
    """The table in a Parquet, CSV, TSV or Arrow file; None where the name has another extension.

    Of a Parquet file only `columns` are read; where it lacks one of them, no row is.
    """
    reader = _READERS.get(_extension(address))
    if reader is None:
        return None
    try:
        return reader(address, columns)
    except pa.ArrowException as error:
        raise CorpusError(f"{address} cannot be read as a table: {error}") from error
    except CorpusError:
        raise
    except Exception as error:  # File systems of fsspec have exceptions of their own.
        raise unreadable(address, error) from error


def _paths_at(address: str, column: str) -> pyarrow.Array:
    if not is_address(address) and os.path.isdir(address):
        return pa.array(_walk(address), pa.string())
    table = table_of(address, [column])
    if table is not None:
        return _column(table, column, address)
    # Before a look whether it is a folder: over http that reads the whole of what is there.
    extension = _extension(address)
    if extension in VIDEO_EXTENSIONS:
        return pa.array([address], pa.string())
    if is_address(address) and extension != ".txt" and _is_remote_folder(address):
        return pa.array(_walk_address(address), pa.string())
    archive = next((protocol for end, protocol in ARCHIVES.items() if name_of(address).lower().endswith(end)), None)
    if archive is not None:
        raise CorpusError(f"{address} is an archive: {archive}://::{address} names all videos in it")
    return pa.array(_lines(address), pa.string())


def _walk(folder: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise CorpusError(f"{error.filename} cannot be read: {error.strerror}") from None

    found = (
        os.path.join(inside, name)
        for inside, _, names in os.walk(folder, onerror=refuse)
        for name in names
        if _extension(name) in VIDEO_EXTENSIONS
    )
    return iter(sorted(found, key=natural))


def natural(path: str) -> list[tuple[int, int, str]]:
    """Orders paths as people do: numbers by value."""
    parts = re.split(r"(\d+)", path)
    return [(0, 0, part) if index % 2 == 0 else (1, int(part), part) for index, part in enumerate(parts)]


def _is_remote_folder(address: str) -> bool:
    files, path = filesystem(address)
    try:
        return bool(files.isdir(path))
    except Exception as error:
        raise unreadable(address, error) from error


def _walk_address(address: str) -> list[str]:
    files, path = filesystem(address)
    try:
        found = [name for name in files.find(path) if _extension(name) in VIDEO_EXTENSIONS]
    except Exception as error:
        raise unreadable(address, error) from error
    return sorted((within(address, name) for name in found), key=natural)


def _lines(address: str) -> list[str]:
    try:
        with _open(address) as file:
            lines = file.read().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise CorpusError(
            f"{address} is no text file of paths: name a folder, a video ({', '.join(sorted(VIDEO_EXTENSIONS))}), "
            f"a table ({', '.join(sorted(_READERS))}) or a text file"
        ) from None
    except CorpusError:
        raise
    except Exception as error:
        raise unreadable(address, error) from error
    return [line.strip() for line in lines if line.strip()]


def _column(table: pyarrow.Table | pyarrow.RecordBatch, name: str, where: str) -> pyarrow.Array:
    if name not in table.column_names:
        have = ", ".join(map(repr, table.column_names)) or "none"
        raise CorpusError(f"{where} has no column {name!r}; its columns are {have}: name one with column=")
    column = table.column(name)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column.type, pa.DictionaryType):
        column = column.dictionary_decode()
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise CorpusError(f"the column {name!r} of {where} holds {column.type}, not paths: name another with column=")
    return compute.cast(column, pa.string())


def _extension(path: str) -> str:
    return os.path.splitext(name_of(path))[1].lower()


def _open(address: str) -> Any:
    if not is_address(address):
        return Path(address).open("rb")
    files, path = filesystem(address)
    return files.open(path, "rb")


def _parquet(address: str, columns: list[str]) -> pyarrow.Table:
    from pyarrow import parquet

    with _open(address) as file:
        table = parquet.ParquetFile(file)
        complete = set(columns) <= set(table.schema_arrow.names)
        return table.read(columns) if complete else table.schema_arrow.empty_table()


def _csv(address: str, columns: list[str]) -> pyarrow.Table:
    from pyarrow import csv

    delimiter = "\t" if _extension(address) == ".tsv" else ","
    strings = csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()))
    with _open(address) as file:
        return csv.read_csv(file, parse_options=csv.ParseOptions(delimiter=delimiter), convert_options=strings)


def _arrow(address: str, columns: list[str]) -> pyarrow.Table:
    with _open(address) as file:
        data = pa.py_buffer(file.read())
    try:
        return pa.ipc.open_file(data).read_all()
    except pa.ArrowInvalid:
        return pa.ipc.open_stream(data).read_all()


_READERS = {
    ".parquet": _parquet,
    ".pq": _parquet,
    ".csv": _csv,
    ".tsv": _csv,
    ".arrow": _arrow,
    ".feather": _arrow,
    ".ipc": _arrow,
}
