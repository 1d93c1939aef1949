"""Reading files that belong to Segloop but may come from a stranger: bounded, and never through a link."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a pipe that nobody writes to would never return
    | getattr(os, "O_BINARY", 0)
)

LIMIT = 64 << 20
"""Largest file that is read, in bytes, unless another limit is given."""


class NotReadableError(ValueError):
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
    if Path(path).is_symlink():  # Windows has no O_NOFOLLOW
        raise NotReadableError("it is a link to another file")
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotReadableError("it is a link to another file") from error
        raise
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise NotReadableError("it is not a plain file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise NotReadableError(f"it is larger than {limit / 2**20:.0f} MB")
    return content


def read_own_json(path: str | os.PathLike[str], limit: int = LIMIT) -> Any:
    """Return the value in a JSON file; see `read_own_bytes`.

    Raises
    ------
    NotReadableError
        As of `read_own_bytes`; or if it is not JSON, or nested too deeply.
    OSError
        If it is missing or the system can't read it.
    """
    content = read_own_bytes(path, limit)
    try:
        return json.loads(content)
    except RecursionError:
        raise NotReadableError("it is nested too deeply") from None
    except ValueError as error:
        raise NotReadableError(f"it is not JSON ({error})") from error
