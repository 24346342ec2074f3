"""A row's video as a file of this machine, and the hash of its content."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vqtoken.corpus.address import absolute, filesystem, is_address, name_of, unreadable
from vqtoken.corpus.errors import CorpusError

BLOCK = 1 << 20
"""Bytes that are read at a time."""
REMEMBERED = 65536
"""Files whose hashes are kept."""


@dataclass(frozen=True)
class Content:
    """A file of this machine and the SHA-256 of its bytes, in hexadecimal."""

    file: str
    sha256: str


class Contents:
    """Fetches and hashes files. A file that has not changed since it was hashed is not read again for its hash."""

    def __init__(self, base: str):
        """Relative paths are relative to the folder `base`."""
        self.base = base
        self._hashes: OrderedDict[tuple[int, int, int, int], str] = OrderedDict()

    @contextmanager
    def open(self, path: str | None) -> Iterator[Content]:
        """The video at a path, mounted, or at an fsspec address, which is fetched to a temporary file for as long as this is open."""
        if not path:
            raise CorpusError("the row has no path")
        if not is_address(path):
            file = os.path.join(self.base, path)
            yield Content(file, self._hash_of(file))
            return
        with tempfile.TemporaryDirectory(prefix="vqtoken-") as folder:
            # The name goes into the video tokens.
            file = os.path.join(folder, name_of(path) or "video")
            yield Content(file, _fetch(absolute(path, self.base), file))

    def _hash_of(self, file: str) -> str:
        status = os.stat(file)
        if not stat.S_ISREG(status.st_mode):
            raise CorpusError(f"{file} is {'a folder' if stat.S_ISDIR(status.st_mode) else 'no file'}: a row names a video file")
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = _hash(file)
        self._hashes.move_to_end(key)
        if len(self._hashes) > REMEMBERED:
            self._hashes.popitem(last=False)
        return self._hashes[key]


def _fetch(address: str, file: str) -> str:
    """Fetches what is at an address, and gives its hash."""
    files, path = filesystem(address)
    try:
        # Not open(): that needs a web server that answers parts of a file.
        files.get_file(path, file)
    except Exception as error:
        raise unreadable(address, error) from error
    if os.path.isdir(file):
        raise CorpusError(f"{address} is a folder: a row names a video file")
    return _hash(file)


def _hash(file: str) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as source:
        while block := source.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
