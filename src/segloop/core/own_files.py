"""Files that belong to Segloop but may come from a stranger: read within bounds, never through a link."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

_SAFE = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a pipe without another end would never return
    | getattr(os, "O_BINARY", 0)
)
_READ = os.O_RDONLY | _SAFE
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | _SAFE

LIMIT = 64 << 20
"""Largest file that is read, in bytes, unless another limit is given."""


class NotReadableError(OSError, ValueError):
    """What a file is or holds is not what Segloop writes; the text says why, without the file's name."""


def read_own_bytes(path: str | os.PathLike[str], limit: int = LIMIT) -> bytes:
    """Return the content of a plain file.

    Parameters
    ----------
    path : path-like
        The file.
    limit : int, optional
        Its largest size in bytes.

    Raises
    ------
    NotReadableError
        If it is a link, a folder, a pipe or a device, or larger than ``limit``.
    OSError
        If it is missing or the system can't read it.
    """
    with open_own(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(min(size, limit) + 1)
    if max(size, len(content)) > limit:
        raise NotReadableError(f"it is larger than {limit / 2**20:.0f} MB")
    return content


def open_own(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a plain file for reading bytes.

    Raises
    ------
    NotReadableError
        If it is a link, a folder, a pipe or a device.
    OSError
        If it is missing or the system can't read it.
    """
    return os.fdopen(_opened(path, _READ), "rb")


def open_own_to_append(path: str | os.PathLike[str]) -> int:
    """Open a plain file for appending and reading, and return its descriptor; a missing file is created.

    Raises
    ------
    NotReadableError
        If it is a link, a folder, a pipe or a device.
    OSError
        If the system can't write it.
    """
    return _opened(path, _APPEND)


def _opened(path: str | os.PathLike[str], flags: int) -> int:
    if not hasattr(os, "O_NOFOLLOW") and Path(path).is_symlink():  # on Windows
        raise NotReadableError("it is a link to another file")
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotReadableError("it is a link to another file") from error
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise NotReadableError("it is not a plain file")


def read_own_json(path: str | os.PathLike[str], limit: int = LIMIT) -> Any:
    """Return the value in a JSON file; see `read_own_bytes`.

    Raises
    ------
    NotReadableError
        As in `read_own_bytes`; or if it is not JSON, or nested too deeply.
    OSError
        If it is missing or the system can't read it.
    """
    return parse_json(read_own_bytes(path, limit))


def parse_json(content: bytes) -> Any:
    """Return the value of JSON that may come from a stranger.

    Raises
    ------
    NotReadableError
        If it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise NotReadableError("it is nested too deeply") from None
    except ValueError as error:
        raise NotReadableError(f"it is not JSON ({error})") from error
