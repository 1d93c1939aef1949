"""Reading label images: whole numbers, 0 for background, one number an object or class."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from segloop.core.errors import ImageError
from segloop.images.image import RGB, Image
from segloop.images.indexed_colour import palette_numbers
from segloop.images.lazy_stack import LazyStack
from segloop.images.read import open_image


def read_labels(
    path: str | os.PathLike[str], *, scene: str | int | None = None, channel: str | int | None = None
) -> np.ndarray:
    """Read a label image into memory.

    Parameters
    ----------
    path : path-like
        The label image.
    scene : str or int, optional
        Name or number of the scene; the first by default.
    channel : str or int, optional
        Name or number of the channel that holds the labels; needed where there are several.

    Returns
    -------
    numpy.ndarray
        (Z, Y, X) of the stored integer type (bool as uint8, decimal types as int64), no value below 0. Of a
        PNG, GIF or BMP with a palette, the numbers of the colours.

    Raises
    ------
    ImageError
        If it can't be read, or holds decimal numbers, colours, several channels or time points, or values
        below 0.
    """
    return open_labels(path, scene=scene, channel=channel).load()


def open_labels(
    path: str | os.PathLike[str], *, scene: str | int | None = None, channel: str | int | None = None
) -> LazyStack:
    """Open a label image, whose values are read, and checked, when they are asked for; as `read_labels`."""
    numbers = palette_numbers(Path(path)) if not scene and channel in (None, "") else None
    if numbers is not None:
        return _lazy(replace(Image.from_array(numbers, name=Path(path).name), path=Path(path)), None)
    return _lazy(open_image(path, scene), channel)


def labels_of(image: Image, channel: str | int | None = None) -> np.ndarray:
    """Read the labels out of an open image or a wrapped layer; as `read_labels`."""
    return _lazy(image, channel).load()


def _lazy(image: Image, channel: str | int | None) -> LazyStack:
    name = image.path or image.name
    if image.n_timepoints > 1:
        raise ImageError(
            f"{name} has {image.n_timepoints} time points, label images have one; "
            "save each time point as a file of its own."
        )
    if channel is None or channel == "":
        if image.channel_names == RGB:
            raise ImageError(
                f"{name} holds colours (red, green, blue), not labels; "
                "save it as a single-channel integer image."
            )
        if image.n_channels > 1:
            raise ImageError(
                f"{name} has {image.n_channels} channels ({', '.join(image.channel_names)}), "
                "label images have one; "
                "choose the channel with the labels or save it alone."
            )
        channel = 0
    index = image.channel_index(channel)
    decimal = image.dtype.kind == "f"

    def read(block: tuple[slice, slice, slice]) -> np.ndarray:
        labels: np.ndarray = image.block(0, [index], *block)[0]
        if decimal:
            labels = _whole_numbers(labels, str(name))
        if labels.dtype.kind == "i" and labels.min(initial=0) < 0:
            raise ImageError(
                f"{name} holds values below 0 (down to {labels.min()}), not labels; "
                "save it with 0 as background."
            )
        return labels

    return LazyStack(image.shape[2:], np.int64 if decimal else image.dtype, read)


def _whole_numbers(values: np.ndarray, name: str) -> np.ndarray:
    whole = np.isfinite(values).all() and bool((values == np.rint(values)).all())
    if not whole or np.abs(values.astype(np.float64)).max(initial=0) >= 2**53:
        raise ImageError(
            f"{name} holds decimal numbers ({values.dtype}), not labels; "
            "save it as an 8, 16 or 32-bit integer image."
        )
    return values.astype(np.int64)
