"""Pixels of a TIFF, read as they are asked for.

bioio's TIFF readers wrap tifffile and hand out whole planes at least, so pixels come straight from tifffile:
small images in one read, large ones tile by tile through its Zarr view, uncompressed large planes through a
memory map.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segloop.images.image import AXES, pixel_dtype
from segloop.images.tiff_file import opened, tifffile_messages

# Images up to this size are always read as a whole: decoding them takes less time than
# setting up a view, and the file is closed again at once.
_READ_WHOLE_BYTES = 2 << 20
_CHUNK_PIXELS = 1 << 20


@dataclass(frozen=True)
class TiffLayout:
    """How a series of a TIFF is stored in the file, and how that maps to ``TCZYX``.

    Attributes
    ----------
    axes, shape : str, tuple of int
        The series as stored: letters out of ``TCZYXS``.
    dtype : numpy.dtype
        As stored, byte order included.
    samples : int
        Colour samples to use of axis S (alpha left out); 1 where there is no S.
    colour : bool
        True if the samples are red, green and blue.
    tile : tuple of int
        Smallest readable piece along (Y, X), in pixels.
    map_offset : int or None
        Where the series starts in the file, if it is best mapped into memory.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    samples: int
    colour: bool
    tile: tuple[int, int]
    map_offset: int | None

    def size(self, axis: str) -> int:
        """Size along an axis; 1 where the file lacks it."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    @property
    def nbytes(self) -> int:
        """Uncompressed size in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def tczyx(self) -> tuple[int, ...]:
        """Shape after reading."""
        return tuple(self.size(axis) * (self.samples if axis == "C" else 1) for axis in AXES)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Chunks for dask: whole tiles, about a million pixels, and planes together where they are small."""
        _, _, z, y, x = self.tczyx
        tile_y, tile_x = self.tile
        chunk_x = min(x, tile_x * max(1, 1024 // tile_x))
        chunk_y = min(y, tile_y * max(1, _CHUNK_PIXELS // (chunk_x * tile_y)))
        # Samples of a colour image are stored together, so they are read together.
        return 1, self.samples, min(z, max(1, _CHUNK_PIXELS // (chunk_y * chunk_x))), chunk_y, chunk_x


@dataclass(frozen=True)
class _Part:
    """What to read along one axis, and what to pick out of it afterwards."""

    read: slice
    then: Any

    @classmethod
    def of(cls, part: Any, n: int) -> _Part:
        if isinstance(part, slice) and part.step in (None, 1):
            start, stop, _ = part.indices(n)
            return cls(slice(start, max(start, stop)), None)
        wanted = np.arange(n)[part]
        if wanted.size == 0:
            return cls(slice(0, 0), None)
        start = int(wanted.min())
        return cls(slice(start, int(wanted.max()) + 1), wanted - start)

    def pick(self, block: np.ndarray, axis: int) -> np.ndarray:
        return block if self.then is None else np.take(block, self.then, axis)


class TiffPixels:
    """Pixels of one series as an array-like with axes ``TCZYX`` that reads what is asked for.

    A small image is read whole with the file closed again at once; of a large one, a handle stays open until
    this object goes. May be pickled and used from several threads.
    """

    ndim = len(AXES)

    def __init__(self, path: Path, index: int, layout: TiffLayout) -> None:
        self._path = path
        self._index = index
        self._layout = layout
        self._lock = threading.Lock()
        self._view: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes along (T, C, Z, Y, X)."""
        return self._layout.tczyx

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel, in native byte order."""
        return pixel_dtype(self._layout.dtype, self._path.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return TiffPixels, (self._path, self._index, self._layout)

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        """Read a block.

        Parameters
        ----------
        key : tuple of slice, int or list of int
            One an axis of ``TCZYX``; an integer drops its axis. Dask passes on what its users wrote.
        """
        parts = [_Part.of(part, n) for part, n in zip(key, self.shape, strict=True)]
        slices = {axis: part.read for axis, part in zip(AXES, parts, strict=True)}
        channels = slices["C"]
        first = 0
        if "S" in self._layout.axes:
            samples = self._layout.samples
            slices["S"] = slice(0, samples)
            slices["C"] = slice(channels.start // samples, -(-channels.stop // samples))
            first = channels.start - slices["C"].start * samples
        stored = self._read(tuple(slices[axis] for axis in self._layout.axes))
        order = [axis for axis in "TCSZYX" if axis in self._layout.axes]
        block = np.transpose(stored, [self._layout.axes.index(axis) for axis in order])
        block = block[tuple(slice(None) if axis in order else None for axis in "TCSZYX")]
        # Along an axis that the file lacks, nothing may have been asked for.
        block = block[
            tuple(slice(None) if axis in order else slices.get(axis, slice(None)) for axis in "TCSZYX")
        ]
        t, c, s, z, y, x = block.shape
        block = block.reshape(t, c * s, z, y, x)[:, first : first + channels.stop - channels.start]
        for axis in reversed(range(self.ndim)):
            block = parts[axis].pick(block, axis)
        return np.ascontiguousarray(block, dtype=self.dtype)

    def _read(self, key: tuple[slice, ...]) -> np.ndarray:
        layout = self._layout
        everything = all(part == slice(0, n, 1) for part, n in zip(key, layout.shape, strict=True))
        if layout.map_offset is None and (everything or layout.nbytes <= _READ_WHOLE_BYTES):
            with opened(self._path) as tiff:
                whole: np.ndarray = tiff.series[self._index].asarray()
            return whole.reshape(layout.shape)[key]
        with self._lock:
            if self._view is None:
                self._view = self._open_view()
        return np.array(self._view[key])

    def _open_view(self) -> Any:
        if self._layout.map_offset is not None:
            return np.memmap(self._path, self._layout.dtype, "r", self._layout.map_offset, self._layout.shape)
        import zarr
        from tifffile import TiffFile

        with tifffile_messages():
            tiff = TiffFile(self._path, is_mmstack=False)
            weakref.finalize(self, tiff.close)
            store = tiff.series[self._index].aszarr(level=0)
            return zarr.open_array(store, mode="r")
