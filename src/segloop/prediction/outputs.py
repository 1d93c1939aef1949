"""Writers: an output grows block by block under a hidden name, and is then put in place by a commit."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from segloop.core.atomic import remove
from segloop.core.commit import Commit
from segloop.core.errors import ImageError
from segloop.core.file_errors import writing
from segloop.images.write import complete_zarr, create_zarr, write_image
from segloop.images.zarr_writing import zarr_writing
from segloop.targets.output import LABELS, Output

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from segloop.images.image import PixelSize

MEMORY_LIMIT = 256 << 20
"""Bytes; larger buffers live in a scratch file beside the outputs."""

_MAX_CHUNK = (16, 512, 512)  # Z, Y, X
_UINT16_MAX = int(np.iinfo(np.uint16).max)

Slices = tuple[slice, ...]


@dataclass(frozen=True)
class OutputSpec:
    """What an output holds and where it goes.

    Attributes
    ----------
    kind : Output
        What it is.
    path : Path
        Where it goes; ends in ``.tif`` or ``.ome.zarr``.
    shape : tuple of int
        T, C, Z, Y, X; C is 1 unless ``maps`` are several.
    dtype : numpy data type
        As stored; labels become uint32 by themselves where uint16 can't number them.
    pixel_size_um : tuple of float or None
        Z, Y, X.
    maps : tuple of str
        Names of the channels of a probability; empty otherwise.
    """

    kind: Output
    path: Path
    shape: tuple[int, int, int, int, int]
    dtype: np.dtype[Any]
    pixel_size_um: PixelSize
    maps: tuple[str, ...] = ()

    @property
    def axes(self) -> str:
        """Axes as stored: ``TCZYX`` without T, C and Z where they have length 1."""
        kept = [axis for axis, length in zip("TCZ", self.shape, strict=False) if length > 1]
        return "".join(kept) + "YX"

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Lengths along `axes`."""
        return tuple(self.shape["TCZYX".index(axis)] for axis in self.axes)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels, by which viewers show the output."""
        return self.maps or (self.kind.name,)

    def index(self, t: int, at: Slices) -> tuple[int | slice, ...]:
        """Return the index of a block in the stored array."""
        full: dict[str, int | slice] = {"T": t, "C": slice(None), "Z": at[0], "Y": at[1], "X": at[2]}
        return tuple(full[axis] for axis in self.axes)

    def as_stored(self, block: NDArray[Any]) -> NDArray[Any]:
        """Drop the axes of a ``(C, z, y, x)`` block that the stored array lacks."""
        dropped = tuple(i for i, axis in enumerate("CZ") if axis not in self.axes)
        return np.squeeze(block, axis=dropped)


class Writer(Protocol):
    """Something that takes an output block by block."""

    spec: OutputSpec
    growing: Path | None
    """Where the output can be looked at before it is complete; None where it can't."""

    def write(self, t: int, at: Slices, block: NDArray[Any]) -> None:
        """Take a ``(C, z, y, x)`` block of time point ``t`` at slices ``at`` (Z, Y, X)."""

    def finish(self) -> np.dtype[Any]:
        """Complete the output where it is written; return its data type."""


class FileWriter(Writer, Protocol):
    """A writer whose output becomes a file or a Zarr folder."""

    staged: Path
    """Where the output is written before it is put in place."""


def open_writers(specs: Sequence[OutputSpec], commit: Commit) -> list[FileWriter]:
    """Return a writer for each output, TIFF or Zarr by its path; what they write is staged in ``commit``."""
    writers: list[FileWriter] = []
    for spec in specs:
        with writing(spec.path, ImageError):
            staged = commit.stage(spec.path.name)
        is_zarr = spec.path.suffix == ".zarr"
        writers.append(ZarrWriter(spec, staged) if is_zarr else TiffWriter(spec, staged))
    return writers


class ArrayWriter:
    """Collects an output in an array.

    Parameters
    ----------
    spec : OutputSpec
        Its path is not used.
    scratch : Path, optional
        Folder for a scratch file that holds a large array; without it, all is in memory.

    Attributes
    ----------
    array : numpy.ndarray
        Sizes as ``spec.stored_shape``; labels are uint32 until `finish`.
    """

    growing: Path | None = None

    def __init__(self, spec: OutputSpec, scratch: Path | None = None) -> None:
        self.spec = spec
        self._scratch = scratch
        self._is_labels = spec.kind == LABELS
        dtype = np.dtype(np.uint32) if self._is_labels else spec.dtype
        self.array = allocate(spec.stored_shape, dtype, scratch)

    def write(self, t: int, at: Slices, block: NDArray[Any]) -> None:
        """Take a block."""
        self.array[self.spec.index(t, at)] = self.spec.as_stored(block)

    def finish(self) -> np.dtype[Any]:
        """Make labels uint16 where that can number them; return the data type."""
        if self._is_labels:
            self.array = narrow_labels(self.array, self._scratch)
        return np.dtype(self.array.dtype)


class TiffWriter(ArrayWriter):
    """Collects an output in memory, or in a scratch file when it is large, and writes OME-TIFF at the end."""

    def __init__(self, spec: OutputSpec, staged: Path) -> None:
        super().__init__(spec, spec.path.parent)
        self.staged = staged

    def finish(self) -> np.dtype[Any]:
        """Write the file."""
        dtype = super().finish()
        try:
            write_image(
                self.staged,
                self.array,
                axes=self.spec.axes,
                channel_names=self.spec.channel_names,
                pixel_size_um=self.spec.pixel_size_um,
            )
        except ImageError as error:
            raise ImageError(str(error).replace(str(self.staged), str(self.spec.path))) from error
        return dtype


class ZarrWriter:
    """Writes blocks into an OME-Zarr as they come, so that a viewer can show it while it grows."""

    def __init__(self, spec: OutputSpec, staged: Path) -> None:
        self.spec = spec
        self.growing: Path | None = staged
        self.staged = staged
        self._dtype = spec.dtype
        with writing(spec.path, ImageError):
            self._array = self._create(staged, spec.dtype)

    def _create(self, path: Path, dtype: np.dtype[Any]) -> Any:
        limit = dict(zip("TCZYX", (1, 1, *_MAX_CHUNK), strict=True))
        lengths = zip(self.spec.axes, self.spec.stored_shape, strict=True)
        return create_zarr(
            path,
            self.spec.stored_shape,
            dtype,
            axes=self.spec.axes,
            chunks=tuple(min(length, limit[axis]) for axis, length in lengths),
            channel_names=self.spec.channel_names,
            pixel_size_um=self.spec.pixel_size_um,
        )

    def write(self, t: int, at: Slices, block: NDArray[Any]) -> None:
        """Take a block."""
        with zarr_writing(self.spec.path):
            if self._dtype == np.uint16 and block.size and block.max() > _UINT16_MAX:
                self._widen(t)
            self._array[self.spec.index(t, at)] = self.spec.as_stored(block)

    def _widen(self, t: int) -> None:
        """Change to uint32, keeping the time points before ``t`` and what is there of it."""
        wide_path = self.staged.with_name(f".{self.staged.name}.wide")
        remove(wide_path)
        try:
            wide = self._create(wide_path, np.dtype(np.uint32))
            for done in range(t + 1):
                at = self.spec.index(done, (slice(None), slice(None), slice(None)))
                wide[at] = self._array[at]
            remove(self.staged)
            wide_path.replace(self.staged)
        finally:
            remove(wide_path)
        import zarr

        self._array = zarr.open_array(self.staged / self._array.basename, mode="r+")
        self._dtype = np.dtype(np.uint32)

    def finish(self) -> np.dtype[Any]:
        """Note that all blocks are there; return the data type."""
        with zarr_writing(self.spec.path):
            complete_zarr(self.staged)
        return self._dtype


def allocate(shape: Sequence[int], dtype: DTypeLike, folder: Path | None) -> NDArray[Any]:
    """Return a zero array; a large one in a scratch file without a name in ``folder``, gone after a kill.

    Without a folder, it is in memory whatever its size.

    Raises
    ------
    ImageError
        If the folder can't be written or its disk is full.
    """
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if folder is None or n_bytes <= MEMORY_LIMIT:
        return np.zeros(tuple(shape), dtype)
    with writing(folder, ImageError), tempfile.TemporaryFile(dir=folder) as file:
        _reserve(file.fileno(), n_bytes)
        return np.memmap(file, dtype, mode="r+", shape=tuple(shape))


def _reserve(descriptor: int, n_bytes: int) -> None:
    # Writing to a mapped hole of a full disk ends the process, so the room is taken before.
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, n_bytes)
        return
    zeros = bytes(1 << 24)
    left = n_bytes
    while left > 0:
        left -= os.write(descriptor, zeros[: min(left, len(zeros))])


def narrow_labels(labels: NDArray[Any], folder: Path | None) -> NDArray[Any]:
    """Return labels as uint16 where they fit, else as uint32; ``folder`` takes a scratch file if large."""
    if int(labels.max(initial=0)) > _UINT16_MAX:
        return labels
    narrow = allocate(labels.shape, np.uint16, folder)
    np.copyto(narrow, labels, casting="unsafe")
    return narrow
