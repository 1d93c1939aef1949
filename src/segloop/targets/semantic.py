"""The semantic target: each pixel is foreground or not, or one of several classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.config.parameters import ParameterSet, parameter
from segloop.core.errors import DatasetError
from segloop.core.metrics import BinaryCounts, count_pixels
from segloop.targets.maps import Decoded, all_valid, at_least, quantise
from segloop.targets.objects import connected_objects, remove_small
from segloop.targets.output import CLASSES, LABELS, MASK, PROBABILITY, Output
from segloop.targets.scoring import DICE_UNCERTAINTY
from segloop.targets.target import Encoded, LabelFacts, LossTerm, MapSpec, Metric, Score, Target

MAX_CLASSES = 64


class SemanticOptions(ParameterSet):
    """What can be chosen for a training of the semantic target."""

    classes: int = parameter(
        0,
        "Classes",
        "Number of classes including background; 0 counts them in the dataset (2 gives one foreground map).",
        minimum=0,
        maximum=MAX_CLASSES,
    )


class SemanticParameters(ParameterSet):
    """Where the maps of the semantic target become foreground."""

    foreground: float = parameter(
        0.5, "Foreground", "Probability from which a pixel is foreground.", minimum=0, maximum=1
    )
    min_size: int = parameter(
        0,
        "Min. size",
        "Connected parts with fewer pixels are removed.",
        unit="px",
        minimum=0,
        maximum=1_000_000_000,
    )


class SemanticTarget(Target[SemanticOptions, SemanticParameters]):
    """Foreground (one sigmoid map), or one of several classes (a softmax map each)."""

    title = "foreground or classes"
    description = "Which pixels are foreground, or of which class they are"
    options_type = SemanticOptions
    parameters_type = SemanticParameters
    metrics = (Metric("dice", "Dice"),)

    @classmethod
    def resolve_options(cls, options: SemanticOptions, labels: LabelFacts) -> tuple[SemanticOptions, str]:
        """Count the classes where their number is left open.

        Raises
        ------
        DatasetError
            If there are too many different values to be classes.
        """
        if options.classes:
            return SemanticOptions(classes=max(2, options.classes)), ""
        if labels.kind == "instances":
            return SemanticOptions(classes=2), "One foreground map because the labels number objects."
        values = labels.values()
        if len(values) <= 1:
            note = "One foreground map because the labels have one value besides background."
            return SemanticOptions(classes=2), note
        highest = max(values)
        if highest >= MAX_CLASSES:
            raise DatasetError(
                f"The labels in {labels.name} go up to {highest}, too many for classes (at most "
                f"{MAX_CLASSES - 1}): choose the instance target if they number objects, else renumber the "
                "classes from 1."
            )
        note = f"{highest + 1} classes with background because the labels go up to {highest}."
        return SemanticOptions(classes=highest + 1), note

    @property
    def classes(self) -> int:
        """Number of classes including background, at least 2."""
        return max(2, self.options.classes)

    @property
    def binary(self) -> bool:
        """Whether there is only foreground and background."""
        return self.classes == 2

    @property
    def maps(self) -> tuple[MapSpec, ...]:
        """The network's outputs, in order."""
        if self.binary:
            return (MapSpec("foreground"),)
        names = ["background", *(f"class {number}" for number in range(1, self.classes))]
        return tuple(MapSpec(name) for name in names)

    @property
    def activation(self) -> str:
        """What turns logits into maps."""
        return "sigmoid" if self.binary else "softmax"

    @property
    def losses(self) -> tuple[LossTerm, ...]:
        """Cross-entropy and Dice."""
        if self.binary:
            return (LossTerm("foreground", "binary_dice", (0,)),)
        return (LossTerm("classes", "class_dice", tuple(range(self.classes))),)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What it can give, the natural one first."""
        if self.binary:
            return MASK, LABELS, PROBABILITY
        return CLASSES, MASK, PROBABILITY

    def summary(self) -> str:
        """Return what a model of this target finds."""
        return "foreground" if self.binary else f"{self.classes} classes"

    def encode(self, labels: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Encoded:
        """Turn labels into network targets.

        Parameters
        ----------
        labels : (Z, Y, X) int
            0 is background; with two classes everything else is foreground, else the value is the class.
        valid : (Z, Y, X) bool, optional
            Where labels count.

        Returns
        -------
        Encoded
            Of one map with two classes, else of one 0/1 map a class.

        Raises
        ------
        DatasetError
            If a value that counts is not one of the classes.
        """
        valid = all_valid(labels, valid)
        if self.binary:
            return Encoded((labels > 0)[None].astype(np.float32), valid[None])
        counted = labels[valid]
        if counted.size and int(counted.max()) >= self.classes:
            raise DatasetError(
                f"The labels hold class {int(counted.max())} but the target has {self.classes} classes "
                "(with background): number classes without gaps, or raise the number of classes."
            )
        numbers = np.arange(self.classes).reshape(-1, 1, 1, 1)
        maps = (labels[None] == numbers).astype(np.float32)
        return Encoded(maps, np.broadcast_to(valid, maps.shape).copy())

    def decode(self, maps: NDArray[Any], parameters: SemanticParameters | None = None) -> Decoded:
        """Turn maps into a mask with its connected components, or into classes.

        Parameters
        ----------
        maps : (K, Z, Y, X) uint8 or float
            Probabilities; float ones are quantised first, so that kept maps give the same result.
        parameters : SemanticParameters, optional
            ``foreground`` and ``min_size`` count; with several classes a pixel is foreground where background
            is less probable than ``1 - foreground``, and takes its most probable class.

        Returns
        -------
        Decoded
            ``mask`` and ``labels`` with two classes, else ``mask`` and ``classes``.
        """
        parameters = parameters or self.parameters
        quantised = quantise(maps)
        if self.binary:
            mask = at_least(quantised[0], parameters.foreground)
            labels = remove_small(connected_objects(mask, self.dims), parameters.min_size)
            return Decoded(labels=labels, mask=(labels > 0).astype(np.uint8))
        foreground = quantised[0] <= np.floor((1 - parameters.foreground) * 255 + 1e-6)
        if parameters.min_size > 1:
            foreground = remove_small(connected_objects(foreground, self.dims), parameters.min_size) > 0
        classes = np.where(foreground, quantised[1:].argmax(axis=0) + 1, 0).astype(np.uint8)
        return Decoded(mask=foreground.astype(np.uint8), classes=classes)

    def decoding_memory(self, shape: Sequence[int]) -> int:
        """Return the bytes that `decode` takes: 17 per pixel were measured."""
        return 20 * math.prod(shape)

    def context(self, output: Output, parameters: SemanticParameters) -> tuple[int, int, int] | None:
        """Mask and classes need to see whether a part of the foreground has ``min_size`` pixels.

        A part with fewer pixels lies within ``min_size`` of any of them; of a larger one, those within that
        distance and connected there are as many.
        """
        if output == LABELS:
            return None
        reach = parameters.min_size if parameters.min_size > 1 else 0
        return (reach if self.dims == 3 else 0), reach, reach

    def with_foreground(self, parameters: SemanticParameters, probability: float) -> SemanticParameters:
        """Return parameters with this ``foreground``."""
        return parameters.override({"foreground": probability})

    def foreground(self, maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the probability of not being background."""
        return np.asarray(maps[0] if self.binary else 255 - maps[0])

    def measure(self, decoded: Decoded, labels: NDArray[Any], valid: NDArray[np.bool_]) -> BinaryCounts:
        """Count the pixels that agree; with several classes only those of the right class."""
        found = decoded.mask if decoded.classes is None else decoded.classes
        assert found is not None
        return count_pixels(found, labels, valid, classes=not self.binary)

    def score(self, counts: BinaryCounts) -> Score:
        """Return the Dice coefficient; with several classes the micro average over them."""
        return Score({"dice": counts.dice}, DICE_UNCERTAINTY)
