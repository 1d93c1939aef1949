"""Objects of neighbouring slices that belong together, where each slice was segmented on its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.matching import Ints, find_overlaps


def join_slices(labels: NDArray[Any], overlap: float) -> NDArray[np.uint32]:
    """Join objects across slices.

    An object and one in the next slice are joined if each is the other's best partner, by IoU, among those
    where the smaller of the two lies in the larger one by at least ``overlap``. So an object may shrink
    towards its ends, and of two objects above one only the better one is joined to it.

    Parameters
    ----------
    labels : (Z, Y, X) int
        Each object of each slice with a number of its own; 0 is background.
    overlap : float
        Share of the smaller object's pixels, above 0 and up to 1.

    Returns
    -------
    (Z, Y, X) uint32
        Objects numbered 1, 2, ... in the order of their first slice.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = int(labels.max(initial=0))
    links = [np.zeros((2, 1), np.int64)]  # background with itself, so that there is always one
    links += [_partners(labels[z - 1], labels[z], overlap) for z in range(1, len(labels))]
    below, above = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(len(below), bool), (below, above)), shape=(n + 1, n + 1))
    # Components are numbered by their first node, so background is 0.
    number = np.asarray(connected_components(graph, directed=False)[1], np.uint32)
    joined: NDArray[np.uint32] = number[labels]
    return joined


def _partners(below: NDArray[Any], above: NDArray[Any], overlap: float) -> Ints:
    """Return the numbers (2, N) of the objects of two slices that are joined."""
    found = find_overlaps(above, below)
    smaller = np.minimum(found.pred_area[found.pred_index], found.truth_area[found.truth_index])
    likely = np.flatnonzero(found.common >= overlap * smaller)
    one, other, iou = found.pred_index[likely], found.truth_index[likely], found.iou[likely]
    best_one, best_other = np.zeros(found.pred_labels.size), np.zeros(found.truth_labels.size)
    np.maximum.at(best_one, one, iou)
    np.maximum.at(best_other, other, iou)
    mutual = (iou == best_one[one]) & (iou == best_other[other])
    return np.stack([found.truth_labels[other[mutual]], found.pred_labels[one[mutual]]])
