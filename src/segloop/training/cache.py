"""Each sample decoded, composed and encoded once, on the local disk, so that patches are cheap to read.

An entry is a folder named by a hash of everything it was made from: the files' identities, the curator's
decisions, the channels and the target. An edit of a sample therefore leaves all other entries valid. Entries
are not synced to the disk, which would take time: each is compared with its checksums when it is opened.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.core import user_folders
from segloop.core.atomic import atomic_path, clear_abandoned, remove, write_json
from segloop.core.errors import DatasetError
from segloop.core.file_errors import writing
from segloop.images.normalisation import Intensities

VERSION = 6

_REMEDY = "set SEGLOOP_HOME to a folder on another disk"
_ARRAYS = ("raw", "maps", "valid", "labels", "foreground", "sizes", "counting")
_READ_AT_ONCE = 1 << 20  # bytes
_IN_USE = 24 * 3600  # seconds after its last use in which an entry may belong to a training that goes on


class DamagedEntryError(DatasetError):
    """An entry is not what was written, such as after a power cut."""


class CacheError(DatasetError):
    """The cache can't be written, which no other sample can make good."""


def cache_folder() -> Path:
    """Return where entries live, below the user's cache folder."""
    return user_folders.cache_folder() / "samples"


def entry_key(made_from: Mapping[str, Any]) -> str:
    """Return the name of the entry made from these plain values."""
    text = json.dumps({"version": VERSION, **made_from}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class SampleArrays:
    """The pixels of an entry, in memory or mapped from disk.

    Attributes
    ----------
    raw : (C, Z, Y, X) native dtype
        The channels of the recipe, as recorded.
    maps : (K, Z, Y, X) uint8
        Encoded ground truth, ``round(255 p)``.
    valid : (1 or K, Z, Y, X) bool
        Where each map counts; one plane where that is the same for all.
    labels : (Z, Y, X) int32
        Composed ground truth; 0 where it does not count.
    foreground : (N, 3) int32
        Z, Y, X of some foreground voxels that count, at random.
    sizes : (M,) int64
        Numbers of voxels of the objects.
    counting : (N, 3) int32
        Where less than half of the image counts: Z, Y, X of some voxels that do, at random; else none.
    """

    raw: NDArray[Any]
    maps: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    labels: NDArray[np.int32]
    foreground: NDArray[np.int32]
    sizes: NDArray[np.int64]
    counting: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 3), np.int32))

    def save(self, folder: Path) -> None:
        """Write each array as ``<name>.npy``."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, mapped: bool) -> SampleArrays:
        """Read the arrays, or map them into memory."""
        mode: Any = "r" if mapped else None
        return cls(
            **{name: np.load(folder / f"{name}.npy", mmap_mode=mode, allow_pickle=False) for name in _ARRAYS}
        )


@dataclass(frozen=True)
class CachedSample:
    """One entry of the cache.

    Attributes
    ----------
    id : str
        Of the sample in its dataset.
    name : str
        File name of the raw image, for messages.
    folder : Path
        The entry's folder.
    shape : (Z, Y, X)
        Of the image.
    ranges : tuple of (low, high)
        For each channel the intensities that become 0 and 1.
    medians : tuple of float
        For each channel, where its median lies within the range: 0 to 1; NaN if it is constant.
    problem : str
        Empty, or one sentence that says why it can't be learnt from.
    in_memory : bool
        Whether its arrays are kept in memory once read.
    """

    id: str
    name: str
    folder: Path
    shape: tuple[int, int, int]
    ranges: tuple[tuple[float, float], ...]
    medians: tuple[float, ...] = ()
    problem: str = ""
    in_memory: bool = True

    @cached_property
    def _kept(self) -> SampleArrays:
        return SampleArrays.load(self.folder, mapped=False)

    def arrays(self) -> SampleArrays:
        """Return its pixels; mapped from disk at each call if they are too many to keep."""
        return self._kept if self.in_memory else SampleArrays.load(self.folder, mapped=True)

    def touch(self) -> None:
        """Say that the entry is in use, so that no other training deletes it; to be repeated within a day."""
        with suppress(OSError):  # it is of use as long as it is mapped or in memory, even if it is gone
            os.utime(self.folder)

    @property
    def n_bytes(self) -> int:
        """Size of the entry on disk in bytes."""
        return sum(path.stat().st_size for path in self.folder.glob("*.npy"))

    @classmethod
    def open(cls, folder: Path, sample_id: str) -> CachedSample | None:
        """Open an entry, once all of it was read and compared with its checksums; None if there is none.

        Raises
        ------
        DamagedEntryError
            If a file is missing or is not as it was written.
        """
        if not folder.is_dir():
            return None
        try:
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
            checksums = meta["checksums"]
            if meta.pop("checksum") != _checksum_of_values(meta) or set(checksums) != set(_ARRAYS):
                raise ValueError("meta.json does not have its checksum")
            for name in _ARRAYS:
                if _checksum(folder / f"{name}.npy") != checksums[name]:
                    raise ValueError(f"{name}.npy does not have its checksum")
            os.utime(folder)
            return cls(
                id=sample_id,
                name=meta["name"],
                folder=folder,
                shape=tuple(meta["shape"]),
                ranges=tuple((low, high) for low, high in meta["ranges"]),
                medians=tuple(math.nan if value is None else value for value in meta["medians"]),
                problem=meta["problem"],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedEntryError(f"The prepared sample {folder} is damaged: delete it.") from error


def store(
    folder: Path,
    arrays: SampleArrays,
    *,
    name: str,
    intensities: Intensities,
    problem: str = "",
) -> None:
    """Write an entry, atomically.

    Raises
    ------
    CacheError
        If the disk is full or the cache's folder can't be written.
    """
    with writing(folder.parent, CacheError, _REMEDY, f"free some space or {_REMEDY}"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder, durable=False) as partial:
            partial.mkdir()
            arrays.save(partial)
            meta = {
                "name": name,
                "shape": list(arrays.labels.shape),
                "ranges": intensities.ranges.astype(float).tolist(),
                "medians": [
                    None if math.isnan(median) else median for median in intensities.relative_medians.tolist()
                ],
                "problem": problem,
                "checksums": {each: _checksum(partial / f"{each}.npy") for each in _ARRAYS},
            }
            write_json(partial / "meta.json", {**meta, "checksum": _checksum_of_values(meta)})


def _checksum(file: Path) -> int:
    """Return the CRC-32 of a file, which finds what a disk or a power cut has damaged."""
    value = 0
    with file.open("rb") as stream:
        while part := stream.read(_READ_AT_ONCE):
            value = zlib.crc32(part, value)
    return value


def _checksum_of_values(values: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(values, sort_keys=True).encode())


def prune(root: Path, keep: Iterable[Path], limit_bytes: int | None = None) -> list[Path]:
    """Delete the entries that were not used for longest until the cache fits its limit.

    Those used within a day stay, since another training may go on with them. What a killed process was
    writing is deleted in any case.

    Parameters
    ----------
    root : Path
        The cache's folder.
    keep : iterable of Path
        Entries in use, never deleted.
    limit_bytes : int, optional
        Default: a quarter of what the disk has free plus what the cache holds.

    Returns
    -------
    list of Path
        The entries that were deleted.
    """
    if not root.is_dir():
        return []
    clear_abandoned(root, lambda *_: True)
    kept = set(keep)
    entries = [entry for path in root.iterdir() if (entry := _look_at(path)) is not None]
    total = sum(size for _, _, size in entries)
    if limit_bytes is None:
        limit_bytes = (shutil.disk_usage(root).free + total) // 4
    newest = time.time() - _IN_USE
    deleted = []
    for used, path, size in sorted(entries):
        if total <= limit_bytes or used > newest:
            break
        if path not in kept:
            remove(path)
            deleted.append(path)
            total -= size
    return deleted


def _look_at(path: Path) -> tuple[float, Path, int] | None:
    """Return when an entry was last used, its folder and its size; None if it is none, or just deleted."""
    try:
        size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
        return path.stat().st_mtime, path, size
    except OSError:
        return None
