"""The semantic target: each pixel is foreground or not, or one of several classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.config.predict import OutputKind
from segloop.core.errors import DatasetError
from segloop.targets.maps import Decoded, Encoded, MapSpec, Thresholds, all_valid, at_least, quantise
from segloop.targets.objects import connected_objects, remove_small


@dataclass(frozen=True)
class SemanticTarget:
    """Foreground (one sigmoid map), or one of ``classes`` classes (a softmax map each).

    Attributes
    ----------
    classes : int
        Number of classes including background, at least 2.
    dims : {2, 3}
        Whether touching pixels of neighbouring slices belong to the same object.
    """

    classes: int = 2
    dims: int = 2

    @property
    def kind(self) -> str:
        """Name of the target."""
        return "semantic"

    @property
    def binary(self) -> bool:
        """Whether there is only foreground and background."""
        return self.classes == 2

    @property
    def maps(self) -> tuple[MapSpec, ...]:
        """The network's outputs, in order."""
        if self.binary:
            return (MapSpec("foreground", "probability"),)
        names = ["background", *(f"class {number}" for number in range(1, self.classes))]
        return tuple(MapSpec(name, "class") for name in names)

    @property
    def activation(self) -> str:
        """What turns logits into maps."""
        return "sigmoid" if self.binary else "softmax"

    @property
    def outputs(self) -> tuple[OutputKind, ...]:
        """What it can give, the natural one first."""
        if self.binary:
            return OutputKind.mask, OutputKind.labels, OutputKind.probability
        return OutputKind.classes, OutputKind.mask, OutputKind.probability

    @property
    def thresholds(self) -> Thresholds:
        """Defaults."""
        return Thresholds()

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

    def decode(self, maps: NDArray[Any], thresholds: Thresholds | None = None) -> Decoded:
        """Turn maps into a mask with its connected components, or into classes.

        Parameters
        ----------
        maps : (K, Z, Y, X) uint8 or float
            Probabilities; float ones are quantised first, so that kept maps give the same result.
        thresholds : Thresholds, optional
            ``foreground`` and ``min_size`` count; with several classes a pixel is foreground where background
            is less probable than ``1 - foreground``, and takes its most probable class.

        Returns
        -------
        Decoded
            ``mask`` and ``labels`` with two classes, else ``mask`` and ``classes``.
        """
        thresholds = thresholds or self.thresholds
        quantised = quantise(maps)
        if self.binary:
            mask = at_least(quantised[0], thresholds.foreground)
            labels = remove_small(connected_objects(mask, self.dims), thresholds.min_size)
            return Decoded(labels=labels, mask=(labels > 0).astype(np.uint8))
        foreground = quantised[0] <= np.floor((1 - thresholds.foreground) * 255 + 1e-6)
        if thresholds.min_size > 1:
            foreground = remove_small(connected_objects(foreground, self.dims), thresholds.min_size) > 0
        classes = np.where(foreground, quantised[1:].argmax(axis=0) + 1, 0).astype(np.uint8)
        return Decoded(mask=foreground.astype(np.uint8), classes=classes)
