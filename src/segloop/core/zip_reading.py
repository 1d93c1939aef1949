"""Reading zip files that may come from a stranger: into memory only, and never more than they may hold."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from pathlib import Path

DAMAGED = (
    OSError,
    EOFError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What `zipfile` raises for a file that is damaged or made to do harm."""

_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def fault_of_entry(entry: zipfile.ZipInfo, zip_size: int, limit: int, largest_ratio: int, small: int) -> str:
    """Return what is wrong with an entry of a zip file as the end of a sentence; empty if nothing is.

    Parameters
    ----------
    entry : ZipInfo
        As the zip file lists it.
    zip_size : int
        Size of the zip file in bytes.
    limit : int
        Most bytes that the entry may have when it is unpacked.
    largest_ratio : int
        By how much it may have been compressed, unless it is small.
    small : int
        Unpacked size in bytes up to which any compression is believed.
    """
    if stat.S_ISLNK(entry.external_attr >> 16) or entry.flag_bits & 1:
        return "is a link or encrypted"
    if entry.compress_type not in _COMPRESSIONS:
        return "is compressed in an unusual way"
    # The sizes that an entry states may be false, the size of the zip file is not.
    packed = min(entry.compress_size, zip_size)
    if entry.file_size > min(limit, max(small, largest_ratio * packed)):
        return "is too large to be genuine"
    return ""


def read_entry(path: Path, entry: str | zipfile.ZipInfo, limit: int) -> bytes:
    """Return the content of an entry, at most ``limit`` bytes of it.

    Raises
    ------
    KeyError
        If there is no such entry.
    Exception
        One of `DAMAGED`, if it can't be read.
    """
    with zipfile.ZipFile(path) as archive, archive.open(entry) as file:
        return file.read(limit)
