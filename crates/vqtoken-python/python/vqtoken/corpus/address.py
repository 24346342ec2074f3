"""Addresses of fsspec: `s3://bucket/clip.mp4`, `https://host/clip.mp4`, or `zip://clip.mp4::videos.zip`, a file within another.

What stands behind a `::` is where the file before it is found; the last link may be a path of this machine.
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from vqtoken.corpus.errors import CorpusError, need

ARCHIVES = {".zip": "zip", ".tar": "tar", ".tgz": "tar", ".tar.gz": "tar", ".tar.xz": "tar", ".tar.bz2": "tar"}
"""Extensions of archives, and the protocol by which fsspec reads what is in them."""

HTTP_SECONDS = 60.0
"""How long a web server may be silent."""


def is_address(path: str) -> bool:
    """Whether this is an address and not a path of this machine."""
    return "://" in path


def name_of(path: str) -> str:
    """The file's own name, without folders and archives that it is in."""
    link = next((link for link in path.split("::") if is_address(link)), path)
    if link.startswith(("http://", "https://")):
        link = unquote(urlsplit(link).path)
    return PurePosixPath(link.partition("://")[2] if is_address(link) else link).name


def is_relative(path: str) -> bool:
    """Whether it depends on the folder that a process is in."""
    last = path.rpartition("::")[2]
    return not is_address(last) and not os.path.isabs(last)


def absolute(path: str, base: str) -> str:
    """The same, independent of the folder that a process is in. What is relative is relative to `base`."""
    links, separator, last = path.rpartition("::")
    return path if is_address(last) else links + separator + os.path.join(base, last)


def within(address: str, name: str) -> str:
    """The address of a file that was found at `address` under a name of its file system, which may have its protocol."""
    protocol, _, _ = address.partition("://")
    rest = address.partition("::")[2]
    file = name if is_address(name) else f"{protocol}://{name}"
    return f"{file}::{rest}" if rest else file


def filesystem(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    fsspec = need("fsspec", "fsspec", f"the address {address}")
    options = {}
    web = [protocol for protocol in ("http", "https") if f"{protocol}://" in address]
    if web:
        aiohttp = need("aiohttp", "fsspec[http]", f"the address {address}")
        # aiohttp would allow five minutes for the whole of a video, however much of it has come.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=HTTP_SECONDS, sock_read=HTTP_SECONDS)
        options = {protocol: {"client_kwargs": {"timeout": timeout}} for protocol in web}
    try:
        return fsspec.core.url_to_fs(address, **options)
    except Exception as error:
        raise unreadable(address, error) from error


def unreadable(address: str, error: Exception) -> CorpusError:
    """Why an address, or a path of this machine, cannot be read."""
    # fsspec says of all that goes wrong over http that there is no file; the cause knows better.
    while isinstance(error, FileNotFoundError) and getattr(error.__cause__, "status", 404) != 404:
        error = error.__cause__  # type: ignore[assignment]
    told = str(error) or type(error).__name__
    if isinstance(error, (FileNotFoundError, KeyError)):
        told = "there is no such file"
        if address.rpartition("::")[2].startswith("memory://"):
            told = "memory:// is the memory of one process, and workers are others: write the videos to a folder"
    elif isinstance(error, OSError) and error.strerror:
        told = error.strerror
    return CorpusError(f"{address} cannot be read: {told}")
