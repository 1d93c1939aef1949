"""Where the canvas looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


def look_at(viewer: Viewer, layer: Layer, place: Sequence[float]) -> None:
    """Bring a place into the middle of the canvas, and its slice into view.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    layer : napari.layers.Layer
        Whose pixels the place counts in.
    place : sequence of float
        Along each axis of the layer, in pixels.
    """
    world = np.asarray(layer.data_to_world(place), float)
    dims = viewer.dims
    first = dims.ndim - len(world)
    for axis in dims.not_displayed:
        if axis >= first:
            dims.set_point(axis, world[axis - first])
    middle = [world[axis - first] if axis >= first else 0.0 for axis in dims.displayed]
    scene = getattr(viewer, "scene", viewer)  # newer versions of napari have it there
    scene.camera.center = tuple(middle)
