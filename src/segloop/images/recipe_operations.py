"""Operations by which channels become an input of the network, and the door for others.

An operation works on normalised intensities (0 is dark, 1 is bright), so that channels of different
brightness can be combined, and on each pixel by itself, so that an image can be computed in tiles.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from segloop.config import registries
from segloop.config.parameters import ParameterSet, parameter
from segloop.core.registry import Registry


class RecipeOperation(Protocol):
    """Computes one input of the network from channels of an image; a function will do.

    Two attributes are optional: ``options_type``, a `ParameterSet`, if it has options; and ``n_channels``,
    the least and the largest number of channels that it takes, None for any (without it, one or more).
    What is described here is its deterministic form, which validation and prediction use.
    """

    def __call__(self, channels: NDArray[np.float32], /, **options: Any) -> NDArray[Any]:
        """Return the input.

        Parameters
        ----------
        channels : (n, *S) float32
            Normalised intensities of a part of the image, not to be changed; S is (Y, X) or (Z, Y, X).
        **options
            All its options by name.

        Returns
        -------
        (*S) float
            Each pixel may depend on the same pixel of the channels only.
        """
        ...


RECIPE_OPERATIONS: Registry[RecipeOperation] = registries.RECIPE_OPERATIONS
"""The operations by name: our own, those registered by a script, and those of installed packages."""


class Pick:
    """One channel as it is."""

    n_channels = (1, 1)

    def __call__(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the channel."""
        found: NDArray[np.float32] = channels[0]
        return found


class MergeOptions(ParameterSet):
    """How channels are merged."""

    how: Literal["mean", "max"] = parameter(
        "mean", "How", "mean: the average of the channels; max: the brightest of them."
    )


class Merge:
    """The average, or the brightest, of several channels."""

    n_channels = (1, None)
    options_type = MergeOptions

    def __call__(self, channels: NDArray[np.float32], how: str) -> NDArray[np.float32]:
        """Return the merged channel."""
        merged: NDArray[np.float32] = channels.max(axis=0) if how == "max" else channels.mean(axis=0)
        return merged


class Blank:
    """Zero everywhere, for a model with an input that these images have no channel for."""

    n_channels = (0, 0)

    def __call__(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return zeros."""
        return np.zeros(channels.shape[1:], np.float32)


PICK, MERGE, BLANK = Pick(), Merge(), Blank()
