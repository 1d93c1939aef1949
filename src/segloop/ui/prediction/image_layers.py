"""Shows the image behind a prediction of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segloop.app.presenters.prediction.predicted_image import PredictedImage
from segloop.core.units import micrometres_per

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

_COLOURS = ("green", "magenta", "cyan", "yellow", "red", "blue")


def add_to_viewer(viewer: Viewer, image: PredictedImage) -> Image:
    """Add the image's channels as layers; return the topmost one."""
    several = len(image.channels) > 1
    units = _units(viewer, image)
    for number, (name, pixels) in enumerate(image.channels):
        layer = viewer.add_image(
            pixels,
            name=f"{image.name} {name}" if several else image.name,
            rgb=image.is_rgb,
            scale=image.scale,
            units=units,
            axis_labels=[axis.lower() for axis in image.axes],
            blending="additive" if number else "translucent_no_depth",
            **({} if image.is_rgb else {"colormap": _COLOURS[number % 6] if several else "gray"}),
        )
    return layer


def _units(viewer: Viewer, image: PredictedImage) -> tuple[str, ...]:
    """Return the image's units, or pixels if the layers in the viewer have no units of length.

    napari ignores all units, with a warning, if one layer has lengths and another pixels.
    """
    present = viewer.layers.extent.units if len(viewer.layers) else None
    if present is not None and any(micrometres_per(unit) is None for unit in present[-2:]):
        return ("pixel",) * len(image.units)
    return image.units
