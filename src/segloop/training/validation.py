"""How well a network does on whole held-aside images, by the very tiles that prediction uses."""

from __future__ import annotations

import math
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
from segloop.core.metrics import BinaryCounts, InstanceCounts, count_pixels, match_instances
from segloop.images.normalisation import normalise
from segloop.inference.engine import Engine
from segloop.targets import Target, Thresholds
from segloop.training.cache import CachedSample
from segloop.training.losses import target_loss

_DICE_UNCERTAINTY = 0.01


@dataclass(frozen=True)
class Scores:
    """Result of a validation.

    Attributes
    ----------
    loss : float
        Mean over the images of the training loss on the whole image.
    dice : float
        Dice coefficient pooled over the images; with several classes the micro average over them.
    ap50 : float or None
        Average precision at IoU 0.5 pooled over the images, for the instance target.
    n_objects : int
        Number of true objects that ``ap50`` rests on.
    """

    loss: float
    dice: float
    ap50: float | None = None
    n_objects: int = 0

    @property
    def score(self) -> float:
        """What counts, 0 to 1: AP where there is one, else Dice."""
        return self.dice if self.ap50 is None else self.ap50

    @property
    def uncertainty(self) -> float:
        """Difference of two scores below which they are as good as equal.

        Of AP, two standard errors of a proportion among so many objects, with two found and two missed added:
        else it would be 0 where none or all were found, however few there are (Agresti and Coull 1998).
        """
        if self.ap50 is None or self.n_objects == 0:
            return _DICE_UNCERTAINTY
        n = self.n_objects + 4
        found = (self.ap50 * self.n_objects + 2) / n
        return 2 * math.sqrt(found * (1 - found) / n)

    def values(self) -> dict[str, float]:
        """Return the values by the names they have in events and in ``metrics.csv``."""
        named = {"val_loss": self.loss, "val_dice": self.dice}
        return named if self.ap50 is None else {**named, "val_ap50": self.ap50}


def validate(
    samples: Sequence[CachedSample],
    engine: Engine,
    target: Target,
    thresholds: Thresholds,
    normalisation: NormalisationConfig,
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
        Decodes its maps.
    thresholds : Thresholds
        Where maps become objects.
    normalisation : NormalisationConfig
        Where scaled intensities are clipped.
    context : Context
        Cancels between tiles.

    Raises
    ------
    Cancelled
        If the user asks to stop.
    """
    losses, pixels, objects = [], [], []
    for sample in samples:
        context.check()
        maps = predict_maps(sample, engine, len(target.maps), normalisation, context)
        losses.append(whole_loss(maps, sample, target))
        arrays = sample.arrays()
        valid = np.asarray(arrays.valid[0])
        decoded = target.decode(maps, thresholds)
        found = decoded.classes if decoded.classes is not None else decoded.mask
        assert found is not None
        pixels.append(count_pixels(found, arrays.labels, valid, classes=decoded.classes is not None))
        if target.kind == "instance" and decoded.labels is not None:
            objects.append(count_objects(decoded.labels, arrays.labels, valid, target.dims, (0.5,)))
    total: BinaryCounts = reduce(add, pixels)
    if not objects:
        return Scores(float(np.mean(losses)), total.dice)
    matched: InstanceCounts = reduce(add, objects)
    return Scores(float(np.mean(losses)), total.dice, matched.average_precision(0.5), matched.n_truth)


def predict_maps(
    sample: CachedSample, engine: Engine, n_maps: int, normalisation: NormalisationConfig, context: Context
) -> NDArray[np.float32]:
    """Return the activated maps (K, Z, Y, X) of a whole image, 0 to 1."""
    raw = sample.arrays().raw
    ranges = np.array(sample.ranges, np.float32)

    def read(window: tuple[slice, ...]) -> NDArray[np.float32]:
        part = raw[(slice(None), *window)]
        return normalise(part, ranges, normalisation.clip_low, normalisation.clip_high)

    maps = np.empty((n_maps, *sample.shape), np.float32)
    silent = Context(cancelled=context.cancelled)
    for window, part in engine.run(read, sample.shape, context=silent):
        maps[(slice(None), *window)] = part
    return maps


def whole_loss(maps: NDArray[np.float32], sample: CachedSample, target: Target) -> float:
    """Return the training loss of activated maps (K, Z, Y, X) on a whole image."""
    arrays = sample.arrays()
    truth = torch.from_numpy(arrays.maps.astype(np.float32) / np.float32(255))
    valid = torch.from_numpy(np.broadcast_to(arrays.valid, maps.shape).copy())
    probability = torch.from_numpy(maps).clamp(1e-6, 1 - 1e-6)
    logits = probability.log() if target.activation == "softmax" else torch.logit(probability)
    kinds = [spec.kind for spec in target.maps]
    return float(target_loss(logits[None], truth[None], valid[None], kinds))


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
