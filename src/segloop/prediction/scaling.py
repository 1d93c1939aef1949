"""A network over a resampled image: objects get the size that the network knows, maps that of the image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.context import Context
from segloop.inference.tiles import Slices
from segloop.prediction.outputs import allocate
from segloop.targets import quantise

if TYPE_CHECKING:
    from segloop.inference.engine import Engine, Piece, Read

_TRUNCATE = 4.0  # standard deviations of the smoothing before an image is made smaller
_PIECE = 1 << 24  # values of the maps that are brought back to the size of the image at once


def scaled_shape(shape: Sequence[int], scale: float) -> tuple[int, int, int]:
    """Return the shape (Z, Y, X) of an image whose planes are resampled by a factor."""
    z, *plane = shape
    y, x = (max(1, round(size * scale)) for size in plane)
    return z, y, x


class ScaledReader:
    """Reads an image as if its planes were resampled: smoothed where they get smaller, then interpolated.

    What is read at a place does not depend on the block in which it is read. The smoothing is that of
    scikit-image's ``resize``: a Gaussian of (step - 1) / 2 pixels, where a step is the distance between two
    new pixels.

    Parameters
    ----------
    read : callable
        Given slices (z, y, x) inside the image, returns that block (C, z, y, x) float32.
    shape : sequence of int
        Z, Y, X of the image.
    scaled : sequence of int
        Z, Y, X to resample it to; Z stays.
    """

    def __init__(self, read: Read, shape: Sequence[int], scaled: Sequence[int]) -> None:
        self._read = read
        self._shape = tuple(shape)
        self._scaled = tuple(scaled)

    def __call__(self, at: Slices) -> NDArray[np.float32]:
        """Return a block (C, z, y, x) of the resampled image."""
        from scipy.ndimage import gaussian_filter1d

        window, taps = [at[0]], []
        for axis in (1, 2):
            place = positions(self._shape[axis], self._scaled[axis])[at[axis]]
            sigma = max(0.0, (self._shape[axis] / self._scaled[axis] - 1) / 2)
            margin = math.ceil(_TRUNCATE * sigma) + 1
            start = max(0, math.floor(place[0]) - margin)
            stop = min(self._shape[axis], math.ceil(place[-1]) + margin + 1)
            window.append(slice(start, stop))
            taps.append((place - start, sigma))
        z, y, x = window
        block = np.asarray(self._read((z, y, x)), np.float32)
        for axis, (place, sigma) in zip((-2, -1), taps, strict=True):
            if sigma > 0:
                block = gaussian_filter1d(block, sigma, axis, mode="nearest", truncate=_TRUNCATE)
            block = interpolate(block, place, axis)
        return block


def run_scaled(
    engine: Engine,
    read: Read,
    shape: Sequence[int],
    scale: float,
    *,
    tile_size: Sequence[int] | None = None,
    context: Context | None = None,
    scratch: Path | None = None,
) -> Iterator[Piece]:
    """Yield the maps of an image, computed at another size of it; see `Engine.run`.

    The maps of the resampled image are kept in 8 bit until all of them are there.

    Parameters
    ----------
    engine : Engine
        Applies the network.
    read, shape, tile_size, context
        As in `Engine.run`.
    scale : float
        Factor by which planes are resampled before the network; 1 leaves them as they are.
    scratch : Path, optional
        Folder for a scratch file where the maps are large; they are kept in memory if not given.

    Yields
    ------
    slices : tuple of slice
        Where (z, y, x) the piece lies in the image; pieces cover it once.
    maps : (K, z, y, x) float32
        Between 0 and 1.
    """
    if scale == 1:
        yield from engine.run(read, shape, tile_size=tile_size, context=context)
        return
    small = scaled_shape(shape, scale)
    maps = allocate((len(engine.target.maps), *small), np.uint8, scratch)
    reader = ScaledReader(read, shape, small)
    for at, piece in engine.run(reader, small, tile_size=tile_size, context=context):
        maps[(slice(None), *at)] = quantise(piece)
    rows = max(1, _PIECE // (len(maps) * shape[2]))
    columns = positions(small[2], shape[2])
    for z in range(shape[0]):
        for start in range(0, shape[1], rows):
            stop = min(start + rows, shape[1])
            place = positions(small[1], shape[1])[start:stop]
            first = max(0, math.floor(place[0]))
            strip = maps[:, z : z + 1, first : math.ceil(place[-1]) + 1].astype(np.float32) / np.float32(255)
            block = interpolate(interpolate(strip, place - first, -2), columns, -1)
            yield (slice(z, z + 1), slice(start, stop), slice(0, shape[2])), block


def positions(old: int, new: int) -> NDArray[np.float64]:
    """Return where the ``new`` pixels lie among ``old`` ones that cover the same length, within these."""
    return np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)


def interpolate(block: NDArray[np.float32], place: NDArray[np.float64], axis: int) -> NDArray[np.float32]:
    """Interpolate linearly at places along an axis, counted in pixels of the block."""
    size = block.shape[axis]
    below = np.clip(np.floor(place).astype(np.int64), 0, size - 1)
    above = np.minimum(below + 1, size - 1)
    shape = [1] * block.ndim
    shape[axis] = len(place)
    share: NDArray[Any] = (place - below).astype(np.float32).reshape(shape)
    return np.asarray(block.take(below, axis) * (1 - share) + block.take(above, axis) * share, np.float32)
