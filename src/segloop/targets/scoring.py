"""What the built-in targets share when they are validated and calibrated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.metrics import BinaryCounts, InstanceCounts, match_instances

DICE_UNCERTAINTY = 0.01
"""Difference of two Dice coefficients below which they are as good as equal."""


@dataclass(frozen=True)
class ObjectCounts:
    """Pixels and objects found and missed.

    Attributes
    ----------
    pixels : BinaryCounts
        Of the foreground.
    objects : InstanceCounts
        At some IoU thresholds.
    """

    pixels: BinaryCounts
    objects: InstanceCounts

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        return ObjectCounts(self.pixels + other.pixels, self.objects + other.objects)


def count_objects(
    found: NDArray[Any],
    truth: NDArray[Any],
    valid: NDArray[np.bool_],
    dims: int,
    thresholds: Sequence[float],
) -> InstanceCounts:
    """Match objects (Z, Y, X), slice by slice where ``dims`` is 2, at some IoU thresholds."""
    if dims == 3:
        return match_instances(found, truth, thresholds, valid)
    planes = zip(found, truth, valid, strict=True)
    return reduce(add, [match_instances(p, t, thresholds, v) for p, t, v in planes])


def proportion_uncertainty(proportion: float, n: int) -> float:
    """Return two standard errors of a proportion among ``n`` objects.

    Two found and two missed ones are added (Agresti and Coull 1998): otherwise it would be 0 where none or
    all were found, however few there are.
    """
    total = n + 4
    found = (proportion * n + 2) / total
    return 2 * math.sqrt(found * (1 - found) / total)


def middle_of_plateau(scores: Sequence[float], n_objects: int) -> int:
    """Return the position in the middle of those scores that are as good as the best.

    With few images the best value is mostly chance; the middle of the good ones is not.

    Parameters
    ----------
    scores : sequence of float
        Average precision, 0 to 1, for neighbouring values of a parameter.
    n_objects : int
        Number of true objects that the scores rest on: scores closer than one standard error of a proportion
        among so many objects are equal.
    """
    smooth = np.convolve(np.pad(scores, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    best = float(smooth.max())
    good = np.flatnonzero(smooth >= best - math.sqrt(best * (1 - best) / n_objects))
    return int(good[len(good) // 2])
