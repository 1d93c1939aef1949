"""Warnings about images that look unlike those that a model was trained on, or are no usable images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segloop.images.look import Look, look_of
from segloop.prediction.contrast import MEDIAN_MARGIN

if TYPE_CHECKING:
    from segloop.artifacts.model.card import ModelCard
    from segloop.images.image import Image

_OVEREXPOSED = 0.02  # share of the pixels
_FEW_VALUES = 8


def look_remarks(card: ModelCard, image: Image, channels: Sequence[int]) -> list[str]:
    """Return a warning for each channel of an image that does not look as it should, one sentence each.

    A few blocks of the first time point are read.

    Parameters
    ----------
    card : ModelCard
        Of the model.
    image : Image
        The image.
    channels : sequence of int
        Those that the model's recipe uses.

    Raises
    ------
    ImageError
        If the image can't be read.
    """
    normalisation = card.normalisation
    percentiles = (
        (normalisation.low, normalisation.high) if normalisation.kind == "percentiles" else (1.0, 99.8)
    )
    shape = (image.n_slices, *image.shape[-2:])
    remarks = []
    for number, channel in enumerate(channels):
        look = look_of(partial(_block, image, channel), shape, percentiles)
        named = f", channel {image.channel_names[channel]}," if image.n_channels > 1 else ""
        usual = card.median_range[number] if card.median_range else None
        if sentence := _sentence(look, f"`{image.name}`{named}", usual):
            remarks.append(sentence)
    return list(dict.fromkeys(remarks))


def _block(image: Image, channel: int, z: slice, y: slice, x: slice) -> NDArray[Any]:
    block: NDArray[Any] = image.block(0, [channel], z, y, x)[0]
    return block


def _sentence(look: Look, name: str, usual: tuple[float, float] | None) -> str:
    if look.n_values <= 1:
        return f"{name} has the same value everywhere: choose another channel or image."
    if look.n_values <= _FEW_VALUES:
        return f"{name} has only {look.n_values} different values, so it may be a mask instead of an image."
    if usual is not None and _unlike(look.relative_median, usual):
        low, high = (f"{100 * each:.0f}" for each in usual)
        return (
            f"{name} looks unlike the training images, so check the result: its median lies at "
            f"{100 * look.relative_median:.0f} % of its intensity range, theirs at {low} to {high} %."
        )
    if look.at_highest > _OVEREXPOSED and look.relative_median < 1 - MEDIAN_MARGIN:
        return (
            f"{name} is overexposed: {100 * look.at_highest:.0f} % of its pixels have the highest value "
            f"({look.highest:g}), so objects that touch may not be separated."
        )
    return ""


def _unlike(median: float, usual: tuple[float, float]) -> bool:
    """Whether a median is unusual, and would be too if the image were inverted."""
    low, high = usual[0] - MEDIAN_MARGIN, usual[1] + MEDIAN_MARGIN
    return bool(np.isfinite(median)) and not (low <= median <= high or low <= 1 - median <= high)
