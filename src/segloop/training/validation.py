"""Scores of a network on whole validation images, computed in the same tiles as a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segloop.config.train import NormalisationConfig
from segloop.core.context import Context
from segloop.images.normalisation import normalise
from segloop.images.recipe import Recipe
from segloop.inference.engine import Engine
from segloop.targets import ParameterSet, Target
from segloop.training.cache import CachedSample
from segloop.training.losses import TargetLoss


@dataclass(frozen=True)
class Scores:
    """Result of a validation.

    Attributes
    ----------
    loss : float
        Mean over the images of the training loss on the whole image.
    metrics : dict of str to float
        Of each of the target's metrics, by name, pooled over the images; the first one decides.
    uncertainty : float
        Difference of two scores below which they are as good as equal.
    """

    loss: float
    metrics: dict[str, float]
    uncertainty: float

    @property
    def score(self) -> float:
        """The metric that decides, 0 to 1."""
        return next(iter(self.metrics.values()))

    def values(self) -> dict[str, float]:
        """Return the values by the names they have in events and in ``metrics.csv``."""
        return {"val_loss": self.loss, **{f"val_{name}": value for name, value in self.metrics.items()}}


def validate(
    samples: Sequence[CachedSample],
    engine: Engine,
    target: Target,
    parameters: ParameterSet,
    loss: TargetLoss,
    normalisation: NormalisationConfig,
    recipe: Recipe,
    context: Context,
) -> Scores:
    """Apply a network to whole images and compare with their ground truth, where that counts.

    Parameters
    ----------
    samples : sequence of CachedSample
        At least one.
    engine : Engine
        Holds the network.
    target : Target
        Decodes and measures its maps.
    parameters : ParameterSet
        Where maps become objects.
    loss : TargetLoss
        Of the training.
    normalisation : NormalisationConfig
        Where scaled intensities are clipped.
    recipe : Recipe
        What the network's inputs are computed from.
    context : Context
        Cancels between tiles.

    Raises
    ------
    Cancelled
        If the user asks to stop.
    """
    losses, counts = [], []
    for sample in samples:
        context.check()
        maps = predict_maps(sample, engine, len(target.maps), normalisation, recipe, context)
        losses.append(whole_loss(maps, sample, target, loss))
        counts.append(measure(maps, sample, target, parameters))
    score = target.score(reduce(add, counts))
    metrics = {metric.name: score.values[metric.name] for metric in target.metrics}
    return Scores(float(np.mean(losses)), metrics, score.uncertainty)


def measure(maps: NDArray[Any], sample: CachedSample, target: Target, parameters: ParameterSet) -> Any:
    """Decode the maps (K, Z, Y, X) of an image and compare with its labels, as the target does."""
    arrays = sample.arrays()
    return target.measure(target.decode(maps, parameters), arrays.labels, np.asarray(arrays.valid[0]))


def predict_maps(
    sample: CachedSample,
    engine: Engine,
    n_maps: int,
    normalisation: NormalisationConfig,
    recipe: Recipe,
    context: Context,
) -> NDArray[np.float32]:
    """Return the activated maps (K, Z, Y, X) of a whole image, 0 to 1."""
    raw = sample.arrays().raw
    ranges = np.array(sample.ranges, np.float32)

    def read(window: tuple[slice, ...]) -> NDArray[np.float32]:
        part = raw[(slice(None), *window)]
        return recipe.apply(normalise(part, ranges, normalisation.clip_low, normalisation.clip_high))

    maps = np.empty((n_maps, *sample.shape), np.float32)
    silent = Context(cancelled=context.cancelled)
    for window, part in engine.run(read, sample.shape, context=silent):
        maps[(slice(None), *window)] = part
    return maps


def whole_loss(maps: NDArray[np.float32], sample: CachedSample, target: Target, loss: TargetLoss) -> float:
    """Return the training loss of activated maps (K, Z, Y, X) on a whole image."""
    arrays = sample.arrays()
    truth = torch.from_numpy(arrays.maps.astype(np.float32) / np.float32(255))
    valid = torch.from_numpy(np.broadcast_to(arrays.valid, maps.shape).copy())
    probability = torch.from_numpy(maps).clamp(1e-6, 1 - 1e-6)
    logits = probability.log() if target.activation == "softmax" else torch.logit(probability)
    return float(loss(logits[None], truth[None], valid[None]))
