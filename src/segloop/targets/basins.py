"""Joining of watershed basins whose notch is too shallow to be an edge between objects."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


def _saddles(
    basins: NDArray[np.integer[Any]], height: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return pairs of touching basins (N, 2) and the highest pass (N,) between each, highest first."""
    firsts, seconds, passes = [], [], []
    for axis in range(basins.ndim):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(basins.ndim))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(basins.ndim))
        first, second = basins[low], basins[high]
        touching = (first != second) & (first > 0) & (second > 0)
        firsts.append(first[touching])
        seconds.append(second[touching])
        passes.append(np.minimum(height[low][touching], height[high][touching]))
    pair = np.stack([np.concatenate(firsts), np.concatenate(seconds)], axis=1).astype(np.int64)
    pair.sort(axis=1)
    saddle = np.concatenate(passes)
    order = np.argsort(-saddle, kind="stable")
    pair, saddle = pair[order], saddle[order]
    key = pair[:, 0] * (int(basins.max(initial=0)) + 1) + pair[:, 1]
    _, highest = np.unique(key, return_index=True)
    highest.sort()
    return pair[highest], saddle[highest]


def merge_shallow(
    basins: NDArray[np.integer[Any]], height: NDArray[np.float32], depth: float
) -> NDArray[np.int64]:
    """Join neighbouring basins unless the pass between them lies ``depth`` below both their peaks.

    Passes are taken from the highest down, so that what remains are the maxima of dynamics at least ``depth``
    (Grimaud 1992, "New measure of contrast: the dynamics"; Najman and Schmitt 1996) with their basins.

    Parameters
    ----------
    basins : (Z, Y, X) or (Y, X) int
        Watershed basins numbered from 1; 0 is background.
    height : same shape, float32
        The landscape whose peaks the basins belong to.
    depth : float
        In the unit of ``height``; 0 joins nothing.

    Returns
    -------
    same shape, int64
        Joined basins, with gaps in the numbers.
    """
    count = int(basins.max(initial=0)) + 1
    peak = np.full(count, -np.inf, np.float32)
    np.maximum.at(peak, basins.ravel(), height.ravel())
    parent = list(range(count))
    peaks = peak.tolist()

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    pairs, saddles = _saddles(basins, height)
    for (a, b), saddle in zip(pairs.tolist(), saddles.tolist(), strict=True):
        a, b = root(a), root(b)
        if a != b and min(peaks[a], peaks[b]) - saddle < depth:
            parent[b] = a
            peaks[a] = max(peaks[a], peaks[b])
    table = np.array([root(node) for node in range(count)], np.int64)
    return cast(NDArray[np.int64], table[basins])
