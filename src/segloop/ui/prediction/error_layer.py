"""The errors of a result as contours in the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from segloop.core.object_errors import ErrorKind
from segloop.evaluation.error_image import ErrorImage
from segloop.ui.camera import look_at
from segloop.ui.error_contours import contours
from segloop.ui.prediction.ownership import result_marks
from segloop.ui.prediction.placement import arrange, result_axes

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

    from segloop.ui.prediction.result_layers import ResultLayers


class ErrorLayer:
    """Shows the errors of one result at a time, above all other layers.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to show them.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layer: Labels | None = None
        self._errors: ErrorImage | None = None
        self._axes = ""
        self._last: dict[ErrorKind, int] = {}

    def show(self, view: ResultLayers, errors: ErrorImage) -> None:
        """Show the errors of a result, instead of those before."""
        self._layer = contours(
            errors,
            arrange(errors.labels, view.axes),
            name=f"{view.name}, errors",
            metadata=result_marks(),
            **view.place,
        )
        self._errors, self._axes = errors, view.axes
        active = self._viewer.layers.selection.active
        self._viewer.layers.append(self._layer)
        if active is not None:  # the result stays the layer that the user works on
            self._viewer.layers.selection.active = active

    def remove(self) -> None:
        """Take the layer out of the viewer."""
        layer, self._layer, self._errors = self._layer, None, None
        self._last.clear()
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def go_to_next(self, kind: ErrorKind) -> None:
        """Bring the next object of a kind into the middle of the canvas."""
        layer, errors = self._layer, self._errors
        if layer is None or errors is None or layer not in self._viewer.layers:
            return
        numbers = [int(n) for n in errors.of_kind(kind) if np.isfinite(errors.centres[n - 1]).all()]
        if not numbers:
            return
        last = self._last.get(kind, 0)
        number = next((each for each in numbers if each > last), numbers[0])
        self._last[kind] = number
        centre = dict(zip("TZYX", errors.centres[number - 1], strict=True))
        # A slice that the object is in: the mean of its slices may lie between two.
        place = [float(round(centre[axis])) if axis in "TZ" else centre[axis] for axis in self._shown_axes]
        look_at(self._viewer, layer, place)
        layer.visible = True

    @property
    def _shown_axes(self) -> str:
        return result_axes(self._axes)
