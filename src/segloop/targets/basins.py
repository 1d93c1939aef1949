"""Watershed basins, and joining of those whose notch is too shallow to be an edge between objects."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 1 << 16  # pixels whose neighbours are compared at once: what that takes stays in the cache


def ascending_basins(
    height: NDArray[np.float32], mask: NDArray[np.bool_], spacing: Sequence[float] | None = None
) -> NDArray[np.int32]:
    """Return the basin of each pixel: the peak that is reached from it by the steepest way up.

    That is the watershed by topographic distance (Meyer 1994, "Topographic distance and watershed lines").
    The basin of a pixel depends on nothing beyond its way up.

    Parameters
    ----------
    height : (Z, Y, X) or (Y, X) float32
        The landscape.
    mask : same shape, bool
        Where ways may lead; by faces, edges and corners.
    spacing : sequence of float, optional
        Distance of two pixels along each axis; 1 if not given.

    Returns
    -------
    same shape, int32
        Basins numbered from 1; 0 outside the mask. On level ground the way leads to later pixels, so that a
        plateau may have several basins; `merge_shallow` joins them.
    """
    tall = np.full([size + 2 for size in mask.shape], -np.inf, np.float32)
    np.copyto(tall[(slice(1, -1),) * mask.ndim], height, where=mask)
    offsets = list(_offsets(tall.shape, spacing))
    tall = tall.ravel()
    inside = np.flatnonzero(tall > -np.inf)
    number = np.zeros(tall.size, np.int32)
    number[inside] = np.arange(len(inside), dtype=np.int32)
    up = np.empty(len(inside), np.int32)
    for start in range(0, len(inside), _AT_ONCE):
        here = inside[start : start + _AT_ONCE]
        own, to, steepest = tall[here], here.copy(), np.zeros(len(here), np.float32)
        for offset, length in offsets:
            rise = tall[here + offset]
            rise -= own
            rise /= length
            steeper = rise >= steepest if offset > 0 else rise > steepest
            np.copyto(steepest, rise, where=steeper)
            np.add(here, offset, out=to, where=steeper)
        up[start : start + _AT_ONCE] = number[to]
    while not np.array_equal(farther := up[up], up):
        up = farther
    peaks = up == np.arange(len(up), dtype=np.int32)
    basins = np.zeros(mask.shape, np.int32)
    basins[mask] = np.cumsum(peaks, dtype=np.int32)[up]
    return basins


def _offsets(
    shape: Sequence[int], spacing: Sequence[float] | None = None
) -> Iterator[tuple[int, np.float32]]:
    """Yield the step to each neighbour in a flat array, and its length."""
    units = spacing or [1.0] * len(shape)
    for step in itertools.product((-1, 0, 1), repeat=len(shape)):
        offset = 0
        for size, way in zip(shape, step, strict=True):
            offset = offset * size + way
        if offset:
            yield offset, np.float32(math.hypot(*(way * unit for way, unit in zip(step, units, strict=True))))


def saddles(
    basins: NDArray[np.integer[Any]], height: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return pairs of touching basins (N, 2) and the highest pass (N,) between each, highest first.

    Basins touch by faces, edges and corners, as objects of the foreground do.
    """
    # Flat, with a margin of background, a step to a neighbour is one number, and only foreground is read.
    padded, tall = np.pad(basins, 1), np.pad(height, 1).ravel()
    flat = padded.ravel()
    inside = np.flatnonzero(flat)
    basin = flat[inside]
    firsts, seconds, passes = [], [], []
    for offset, _ in _offsets(padded.shape):
        if offset < 0:  # the opposite step finds the same neighbours
            continue
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
) -> NDArray[np.int32]:
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
        In the unit of ``height``; 0 joins only what lies on one plateau.

    Returns
    -------
    same shape, int32
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
        notch = min(peaks[a], peaks[b]) - saddle
        if a != b and (notch < depth or notch == 0):
            parent[b] = a
            peaks[a] = max(peaks[a], peaks[b])
    table = np.array([root(node) for node in range(count)], np.int32)
    return cast(NDArray[np.int32], table[basins])
