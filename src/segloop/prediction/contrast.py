"""Which channels of an image are inverted, because a model knows the opposite contrast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segloop.config.predict import Contrast

if TYPE_CHECKING:
    from segloop.artifacts.model.card import ModelCard
    from segloop.images.normalisation import Intensities

MEDIAN_MARGIN = 0.1
"""How far beyond the range of the training images a relative median is still usual."""


def find_inverted(card: ModelCard, intensities: Intensities, contrast: Contrast) -> NDArray[np.bool_]:
    """Decide which channels of an image to invert.

    Parameters
    ----------
    card : ModelCard
        Says where the medians of its training images lay.
    intensities : Intensities
        Of the image, for each channel of the card's recipe.
    contrast : Contrast
        What the user wants.

    Returns
    -------
    (C,) bool
        With `Contrast.auto`, where the median is unusual, but would not be if the channel were inverted.
    """
    median, turned = intensities.relative_medians, intensities.inverted_relative_medians
    if contrast is not Contrast.auto or not card.median_range:
        return np.full(len(median), contrast is Contrast.invert)
    low, high = np.array(card.median_range).T
    low, high = low - MEDIAN_MARGIN, high + MEDIAN_MARGIN
    unusual = (median < low) | (median > high)
    return np.asarray(unusual & (turned >= low) & (turned <= high))


def remark(card: ModelCard, image: str, names: Sequence[str], intensities: Intensities, number: int) -> str:
    """Return what the user should know of an image whose channels were inverted by themselves.

    Parameters
    ----------
    card : ModelCard
        Of the model.
    image : str
        Name of the image.
    names : sequence of str
        Of the inverted channels; empty if it has no others.
    intensities : Intensities
        Of the image.
    number : int
        Of the channel to give figures of.
    """
    which = f" (channels {', '.join(names)})" if names else ""
    low, high = card.median_range[number]
    return (
        f"`{image}` is inverted for the model{which}: its median lies at "
        f"{100 * intensities.relative_medians[number]:.0f} % of its intensity range, in training images at "
        f"{100 * low:.0f} to {100 * high:.0f} %. If this is wrong, set Contrast to keep (contrast=keep)."
    )
