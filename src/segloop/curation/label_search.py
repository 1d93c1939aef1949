"""Finding the next object to look at, and the next slice without labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segloop.core.context import Context
from segloop.curation.pixels import Stack

Labels = NDArray[np.unsignedinteger]


def neighbour(labels: Labels, number: int, step: int) -> int:
    """Return the number of the object after (``step`` 1) or before (-1) another, in a circle.

    Parameters
    ----------
    labels : (Z, Y, X) unsigned integer
        Objects by number; 0 is background.
    number : int
        The object before; it need not exist. 0 begins with the first or the last object.
    step : int
        1 or -1.

    Returns
    -------
    int
        0 if there is no object.
    """
    present = np.zeros(int(labels.max(initial=0)) + 1, bool)
    present[labels.ravel()] = True
    present[0] = False
    numbers = np.flatnonzero(present)
    if not numbers.size:
        return 0
    if step > 0:
        return int(numbers[np.searchsorted(numbers, number, "right") % numbers.size])
    return int(numbers[np.searchsorted(numbers, number, "left") - 1])


def middle_of(labels: Labels, number: int) -> tuple[int, int, int]:
    """Return z, y, x of a pixel of an object, about in its middle, in the slice that shows most of it.

    Raises
    ------
    ValueError
        If there is no such object.
    """
    inside = labels == number
    sizes = np.count_nonzero(inside, axis=(1, 2))
    if not sizes.any():
        raise ValueError(f"There is no object {number}.")
    z = int(sizes.argmax())
    pixels = np.argwhere(inside[z])
    nearest = np.square(pixels - pixels.mean(0)).sum(1).argmin()
    return z, int(pixels[nearest, 0]), int(pixels[nearest, 1])


def unlabelled_slice(labels: Labels, z: int) -> int | None:
    """Return the first slice after slice ``z`` without labels, in a circle; None if there is none."""
    empty = np.flatnonzero(~labels.any(axis=(1, 2)))
    if not empty.size:
        return None
    return int(empty[np.searchsorted(empty, z, "right") % empty.size])


def unlabelled_ranges(labels: Stack, context: Context | None = None) -> list[tuple[int, int]]:
    """Return the first and the last slice of each run of slices without labels.

    Parameters
    ----------
    labels : (Z, Y, X) integer array or LazyStack
        Read slice by slice.
    context : Context, optional
        For cancel.
    """
    context = context or Context()
    labelled = np.zeros(len(labels), bool)
    for z in range(len(labels)):
        context.check()
        labelled[z] = labels[z].any()
    empty = np.flatnonzero(~labelled)
    runs = np.split(empty, np.flatnonzero(np.diff(empty) > 1) + 1) if empty.size else []
    return [(int(run[0]), int(run[-1])) for run in runs]
