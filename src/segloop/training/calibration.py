"""Thresholds chosen on the validation images after training."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from segloop.config.train import NormalisationConfig
from segloop.core.context import Context
from segloop.images.recipe import Recipe
from segloop.inference.engine import Engine
from segloop.targets import ParameterSet, Target, quantise
from segloop.training.cache import CachedSample
from segloop.training.validation import measure, predict_maps


@dataclass(frozen=True)
class Calibration:
    """Result of a calibration.

    Attributes
    ----------
    parameters : ParameterSet
        The chosen ones.
    reason : str
        Why, in one sentence; may be empty.
    """

    parameters: ParameterSet
    reason: str


def calibrate(
    samples: Sequence[CachedSample],
    engine: Engine,
    target: Target,
    parameters: ParameterSet,
    normalisation: NormalisationConfig,
    recipe: Recipe,
    context: Context,
    seconds: float,
) -> Calibration | None:
    """Try the target's candidates on images and let it choose among them.

    Parameters
    ----------
    samples : sequence of CachedSample
        Images that were not used for training.
    engine : Engine
        Holds the network.
    target : Target
        Names the candidates, measures their results and chooses.
    parameters : ParameterSet
        What the candidates start from.
    normalisation : NormalisationConfig
        Where scaled intensities are clipped.
    recipe : Recipe
        What the network's inputs are computed from.
    context : Context
        Cancels between candidates.
    seconds : float
        When this time is used up, further images are left out.

    Returns
    -------
    Calibration or None
        None if there are no candidates, not even one image could be tried in time, or nothing in the images
        tells them apart.

    Raises
    ------
    Cancelled
        If the user asks to stop.
    """
    candidates = target.candidates(parameters)
    if not candidates:
        return None
    started = time.monotonic()
    counts: list[list[Any]] = []
    for sample in samples:
        maps = quantise(predict_maps(sample, engine, len(target.maps), normalisation, recipe, context))
        row = []
        for candidate in candidates:
            context.check()
            if time.monotonic() - started > seconds:
                break
            row.append(measure(maps, sample, target, candidate))
        if len(row) < len(candidates):
            break
        counts.append(row)
    if not counts:
        return None
    choice = target.choose([reduce(add, column) for column in zip(*counts, strict=True)])
    return None if choice is None else Calibration(candidates[choice.index], choice.reason)
