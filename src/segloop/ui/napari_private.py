"""Every use of napari's and vispy's private parts, in one place.

Written for napari 0.6 to 0.9; ``tests/ui/test_napari_private.py`` fails when one of them is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.layers import Shapes
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget


def canvas_widget(viewer: Viewer) -> QWidget | None:
    """Return the widget that images are drawn in; None while napari has no window."""
    canvas = getattr(getattr(viewer.window, "_qt_viewer", None), "canvas", None)
    return canvas.native if canvas is not None else None


def is_drawing_shape(layer: Shapes) -> bool:
    """Whether the user is in the middle of drawing a shape."""
    return bool(layer._is_creating)


def finish_shape(layer: Shapes) -> None:
    """Finish the shape that the user is drawing, as Enter does."""
    layer._finish_drawing()
