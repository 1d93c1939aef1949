"""From a viewer layer to an image with named axes, and back to where its results belong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.app.layers import LayerImage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image

    from segloop.images.image import PixelSize

OWN = "prediction"
"""Value of ``layer.metadata["segloop"]`` of the layers that this dock adds."""

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
MOST_AXES = max(_POSSIBLE)
"""More axes, but for colour samples, can't be predicted."""

_LABELS = {"time": "T", "t": "T", "channel": "C", "channels": "C", "ch": "C", "c": "C"} | {
    axis.lower(): axis for axis in "ZYX"
}
_MICROMETRES = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "meter": 1e6}


def is_input(layer: Any) -> bool:
    """Whether a layer can be predicted: an image, and none of the dock's own results."""
    from napari.layers import Image

    return isinstance(layer, Image) and layer.metadata.get("segloop") != OWN


def possible_axes(layer: Image) -> tuple[str, ...]:
    """Return the axes a layer may have, without colour samples; the likeliest first, a single one where sure.

    Names that the user gave the layer's axes decide. There are none for a layer of too many axes.
    """
    named = tuple(_LABELS.get(str(label).strip().lower(), "?") for label in layer.axis_labels)
    if "?" not in named and len(set(named)) == len(named) and named[-2:] == ("Y", "X"):
        return ("".join(named),)
    return _POSSIBLE.get(layer.ndim, ())


def take_down(layers: Sequence[Image], axes: str) -> LayerImage:
    """Return what layers hold at this moment; several are the channels of one image."""
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


def result_axes(axes: str) -> str:
    """Return the axes of a result: those of its source without leading channels."""
    return axes.removeprefix("C")


def arrange(array: Any, axes: str) -> Any:
    """Bring a result (T, Z, Y, X) into the axes of its source; channels become an axis of length 1."""
    order = [axis for axis in result_axes(axes) if axis != "C"]
    for position, axis in reversed(list(enumerate("TZYX"))):
        if axis not in order:
            array = array[(slice(None),) * position + (0,)]
    present = [axis for axis in "TZYX" if axis in order]
    array = array.transpose([present.index(axis) for axis in order])
    index = tuple(None if axis == "C" else slice(None) for axis in result_axes(axes))
    return array[index]


def placement(layer: Image, axes: str) -> dict[str, Any]:
    """Return the arguments that put a result layer where its source is.

    A channel axis in the middle has length 1 in the result; it is stretched over all channels of the source,
    so that the result shows whichever channel is looked at.
    """
    from napari.utils.transforms import Affine

    scale, translate = list(layer.scale), list(layer.translate)
    kept = list(range(layer.ndim))
    if axes.startswith("C"):
        kept = kept[1:]
    elif "C" in axes:
        position = axes.index("C")
        n_channels = layer.data[0].shape[position] if layer.multiscale else layer.data.shape[position]
        translate[position] += scale[position] * (n_channels - 1) / 2
        scale[position] *= n_channels
    own = Affine(scale=scale, translate=translate, rotate=layer.rotate, shear=_shear(layer)).set_slice(kept)
    return {
        "scale": own.scale,
        "translate": own.translate,
        "rotate": own.rotate,
        "shear": _shear(own),
        "affine": layer.affine.set_slice(kept).affine_matrix,
        "units": [layer.units[axis] for axis in kept],
        "axis_labels": [layer.axis_labels[axis] for axis in kept],
    }


def _shear(owner: Any) -> Any:
    """Return the shear of a layer or transform; None without any, for which napari has a shape of its own."""
    return owner.shear if np.any(owner.shear) else None


def _pixel_size_um(layer: Image, axes: str) -> PixelSize:
    """Return the layer's scale where its units are lengths; a bare scale says nothing about micrometres."""
    sizes: dict[str, float] = {}
    for axis, scale, unit in zip(axes, layer.scale, layer.units, strict=True):
        if str(unit) in _MICROMETRES:
            sizes[axis] = abs(float(scale)) * _MICROMETRES[str(unit)]
    return sizes.get("Z"), sizes.get("Y"), sizes.get("X")
