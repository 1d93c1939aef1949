"""The model that a run keeps: scored on the validation images, calibrated, saved."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from segloop.artifacts.model.card import card_name
from segloop.artifacts.model.model import (
    Model,
    ModelCard,
    NormalisationCard,
    RecipeCard,
    TargetCard,
)
from segloop.artifacts.run.run import Run
from segloop.config.train import NormalisationConfig
from segloop.core.context import Context
from segloop.images.recipe import Recipe
from segloop.inference.device import ResolvedDevice
from segloop.inference.engine import Engine
from segloop.networks import NetworkSpec
from segloop.targets import Metric, ParameterSet, Target
from segloop.training.cache import CachedSample
from segloop.training.calibration import calibrate
from segloop.training.losses import TargetLoss
from segloop.training.module import SegmentationModule
from segloop.training.patches import choose_corner
from segloop.training.validation import Scores, validate

_TEST_SIDE = {2: 128, 3: 32}  # pixels; of the test input that goes along with a model


@dataclass(frozen=True)
class ModelDescription:
    """Everything that goes into a model except its weights.

    Attributes
    ----------
    spec : NetworkSpec
        The network.
    target : Target
        What it learns.
    loss : TargetLoss
        By which it learns.
    parameters : ParameterSet
        Where maps become objects.
    recipe : Recipe
        What the inputs of the network are computed from.
    normalisation : NormalisationConfig
        How intensities are scaled.
    voxel_size_um : tuple of float or None
        Z, Y, X in micrometres.
    median_range : sequence of (float, float)
        See `ModelCard`.
    provenance : mapping
        Plain values: what it was made from.
    """

    spec: NetworkSpec
    target: Target
    loss: TargetLoss
    parameters: ParameterSet
    recipe: Recipe
    normalisation: NormalisationConfig
    voxel_size_um: tuple[float | None, float | None, float | None]
    median_range: Sequence[tuple[float, float]]
    provenance: Mapping[str, Any]


class ModelExporter:
    """Validates on whole images and saves the run's model.

    Parameters
    ----------
    run : Run
        Gets the model.
    description : ModelDescription
        Goes into it.
    val : sequence of CachedSample
        Images to score on; may be empty.
    example : CachedSample
        A patch of it becomes the model's test input.
    device : ResolvedDevice
        Where to compute.
    context : Context
        Cancels a validation.
    """

    def __init__(
        self,
        run: Run,
        description: ModelDescription,
        val: Sequence[CachedSample],
        example: CachedSample,
        device: ResolvedDevice,
        context: Context,
    ) -> None:
        self._run = run
        self._description = description
        self._val = tuple(val)
        self._example = example
        self._device = device
        self._context = context

    @property
    def has_validation_foreground(self) -> bool:
        """Whether any validation image has foreground that counts."""
        return any(len(sample.arrays().foreground) > 0 for sample in self._val)

    def validate(self, module: SegmentationModule) -> Scores | None:
        """Return the scores of the averaged network, None without validation images.

        Raises
        ------
        Cancelled
            If the user asks to stop.
        """
        if not self._val:
            return None
        about = self._description
        engine = Engine(module.average, about.target, self._device.device, self._device.mixed)
        return validate(
            self._val,
            engine,
            about.target,
            about.parameters,
            about.loss,
            about.normalisation,
            about.recipe,
            self._context,
        )

    def save_model(self, module: SegmentationModule, epoch: int, scores: Scores | None) -> None:
        """Replace the run's model by the averaged network, atomically."""
        extra = {"epoch": epoch, "scores": scores.values() if scores else {}}
        provenance = {**self._description.provenance, **extra}
        self._save(copy.deepcopy(module.average), self._description.parameters, provenance)

    def calibrate(self, seconds: float) -> str:
        """Choose parameters for the run's model on the validation images, and save it with them.

        Parameters
        ----------
        seconds : float
            Time to spend at most, roughly.

        Returns
        -------
        str
            What was chosen, in a sentence; empty if nothing was.

        Raises
        ------
        Cancelled
            If the user asks to stop; the model is then as it was.
        """
        about = self._description
        if not self._val or not self._run.model_dir.is_dir() or not about.target.candidates(about.parameters):
            return ""
        model = Model.load(self._run.model_dir)
        network = model.network()
        engine = Engine(network, about.target, self._device.device, self._device.mixed)
        found = calibrate(
            self._val,
            engine,
            about.target,
            about.parameters,
            about.normalisation,
            about.recipe,
            self._context,
            seconds,
        )
        if found is None:
            return ""
        self._save(network, found.parameters, model.card.provenance)
        return found.reason

    def _save(self, network: nn.Module, parameters: ParameterSet, provenance: Mapping[str, Any]) -> None:
        about = self._description
        network = network.to(torch.device("cpu"), torch.float32).eval()
        stride, halo = _geometry(network)
        card = ModelCard(
            name=card_name(self._run.name),
            axes="YX" if about.spec.dims == 2 else "ZYX",
            recipe=RecipeCard.of(about.recipe),
            network=about.spec.to_dict(),
            target=TargetCard(name=about.target.name, options=about.target.options.values()),
            normalisation=NormalisationCard(**asdict(about.normalisation)),
            pixel_size_um=about.voxel_size_um,
            median_range=list(about.median_range),
            stride=stride,
            halo=halo,
            parameters=parameters.values(),
            provenance=dict(provenance),
        )
        Model.save(self._run.model_dir, card, network, self._test_input(stride))

    def _test_input(self, stride: Sequence[int]) -> NDArray[Any]:
        """Return raw pixels (C, [Z,] Y, X) with some foreground."""
        side = _TEST_SIDE[len(stride)]
        size = [step * max(1, side // step) for step in stride]
        window = [1] * (3 - len(size)) + size
        arrays = self._example.arrays()
        corner = choose_corner(self._example.shape, window, arrays.foreground, np.random.default_rng(0))
        places = [slice(first, first + length) for first, length in zip(corner, window, strict=True)]
        pixels = arrays.raw[(slice(None), *places)]
        missing = [(0, length - have) for length, have in zip(window, pixels.shape[1:], strict=True)]
        return np.pad(pixels, [(0, 0), *missing], mode="symmetric").reshape(len(pixels), *size)


def _geometry(network: nn.Module) -> tuple[list[int], list[int] | None]:
    stride: Any = network.stride
    halo: Any = network.halo
    return [int(step) for step in stride], None if halo is None else [int(side) for side in halo]


def summary(scores: Mapping[str, float], metrics: Sequence[Metric]) -> str:
    """Return scores as in ``metrics.csv`` in words, such as ``AP at IoU 0.5 0.810, Dice 0.920``."""
    known = [(metric.title, scores.get(f"val_{metric.name}", math.nan)) for metric in metrics]
    return ", ".join(f"{title} {value:.3f}" for title, value in known if not math.isnan(value))


def median_range(medians: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Return the `ModelCard.median_range` of images whose channels have these relative medians."""
    if not medians:
        return []
    found = []
    for channel in zip(*medians, strict=True):
        known = [median for median in channel if not math.isnan(median)]
        if not known:
            return []
        low, high = np.percentile(known, [5, 95])
        found.append((round(float(low), 4), round(float(high), 4)))
    return found
