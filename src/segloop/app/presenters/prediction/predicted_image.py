"""The image behind a prediction of a file, read to be shown with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segloop.artifacts.prediction.provenance import Provenance
from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.images.image import RGB, PixelSize
from segloop.images.read import open_image
from segloop.prediction.kept import IN_MEMORY_LIMIT


@dataclass(frozen=True, eq=False)
class PredictedImage:
    """The image behind a prediction.

    Attributes
    ----------
    name : str
        What to call its layers.
    model : str
        Name of the model that it was predicted with.
    axes : str
        Of each layer, such as ``"ZYX"``.
    channels : tuple of (str, array)
        Name and pixels of each channel, along ``axes``; a colour image is one with samples last.
    is_rgb : bool
        Whether it is a colour image.
    scale : tuple of float
        Along ``axes``.
    units : tuple of str
        Along ``axes``.
    """

    name: str
    model: str
    axes: str
    channels: tuple[tuple[str, Any], ...]
    is_rgb: bool
    scale: tuple[float, ...]
    units: tuple[str, ...]


def read_predicted_image(record: Path, context: Context) -> PredictedImage:
    """Read the image of a prediction.

    Raises
    ------
    ImageError
        If the image is gone or can't be read.
    """
    provenance = Provenance.read(record)
    if provenance.input is None:
        raise ImageError(f"{record} does not say which file it was made from: open its outputs in napari.")
    image = open_image(provenance.input.path, provenance.scene or None)
    context.check()
    axes = "".join(axis for axis, n in zip("TZ", (image.n_timepoints, image.n_slices), strict=True) if n > 1)
    data: Any = image.data
    if int(np.prod(image.shape)) * image.dtype.itemsize <= IN_MEMORY_LIMIT:
        data = image.load()
    index = tuple(slice(None) if axis in axes + "YX" else 0 for axis in "TZYX")
    channels = [(name, data[:, number][index]) for number, name in enumerate(image.channel_names)]
    is_rgb = image.channel_names == RGB and image.dtype == np.uint8
    if is_rgb:
        channels = [("", np.stack([np.asarray(pixels) for _, pixels in channels], axis=-1))]
    size = _known(image.pixel_size_um)
    return PredictedImage(
        record.name.removesuffix(".json"),
        provenance.model.name,
        f"{axes}YX",
        tuple(channels),
        is_rgb,
        tuple(size.get(axis, 1.0) for axis in f"{axes}YX"),
        tuple("micrometer" if axis in size else "pixel" for axis in f"{axes}YX"),
    )


def _known(size: PixelSize) -> dict[str, float]:
    """Return the sizes along Z, Y and X that are known; none unless both Y and X are."""
    z, y, x = size
    if y is None or x is None:
        return {}
    return {"Y": y, "X": x, **({"Z": z} if z is not None else {})}
