"""Stacks that are too large for memory, read where they are looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Block = tuple[slice, slice, slice]

MOST_KEPT = 1 << 28
"""Bytes of the largest block that is kept."""


class LazyStack:
    """A read-only (Z, Y, X) array whose values are read, or computed, when they are asked for.

    Parameters
    ----------
    shape : (Z, Y, X)
        Size.
    dtype : data type
        Of the values.
    read : callable
        Returns the array of a block: slices along Z, Y, X with start and stop inside the array, without
        steps. The block that was read last is kept, unless it is large, so that two who look at the same one
        read it once.
    """

    ndim = 3

    def __init__(
        self, shape: tuple[int, int, int], dtype: Any, read: Callable[[Block], NDArray[Any]]
    ) -> None:
        self.shape = shape
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._read = read
        self._last: tuple[object, NDArray[Any]] | None = None

    @property
    def size(self) -> int:
        """Number of values."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def nbytes(self) -> int:
        """Bytes that all values would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Return the number of slices."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a part, as NumPy would; the key may have whole numbers, slices and an ellipsis.

        Raises
        ------
        IndexError
            If a number is outside, or the key has something else.
        SegloopError
            If it can't be read.
        """
        ranges, inner = self._places(key)
        block = tuple(slice(each.start, each.stop) for each in ranges)
        last = self._last
        name = tuple((each.start, each.stop) for each in ranges)
        if last is None or last[0] != name:
            values = self._read((block[0], block[1], block[2]))
            values.setflags(write=False)
            last = (name, values)
            self._last = last if values.nbytes <= MOST_KEPT else None
        return last[1][inner]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all values."""
        return np.asarray(self.load(), dtype=dtype)

    def load(self) -> NDArray[Any]:
        """Read everything, as an array that the caller may change; it is not kept."""
        z, y, x = self.shape
        return self._read((slice(0, z), slice(0, y), slice(0, x)))

    def _places(self, key: Any) -> tuple[list[range], tuple[int | slice, ...]]:
        """Return the block that a key needs, and the key within this block."""
        parts = list(key) if isinstance(key, tuple) else [key]
        if parts.count(Ellipsis) > 1 or len(parts) - parts.count(Ellipsis) > self.ndim:
            raise IndexError(f"{key} has too many indices for a stack of {self.ndim} axes.")
        at = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
        rest = parts[at + 1 :]
        parts = [*parts[:at], *[slice(None)] * (self.ndim - at - len(rest)), *rest]
        ranges: list[range] = []
        inner: list[int | slice] = []
        for part, size in zip(parts, self.shape, strict=True):
            if isinstance(part, slice):
                wanted = range(size)[part]
                first, last = (min(wanted), max(wanted)) if wanted else (0, -1)
                ranges.append(range(first, last + 1))
                whole = wanted.step == 1
                inner.append(slice(None) if whole else slice(None, None, wanted.step))
            elif isinstance(part, int | np.integer):
                place = range(size)[int(part)]
                ranges.append(range(place, place + 1))
                inner.append(0)
            else:
                raise IndexError(f"{part!r} is no index of a stack: use whole numbers and slices.")
        return ranges, tuple(inner)
