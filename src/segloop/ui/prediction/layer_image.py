"""From a viewer layer to an image with named axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.app.layers import LayerImage
from segloop.core.units import micrometres
from segloop.ui.prediction.ownership import is_result
from segloop.ui.prediction.placement import data_to_world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image

    from segloop.images.image import PixelSize

AXES_WORDS = {
    "YX": "plane",
    "ZYX": "Z stack",
    "TYX": "time series",
    "CYX": "channels",
    "TZYX": "time, Z",
    "CZYX": "channels, Z",
    "ZCYX": "Z, channels",
    "TCYX": "time, channels",
    "TCZYX": "time, channels, Z",
    "TZCYX": "time, Z, channels",
    "CTZYX": "channels, time, Z",
}
"""What the axes before Y and X are called on screen."""

_POSSIBLE = {
    2: ("YX",),
    3: ("ZYX", "TYX", "CYX"),
    4: ("TZYX", "CZYX", "ZCYX", "TCYX"),
    5: ("TCZYX", "TZCYX", "CTZYX"),
}
MAX_AXES = max(_POSSIBLE)
"""Largest number of axes that can be predicted, not counting colour samples."""

_AXIS_OF_LABEL = {"time": "T", "t": "T", "channel": "C", "channels": "C", "ch": "C", "c": "C"} | {
    axis.lower(): axis for axis in "ZYX"
}


def is_input(layer: Any) -> bool:
    """Whether a layer can be predicted: an image that is not one of the dock's own results."""
    from napari.layers import Image

    return isinstance(layer, Image) and not is_result(layer)


def possible_axes(layer: Image) -> tuple[str, ...]:
    """Return the axes a layer may have, without colour samples: the likeliest first, only one if certain.

    Axis labels set in napari decide. The result is empty for a layer with too many axes.
    """
    named = tuple(_AXIS_OF_LABEL.get(str(label).strip().lower(), "?") for label in layer.axis_labels)
    if "?" not in named and len(set(named)) == len(named) and named[-2:] == ("Y", "X"):
        return ("".join(named),)
    return _POSSIBLE.get(layer.ndim, ())


def read_layers(layers: Sequence[Image], axes: str) -> LayerImage:
    """Return what layers contain at this moment; several layers are the channels of one image."""
    first = layers[0]
    path = getattr(first.source, "path", None)
    names: tuple[str, ...] = ()
    if len(layers) > 1 or ("C" not in axes and not first.rgb):
        names = tuple(layer.name for layer in layers)
    return LayerImage(
        name=first.name,
        parts=tuple(layer.data[0] if layer.multiscale else layer.data for layer in layers),
        axes=axes + ("S" if first.rgb else ""),
        channel_names=names,
        pixel_size_um=_pixel_size_um(first, axes),
        source=str(path) if path and len(layers) == 1 else "",
    )


def _pixel_size_um(layer: Image, axes: str) -> PixelSize:
    """Return the size of a pixel in the world where the layer's units are lengths.

    A scale without a unit of length says nothing about micrometres.
    """
    steps = np.linalg.norm(data_to_world(layer)[:-1, :-1], axis=0)
    sizes = {axis: micrometres(step, unit) for axis, step, unit in zip(axes, steps, layer.units, strict=True)}
    return sizes.get("Z"), sizes.get("Y"), sizes.get("X")
