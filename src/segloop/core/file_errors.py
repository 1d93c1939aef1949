"""One sentence for a file or folder that the operating system refuses to read, write or create."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from segloop.core.errors import SegloopError
from segloop.core.own_files import NotReadableError

_DISK_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
_SHORT_WRITE = "requested and"  # numpy says "4096 requested and 512 written", without an error number

WRITE_REMEDY = "choose a folder you may write to"
FULL_REMEDY = "free some space or choose another folder"
_NOT_OURS_REMEDY = "delete it, or put the file itself in its place"
READ_REMEDY = "check that you may read it and that its drive is connected"


def is_disk_full(error: OSError) -> bool:
    """Whether a write failed because the disk or the user's quota is used up."""
    return error.errno in _DISK_FULL or (error.errno is None and _SHORT_WRITE in str(error))


def cannot_write(
    path: str | os.PathLike[str],
    error: OSError,
    remedy: str = WRITE_REMEDY,
    full_remedy: str = FULL_REMEDY,
) -> str:
    """Return the sentence for a file or folder that can't be written.

    Parameters
    ----------
    path : path-like
        What was to be written; it is named in the sentence.
    error : OSError
        What the operating system reported.
    remedy : str, optional
        What to do about it, without a full stop. Not used for a link, which has a remedy of its own.
    full_remedy : str, optional
        What to do about a full disk, instead of ``remedy``.
    """
    if is_disk_full(error):
        return f"{_named(path)} can't be written, the disk is full: {full_remedy}."
    return f"{_named(path)} can't be written ({_reason(error)}): {_remedy(error, remedy)}."


def cannot_read(path: str | os.PathLike[str], error: OSError, remedy: str = READ_REMEDY) -> str:
    """Return the sentence for a file or folder that can't be read; parameters as in `cannot_write`."""
    return f"{_named(path)} can't be read ({_reason(error)}): {_remedy(error, remedy)}."


@contextmanager
def writing(
    path: str | os.PathLike[str],
    error: type[SegloopError],
    remedy: str = WRITE_REMEDY,
    full_remedy: str = FULL_REMEDY,
) -> Iterator[None]:
    """Raise ``error``, with the sentence of `cannot_write`, where the block raises an `OSError`.

    Raises
    ------
    SegloopError
        Of the given type, if writing fails.
    """
    try:
        yield
    except OSError as refused:
        raise error(cannot_write(path, refused, remedy, full_remedy)) from refused


@contextmanager
def reading(
    path: str | os.PathLike[str], error: type[SegloopError], remedy: str = READ_REMEDY
) -> Iterator[None]:
    """Raise ``error``, with the sentence of `cannot_read`, where the block raises an `OSError`.

    Raises
    ------
    SegloopError
        Of the given type, if reading fails.
    """
    try:
        yield
    except OSError as refused:
        raise error(cannot_read(path, refused, remedy)) from refused


def _remedy(error: OSError, remedy: str) -> str:
    return _NOT_OURS_REMEDY if isinstance(error, NotReadableError) else remedy


def _named(path: str | os.PathLike[str]) -> str:
    return os.fspath(path)


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
