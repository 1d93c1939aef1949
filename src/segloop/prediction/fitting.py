"""Does a model fit an image: which channels feed it, slices, pixel size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segloop.core.errors import ModelError
from segloop.core.wording import counted
from segloop.images.image import default_names
from segloop.images.recipe import resolve_channels

if TYPE_CHECKING:
    from segloop.artifacts.model.model import ModelCard
    from segloop.config.predict import PredictConfig
    from segloop.images.image import Image

MAX_PIXEL_SIZE_RATIO = 1.25
"""Pixel sizes of image and model that differ by more than this factor are pointed out."""


@dataclass(frozen=True)
class Fit:
    """How a model is applied to an image.

    Attributes
    ----------
    channels : tuple of int
        Of the image, in the order of the channels that the model's recipe uses.
    slice_by_slice : bool
        Whether a 2D model is applied to each slice of a stack.
    remarks : tuple of (level, sentence)
        What the user should know; level is ``"info"`` or ``"warning"``.
    """

    channels: tuple[int, ...]
    slice_by_slice: bool
    remarks: tuple[tuple[str, str], ...]


def fit(card: ModelCard, image: Image, config: PredictConfig) -> Fit:
    """Decide how a model is applied to an image.

    Raises
    ------
    ModelError
        If the model expects other channels, or another number of dimensions.
    ImageError
        If a channel named in the config does not exist.
    """
    if config.diameter and card.object_diameter is None:
        raise ModelError(
            f"The model {card.name} takes images as they are: leave the object diameter at 0 (diameter=0)"
        )
    channels, remarks = _channels(card, image, config.channels)
    slice_by_slice = _check_slices(card, image, config.slice_by_slice)
    remarks += _pixel_size_remarks(card, image)
    return Fit(channels, slice_by_slice, tuple(remarks))


def _channels(
    card: ModelCard, image: Image, chosen: Sequence[str]
) -> tuple[tuple[int, ...], list[tuple[str, str]]]:
    wanted = list(card.recipe.channels)
    n_wanted = len(wanted)
    expected = f"{n_wanted} ({', '.join(wanted)})"
    if chosen:
        channels = tuple(resolve_channels(image, list(chosen)))
        if len(channels) != n_wanted:
            raise ModelError(
                f"{counted(len(channels), 'channel')} chosen for `{image.name}`, "
                f"the model expects {expected}: choose that many under Channels ({_example(n_wanted)})"
            )
        return channels, []
    names = [name.casefold() for name in image.channel_names]
    # Default names (Channel 0, ...) do not identify channels of an image that has more of them.
    only_counted = tuple(wanted) == default_names(n_wanted) and image.n_channels != n_wanted
    missing = [name for name in wanted if names.count(name.casefold()) != 1]
    if not only_counted and not missing:
        return tuple(names.index(name.casefold()) for name in wanted), []
    if len(missing) < n_wanted and not only_counted:
        # Some fit by name, so the order means nothing.
        raise ModelError(
            f"`{image.name}` has no channel {', '.join(missing)} (it has {', '.join(image.channel_names)}), "
            f"the model expects {expected}: choose them under Channels ({_example(n_wanted)})"
        )
    if image.n_channels != n_wanted:
        raise ModelError(
            f"`{image.name}` has {counted(image.n_channels, 'channel')}, "
            f"the model expects {expected}: choose them under Channels ({_example(n_wanted)})"
        )
    channels = tuple(range(n_wanted))
    if n_wanted == 1:
        return channels, []
    found = ", ".join(image.channel_names)
    return channels, [
        ("info", f"`{image.name}`: channels {found} are taken in this order for {', '.join(wanted)}.")
    ]


def _check_slices(card: ModelCard, image: Image, slice_by_slice: bool) -> bool:
    is_3d = card.axes == "ZYX"
    if is_3d and image.n_slices == 1:
        raise ModelError(
            f"`{image.name}` has a single slice, the model is 3D: give it a stack, or choose a 2D model"
        )
    if is_3d or image.n_slices == 1:
        return False
    if not slice_by_slice:
        raise ModelError(
            f"`{image.name}` is a stack of {image.n_slices} slices, the model is 2D: "
            "switch on Slice by slice (slice_by_slice=true), or choose a 3D model"
        )
    return True


def _pixel_size_remarks(card: ModelCard, image: Image) -> list[tuple[str, str]]:
    first = 0 if card.axes == "ZYX" else 1
    for axis, own, models in list(zip("ZYX", image.pixel_size_um, card.pixel_size_um, strict=True))[first:]:
        if own and models and max(own / models, models / own) > MAX_PIXEL_SIZE_RATIO:
            return [
                (
                    "warning",
                    f"`{image.name}` has pixels of {own:.3g} um along {axis}, the model learned from "
                    f"{models:.3g} um: objects have another size than it knows, so check the result.",
                )
            ]
    return []


def _example(n_channels: int) -> str:
    return f"such as channels=[{','.join(map(str, range(n_channels)))}]"
