"""How large the objects of an image are, measured on what a model finds at several sizes of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.context import Context
from segloop.inference.tiles import Slices
from segloop.prediction.scaling import ScaledReader, scaled_shape
from segloop.targets import ParameterSet, Target, quantise

if TYPE_CHECKING:
    from segloop.inference.engine import Engine, Read

SMALLEST_SCALE, LARGEST_SCALE = 0.125, 2.5
"""Bounds of the factor by which an image is resampled."""

_AS_IT_IS = 1.25  # a size that differs by less than this factor is taken as it is
_SIDE = 768  # pixels of the resampled image that are looked at
_FIRST = 0.5
_OTHERS = (1.0, 0.25, 2.0)  # where nothing is found at first
_ENOUGH = 5  # objects
_TRIES = 3
_PLAUSIBLE = 1.35  # a size measured at about the size that the model knows is kept
# What models see in noise is faint (median 0.7, nuclei at least 0.9), and what they see in uneven light is
# about as large as the image and reaches beyond it.
_CLEAR = 0.8
_LARGEST_SHARE = 0.5


def scale_for(diameter: float | None, known: float) -> float:
    """Return the factor by which an image is resampled so that its objects have the size that a model knows.

    Parameters
    ----------
    diameter : float or None
        Of the objects in the image, in pixels; None if unknown.
    known : float
        Of the objects that the model knows, in pixels.

    Returns
    -------
    float
        1 where the sizes are similar or unknown.
    """
    if diameter is None or max(diameter / known, known / diameter) < _AS_IT_IS:
        return 1.0
    return float(min(LARGEST_SCALE, max(SMALLEST_SCALE, known / diameter)))


def measure_diameter(
    engine: Engine,
    target: Target,
    parameters: ParameterSet,
    read: Read,
    shape: Sequence[int],
    known: float,
    context: Context,
) -> float | None:
    """Return the typical diameter of the objects in an image.

    The model finds objects in the middle of the image, at half of its size. Unless these are about as large
    as those that the model knows, they are found again at the size at which they would be. Objects count only
    if the model is sure of most of them, and they are smaller than half of the image or lie wholly in it.

    Parameters
    ----------
    engine, target, parameters
        Find and decode the objects.
    read : callable
        Given slices (z, y, x) inside the image, returns that block (C, z, y, x) float32, normalised.
    shape : sequence of int
        Z, Y, X of the image; its middle slice is looked at.
    known : float
        Diameter of the objects that the model knows, in pixels.
    context : Context
        Cancel.

    Returns
    -------
    float or None
        Median diameter of a disk with the object's area, in pixels; None if no such objects are found.
    """
    scale = _FIRST if min(shape[1:]) * _FIRST >= 2 * known else 1.0
    found = None
    for other in (scale, *_OTHERS):
        found = _diameter_at(other, engine, target, parameters, read, shape, context)
        if found is not None:
            scale = other
            break
    for _ in range(_TRIES):
        if found is None or known / _PLAUSIBLE <= found * scale <= known * _PLAUSIBLE:
            break
        scale = min(LARGEST_SCALE, max(SMALLEST_SCALE, known / found))
        better = _diameter_at(scale, engine, target, parameters, read, shape, context)
        if better is None:
            break
        settled = abs(math.log(better / found)) < math.log(_AS_IT_IS) / 2
        found = better
        if settled:
            break
    return found


def _diameter_at(
    scale: float,
    engine: Engine,
    target: Target,
    parameters: ParameterSet,
    read: Read,
    shape: Sequence[int],
    context: Context,
) -> float | None:
    """Return the median diameter of what is found at a size of the image, in pixels of the image."""
    side = round(_SIDE / scale)
    y, x = (_middle(size, side) for size in shape[1:])
    z = shape[0] // 2

    def window(at: Slices) -> NDArray[np.float32]:
        return read((slice(z, z + 1), _moved(at[1], y.start), _moved(at[2], x.start)))

    size = (1, y.stop - y.start, x.stop - x.start)
    small = scaled_shape(size, scale)
    silent = Context(cancelled=context.cancelled)
    maps = engine.maps(ScaledReader(window, size, small), small, context=silent)
    labels, foreground = target.decode(maps, parameters).labels, target.foreground(quantise(maps))
    if labels is None or foreground is None or not labels.any() or _certainty(labels, foreground) < _CLEAR:
        return None
    diameter = float(np.median(2 * np.sqrt(object_areas(labels[0]) / np.pi)) / scale)
    if diameter >= _LARGEST_SHARE * min(shape[1:]) and not _whole(labels[0]).any():
        return None
    return diameter


def _certainty(labels: NDArray[Any], foreground: NDArray[np.uint8]) -> float:
    """Return the median over the objects of their mean probability of foreground, 0 to 1."""
    counts = np.bincount(labels.ravel())
    sums = np.bincount(labels.ravel(), foreground.ravel())
    found = counts[1:] > 0
    return float(np.median(sums[1:][found] / counts[1:][found]) / 255)


def object_areas(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return the areas of the objects in a plane; without those at its edges, if there are enough others."""
    areas = np.bincount(labels.ravel().astype(np.int64))
    areas[:1] = 0
    whole = np.where(_whole(labels), areas, 0)
    chosen = whole if np.count_nonzero(whole) >= _ENOUGH else areas
    return chosen[chosen > 0]


def _whole(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return for each number up to the highest whether its object is there and touches no edge."""
    there = np.bincount(labels.ravel().astype(np.int64)) > 0
    there[0] = False
    there[np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))] = False
    return np.asarray(there)


def _middle(size: int, wanted: int) -> slice:
    start = max(0, (size - wanted) // 2)
    return slice(start, min(size, start + wanted))


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)
