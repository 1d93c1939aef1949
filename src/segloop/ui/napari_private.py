"""Every use of napari's and vispy's private parts, in one place.

Written for napari 0.6 to 0.9; ``tests/ui/test_napari_private.py`` fails when one of them is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def painted_region(atoms: Any, shape: Sequence[int]) -> tuple[slice, ...]:
    """Return the smallest box around what one stroke in a Labels layer has changed.

    Parameters
    ----------
    atoms : sequence
        The ``value`` of the layer's ``paint`` event: masks within boxes, before napari 0.9 indices of
        pixels.
    shape : sequence of int
        Of the layer's data.

    Returns
    -------
    tuple of slice
        One for each axis; all of it where that is not known.
    """
    starts, stops = list(shape), [0] * len(shape)
    try:
        for atom in atoms:
            box = getattr(atom, "slice_key", None)
            parts = atom[0] if box is None else box
            for axis, (part, size) in enumerate(zip(parts, shape, strict=True)):
                if isinstance(part, slice):
                    start, stop, _ = part.indices(size)
                elif np.size(part):
                    start, stop = int(np.min(part)), int(np.max(part)) + 1
                else:
                    start, stop = size, 0
                starts[axis], stops[axis] = min(starts[axis], start), max(stops[axis], stop)
    except (AttributeError, TypeError, ValueError):
        return tuple(slice(0, size) for size in shape)
    return tuple(slice(min(start, stop), stop) for start, stop in zip(starts, stops, strict=True))
