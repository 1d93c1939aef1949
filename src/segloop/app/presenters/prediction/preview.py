"""New thresholds in the part of a large result that is in view, while the whole is being decoded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.core.context import Context
from segloop.targets import ParameterSet, Target, quantise
from segloop.targets.output import PROBABILITY, Output

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from segloop.app.presenters.prediction.result import Region
    from segloop.prediction.kept import Shown

LARGE = 1 << 21
"""Pixels (or voxels) of a result from which decoding takes long enough to show a preview first."""

MAX_LENGTH = 1024
"""Largest length of a preview along Y and X, in pixels."""

MARGIN = 64
"""Pixels around a preview that are decoded as well, so that objects at its edge are whole."""

_MARGIN_Z = 8


def is_large(shown: Shown) -> bool:
    """Whether a result has a kept probability in memory, and decoding it takes long."""
    maps = shown.arrays.get(PROBABILITY)
    return isinstance(maps, np.ndarray) and maps[:, 0].size >= LARGE


def decode_preview(
    shown: Shown, target: Target, thresholds: ParameterSet, region: Region, context: Context
) -> Shown:
    """Return a result with the part in view decoded with other thresholds, and the rest as it was.

    Objects in the two parts are numbered independently of each other.

    Parameters
    ----------
    shown : Shown
        The result, with its probability (T, K, Z, Y, X) in memory.
    target : Target
        Decodes the maps.
    thresholds : ParameterSet
        The new ones.
    region : tuple of slice
        What is in view, along T, Z, Y, X. At most `MAX_LENGTH` pixels around its middle are decoded.
    context : Context
        Cancel.

    Raises
    ------
    Cancelled
        If the user asked to stop.
    """
    maps = shown.arrays[PROBABILITY]
    n_t, _, n_z, n_y, n_x = maps.shape
    ts, zs, ys, xs = (_clip(part, n) for part, n in zip(region, (n_t, n_z, n_y, n_x), strict=True))
    ys, xs = _middle(ys), _middle(xs)
    margins = (_MARGIN_Z if target.dims == 3 else 0, MARGIN, MARGIN)
    wide = [
        slice(max(0, part.start - margin), min(n, part.stop + margin))
        for part, n, margin in zip((zs, ys, xs), (n_z, n_y, n_x), margins, strict=True)
    ]
    inner = tuple(
        slice(part.start - outer.start, part.stop - outer.start)
        for part, outer in zip((zs, ys, xs), wide, strict=True)
    )
    arrays: dict[Output, Any] = {}
    for t in range(ts.start, ts.stop):
        context.check()
        block: NDArray[np.uint8] = quantise(maps[t, :, wide[0], wide[1], wide[2]])
        decoded = target.decode(block, thresholds)
        for kind, array in shown.arrays.items():
            found = decoded.get(kind.name)
            if found is None or not isinstance(array, np.ndarray):
                continue
            if kind not in arrays:
                arrays[kind] = array.copy()
            arrays[kind][t, zs, ys, xs] = found[inner]
    context.check()
    return replace(shown, arrays={**shown.arrays, **arrays}, parameters=thresholds)


def _clip(part: slice, length: int) -> slice:
    start = min(max(0, int(part.start or 0)), length - 1)
    stop = length if part.stop is None else min(length, int(part.stop))
    return slice(start, max(start + 1, stop))


def _middle(part: slice) -> slice:
    length = part.stop - part.start
    if length <= MAX_LENGTH:
        return part
    start = part.start + (length - MAX_LENGTH) // 2
    return slice(start, start + MAX_LENGTH)
