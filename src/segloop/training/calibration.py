"""How deep a notch must be to cut objects apart, chosen on the validation images."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from segloop.config.train import NormalisationConfig
from segloop.core.context import Context
from segloop.core.metrics import InstanceCounts
from segloop.inference.engine import Engine
from segloop.targets import Target, Thresholds, quantise
from segloop.training.cache import CachedSample
from segloop.training.validation import count_objects, predict_maps

CANDIDATES = (0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25)
"""Values of ``splitting`` that are tried."""

_IOU = (0.5, 0.6, 0.7)


@dataclass(frozen=True)
class Calibration:
    """Result of a calibration.

    Attributes
    ----------
    thresholds : Thresholds
        With the chosen ``splitting``.
    n_objects : int
        Number of true objects it rests on.
    """

    thresholds: Thresholds
    n_objects: int


def calibrate(
    samples: Sequence[CachedSample],
    engine: Engine,
    target: Target,
    thresholds: Thresholds,
    normalisation: NormalisationConfig,
    context: Context,
    seconds: float,
) -> Calibration | None:
    """Choose ``splitting`` by average precision (mean of IoU 0.5, 0.6, 0.7), see `middle_of_plateau`.

    Parameters
    ----------
    samples : sequence of CachedSample
        Images that were not learnt from.
    engine : Engine
        Holds the network.
    target : Target
        The instance target.
    thresholds : Thresholds
        The others are kept.
    normalisation : NormalisationConfig
        Where scaled intensities are clipped.
    context : Context
        Cancels between images.
    seconds : float
        When this time is used up, further images are left out.

    Returns
    -------
    Calibration or None
        None if not even one image could be tried in time, or there are no objects.

    Raises
    ------
    Cancelled
        If the user asks to stop.
    """
    started = time.monotonic()
    counts: list[list[InstanceCounts]] = []
    for sample in samples:
        maps = quantise(predict_maps(sample, engine, len(target.maps), normalisation, context))
        arrays = sample.arrays()
        valid = np.asarray(arrays.valid[0])
        row = []
        for splitting in CANDIDATES:
            context.check()
            if time.monotonic() - started > seconds:
                break
            found = target.decode(maps, replace(thresholds, splitting=splitting)).labels
            assert found is not None
            row.append(count_objects(found, arrays.labels, valid, target.dims, _IOU))
        if len(row) < len(CANDIDATES):
            break
        counts.append(row)
    if not counts:
        return None
    pooled = [reduce(add, column) for column in zip(*counts, strict=True)]
    if pooled[0].n_truth == 0:
        return None
    scores = [float(np.mean([count.average_precision(iou) for iou in _IOU])) for count in pooled]
    splitting = CANDIDATES[middle_of_plateau(scores, pooled[0].n_truth)]
    return Calibration(replace(thresholds, splitting=splitting), pooled[0].n_truth)


def middle_of_plateau(scores: Sequence[float], n_objects: int) -> int:
    """Return the position in the middle of those scores that are as good as the best.

    The best value of a few images is mostly chance; the middle of the good ones is not.

    Parameters
    ----------
    scores : sequence of float
        Average precision, 0 to 1, for neighbouring values of a threshold.
    n_objects : int
        Number of true objects the scores rest on: less than one standard error of a proportion among so many
        is no difference.
    """
    smooth = np.convolve(np.pad(scores, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    best = float(smooth.max())
    good = np.flatnonzero(smooth >= best - math.sqrt(best * (1 - best) / n_objects))
    return int(good[len(good) // 2])
