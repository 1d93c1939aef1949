"""What tells a file from another one, or from its earlier versions."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict

_SAMPLE_ABOVE = 1 << 30  # bytes; larger inputs are hashed by samples, as hashing all would cost seconds
_SAMPLE_SIZE = 1 << 20
_N_SAMPLES = 64
_QUICK_PART = 1 << 18  # bytes read at the beginning, in the middle and at the end of a file


class Content(BaseModel):
    """What a file (or a Zarr folder) held when it was read.

    Attributes
    ----------
    size : int
        Bytes; of a folder the sum over its files.
    modified : str
        Time of last change, ISO 8601, UTC; of a folder the newest among its files.
    sha256 : str
        Of the size and the content; where ``sampled``, of evenly spaced parts of the content only.
    sampled : bool
        Whether only parts were read.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    size: int
    modified: str
    sha256: str
    sampled: bool

    def same(self, other: Content) -> bool:
        """Whether both are equal, as far as was read; the time of change counts where only parts were."""
        return self.sha256 == other.sha256 and not (self.sampled and self.modified != other.modified)


class Fingerprint(Content):
    """Which file (or Zarr folder) was read, and what it held.

    Attributes
    ----------
    path : str
        Absolute path.
    """

    path: str


def fingerprint(path: str | os.PathLike[str]) -> Fingerprint:
    """Say what a file, or a folder such as a Zarr store, is at this moment.

    Raises
    ------
    OSError
        If it can't be read.
    """
    path = Path(path).absolute()
    return Fingerprint(path=str(path), **content(path).model_dump())


def content(path: Path) -> Content:
    """Say what a file, or a folder such as a Zarr store, holds at this moment.

    Raises
    ------
    OSError
        If it can't be read.
    """
    files = sorted(_files(path)) if path.is_dir() else [path]
    stats = [file.stat() for file in files]
    size = sum(stat.st_size for stat in stats)
    digest = hashlib.sha256(str(size).encode())
    if path.is_dir():
        for file, stat in zip(files, stats, strict=True):
            digest.update(f"{file.relative_to(path).as_posix()}:{stat.st_size};".encode())
    _hash_content(digest, files, [stat.st_size for stat in stats])
    newest = max((stat.st_mtime for stat in stats), default=path.stat().st_mtime)
    return Content(
        size=size,
        modified=datetime.fromtimestamp(newest, UTC).isoformat(timespec="microseconds"),
        sha256=digest.hexdigest(),
        sampled=size > _SAMPLE_ABOVE,
    )


def quick_identity(path: Path) -> dict[str, Any]:
    """Return what tells a file from its earlier versions, without reading all of it.

    Of a file: its size, time of change, and a hash of three parts. Of a folder (Zarr): a hash of the
    name, size and time of change of every file in it.

    Raises
    ------
    OSError
        If it is not there or can't be read.
    """
    if path.is_dir():
        stats = [(entry, entry.stat()) for entry in sorted(path.rglob("*")) if entry.is_file()]
        lines = [
            f"{entry.relative_to(path).as_posix()} {stat.st_size} {stat.st_mtime_ns}" for entry, stat in stats
        ]
        return {"files": hashlib.sha256("\n".join(lines).encode()).hexdigest()}
    stat = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for start in (0, stat.st_size // 2, max(0, stat.st_size - _QUICK_PART)):
            file.seek(start)
            digest.update(file.read(_QUICK_PART))
    return {"size": stat.st_size, "modified": stat.st_mtime_ns, "hash": digest.hexdigest()}


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in names)


def _hash_content(digest: hashlib._Hash, files: Sequence[Path], sizes: Sequence[int]) -> None:
    total = sum(sizes)
    if total <= _SAMPLE_ABOVE:
        for file in files:
            with file.open("rb") as stream:
                _hash_span(digest, stream, 0, file.stat().st_size)
        return
    wanted = [round(i * (total - _SAMPLE_SIZE) / (_N_SAMPLES - 1)) for i in range(_N_SAMPLES)]
    start = 0
    for file, size in zip(files, sizes, strict=True):
        inside = [offset - start for offset in wanted if start <= offset < start + size]
        if inside:
            with file.open("rb") as stream:
                for offset in inside:
                    _hash_span(digest, stream, offset, _SAMPLE_SIZE)
        start += size


def _hash_span(digest: hashlib._Hash, stream: BinaryIO, offset: int, length: int) -> None:
    stream.seek(offset)
    while length > 0 and (part := stream.read(min(length, _SAMPLE_SIZE))):
        digest.update(part)
        length -= len(part)
