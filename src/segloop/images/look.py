"""What an image looks like, from a few blocks of it: how many values, overexposed, mostly dark or bright."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SIDE = 256  # pixels
_PER_AXIS = 3


@dataclass(frozen=True)
class Look:
    """What a channel of an image looks like.

    Attributes
    ----------
    n_values : int
        How many different values its pixels have; 0 if none of them is finite.
    highest : float
        The highest of them.
    at_highest : float
        Share of the pixels that have it, 0 to 1.
    relative_median : float
        Where the median lies between the two percentiles, 0 to 1; NaN if these are the same.
    """

    n_values: int
    highest: float
    at_highest: float
    relative_median: float


def look_of(
    read: Callable[[slice, slice, slice], NDArray[np.generic]],
    shape: tuple[int, int, int],
    percentiles: tuple[float, float] = (1.0, 99.8),
) -> Look:
    """Look at up to nine blocks of the middle slice of a channel.

    Parameters
    ----------
    read : callable
        Returns a block (Z, Y, X), given its slices.
    shape : tuple of int
        Z, Y, X.
    percentiles : tuple of float
        Between which the median is placed, in percent.
    """
    z = slice(shape[0] // 2, shape[0] // 2 + 1)
    blocks = [read(z, y, x).ravel() for y in _spread(shape[1]) for x in _spread(shape[2])]
    values = np.concatenate(blocks).astype(np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return Look(0, 0.0, 0.0, float("nan"))
    highest = float(values.max())
    low, middle, high = np.percentile(values, [percentiles[0], 50, percentiles[1]])
    median = float((middle - low) / (high - low)) if high > low else float("nan")
    share = float(np.count_nonzero(values == highest) / values.size)
    return Look(len(np.unique(values)), highest, share, median)


def _spread(length: int) -> list[slice]:
    """Return up to three extents that lie evenly along an axis; all of it if it is short."""
    if length <= _PER_AXIS * _SIDE:
        return [slice(0, length)]
    starts = np.linspace(0, length - _SIDE, _PER_AXIS).astype(int)
    return [slice(int(start), int(start) + _SIDE) for start in starts]
