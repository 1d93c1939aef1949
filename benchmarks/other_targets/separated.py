"""What the compared targets share with the built-in one: foreground, scores, choice of a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from segloop.targets import Choice, Decoded, quantise
from segloop.targets.instance import InstanceParameters, InstanceTarget
from segloop.targets.maps import at_least
from segloop.targets.objects import remove_small
from segloop.targets.scoring import ObjectCounts, middle_of_plateau


class SeparatedTarget(InstanceTarget):
    """Objects in planes; a subclass says how foreground is cut into objects."""

    splittings: ClassVar[tuple[float, ...]]
    """Values of ``splitting`` that calibration tries, from those that cut most."""

    @property
    def parameters_type(self) -> type[InstanceParameters]:  # type: ignore[override]
        """Stacks are not compared, so slices are not joined."""
        return InstanceParameters

    def decode(self, maps: NDArray[Any], parameters: InstanceParameters | None = None) -> Decoded:
        """Turn maps (K, Z, Y, X) into objects."""
        parameters = parameters or self.parameters
        maps = quantise(maps)
        mask = at_least(maps[0], parameters.foreground)
        labels = np.zeros(mask.shape, np.int32)
        for z, plane in enumerate(mask):
            found = self.separate(plane, maps[:, z], parameters.splitting)
            labels[z] = np.where(found > 0, found + labels.max(initial=0), 0)
        sized = remove_small(labels, parameters.min_size)
        return Decoded(labels=sized, mask=(sized > 0).astype(np.uint8))

    def separate(
        self, mask: NDArray[np.bool_], maps: NDArray[np.uint8], splitting: float
    ) -> NDArray[np.integer[Any]]:
        """Return the objects (Y, X) of a plane; maps are (K, Y, X)."""
        raise NotImplementedError

    def candidates(self, parameters: InstanceParameters) -> list[InstanceParameters]:
        """Return several values of ``splitting``."""
        return [parameters.override({"splitting": splitting}) for splitting in self.splittings]

    def choose(self, counts: Sequence[ObjectCounts]) -> Choice | None:
        """Choose as the built-in target does."""
        n_objects = counts[0].objects.n_truth
        if n_objects == 0:
            return None
        scores = [each.objects.mean_average_precision() for each in counts]
        index = middle_of_plateau(scores, n_objects)
        return Choice(index, f"Splitting {self.splittings[index]:g} works best.")
