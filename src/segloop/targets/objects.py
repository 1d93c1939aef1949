"""Small operations on label images."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


def connected_objects(mask: NDArray[np.bool_], dims: int) -> NDArray[np.uint32]:
    """Number the connected components of a mask (Z, Y, X), neighbours by face or corner.

    With ``dims`` 2 the slices are not connected to each other, but numbers go on from slice to slice.
    """
    import cc3d

    if dims == 3:
        return cast(NDArray[np.uint32], cc3d.connected_components(mask, connectivity=26).astype(np.uint32))
    labels = np.zeros(mask.shape, np.uint32)
    last = 0
    for z, plane in enumerate(mask):
        found = cc3d.connected_components(plane, connectivity=8).astype(np.uint32)
        labels[z] = np.where(found > 0, found + np.uint32(last), 0)
        last += int(found.max(initial=0))
    return labels


def remove_small(labels: NDArray[Any], min_size: int) -> NDArray[np.uint32]:
    """Remove objects of fewer than ``min_size`` pixels and number the others 1, 2, ... in their old order."""
    sizes = np.bincount(labels.ravel())
    keep = sizes >= max(1, min_size)
    keep[0] = False
    table = np.where(keep, np.cumsum(keep), 0).astype(np.uint32)
    return cast(NDArray[np.uint32], table[labels])
