"""Joining of watershed basins whose notch is too shallow to be an edge between objects."""

from __future__ import annotations

import itertools
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


def saddles(
    basins: NDArray[np.integer[Any]], height: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return pairs of touching basins (N, 2) and the highest pass (N,) between each, highest first.

    Basins touch by faces, edges and corners, as objects of the foreground do.
    """
    # Flat, with a margin of background, a step to a neighbour is one number, and only foreground is read.
    shape = [size + 2 for size in basins.shape]
    flat, tall = np.pad(basins, 1).ravel(), np.pad(height, 1).ravel()
    inside = np.flatnonzero(flat)
    basin = flat[inside]
    firsts, seconds, passes = [], [], []
    for step in itertools.product((-1, 0, 1), repeat=basins.ndim):
        if step <= (0,) * basins.ndim:  # the opposite step finds the same neighbours
            continue
        offset = 0
        for size, way in zip(shape, step, strict=True):
            offset = offset * size + way
        beside = flat[inside + offset]
        touching = np.flatnonzero((beside != basin) & (beside > 0))
        place = inside[touching]
        firsts.append(basin[touching])
        seconds.append(beside[touching])
        passes.append(np.minimum(tall[place], tall[place + offset]))
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

    pairs, passes = saddles(basins, height)
    for (a, b), saddle in zip(pairs.tolist(), passes.tolist(), strict=True):
        a, b = root(a), root(b)
        if a != b and min(peaks[a], peaks[b]) - saddle < depth:
            parent[b] = a
            peaks[a] = max(peaks[a], peaks[b])
    table = np.array([root(node) for node in range(count)], np.int64)
    return cast(NDArray[np.int64], table[basins])
