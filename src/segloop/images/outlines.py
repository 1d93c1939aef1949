"""From outlines to pixels: a pixel is inside if its centre is, as in ImageJ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pixels_inside(
    paths: Sequence[NDArray[np.floating[Any]]], shape: tuple[int, int], *, holes: bool
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return the rows and columns inside closed paths, as far as they lie in the image.

    Parameters
    ----------
    paths : sequence of (corners, 2) arrays
        Y and x; pixel centres are at whole numbers.
    shape : (Y, X)
        Of the image.
    holes : bool
        Whether a path within another one is a hole, instead of a part that overlaps.

    Returns
    -------
    rows, columns : arrays of int, or None
        None if no path has three corners.
    """
    from skimage.draw import polygon2mask

    paths = [path for path in paths if len(path) > 2]
    if not paths:
        return None
    corners = np.concatenate(paths)
    first = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, shape)
    last = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, shape)
    inside = np.zeros(np.maximum(last - first, 0), bool)
    for path in paths if inside.size else ():
        part = polygon2mask(inside.shape, path - first)
        inside = inside ^ part if holes else inside | part
    rows, columns = np.nonzero(inside)
    return rows + first[0], columns + first[1]
