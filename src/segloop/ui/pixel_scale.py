"""Axes, size and unit of the pixels of layers, so that they fit the layers that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segloop.core.units import micrometres_per
from segloop.ui.dock_layers import owner

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from segloop.images.image import PixelSize


def length_unit(viewer: Viewer, dock: str) -> str:
    """Return the unit of the layers that do not belong to a dock: a length, or ``pixel``; else micrometre.

    Where layers differ in it, napari warns and ignores all units, and between units of length it (0.9)
    draws with the mouse in the wrong place.
    """
    others = [each for each in viewer.layers if owner(each) != dock]
    units = viewer.layers.get_extent(others).units if others else None
    unit = str(units[-1]) if units else "micrometer"
    return unit if unit == "pixel" or micrometres_per(unit) is not None else "micrometer"


def scale_and_units(
    pixel_size_um: PixelSize, n_slices: int, unit: str
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Return size and unit of a pixel along (Z, Y, X), or (Y, X) of a single plane.

    A slice of unknown thickness is shown as thick as a pixel is high, but in pixels. In the unit ``pixel``,
    the size is in heights of a pixel.
    """
    per_unit = micrometres_per(unit) or 1.0
    z, y, x = (size / per_unit if size else None for size in pixel_size_um)
    first = 0 if n_slices > 1 else 1
    if not y or not x:
        return (1.0, 1.0, 1.0)[first:], ("pixel", "pixel", "pixel")[first:]
    if unit == "pixel":
        return ((z or y) / y, 1.0, x / y)[first:], ("pixel", "pixel", "pixel")[first:]
    return (z or y, y, x)[first:], (unit if z else "pixel", unit, unit)[first:]


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """Drop the Z axis of a single plane: ``(1, Y, X) -> (Y, X)``."""
    return array[0] if array.shape[0] == 1 else array
