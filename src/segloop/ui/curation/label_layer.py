"""The labels that are corrected, in a Labels layer with napari's own tools and the dock's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.app.presenters.curation.label_editor import LINE_TOOLS, LabelEditor
from segloop.ui.camera import look_at
from segloop.ui.curation.layers import AXES, PREFIX
from segloop.ui.napari_private import painted_region
from segloop.ui.pixel_scale import plain

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_CLICK_PX = 4
_LINE_COLOUR = "#FFFFFF"
_BRUSH_PX = 10


class LabelLayer:
    """Shows the labels of a `LabelEditor` while they are corrected.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    editor : LabelEditor
        What is corrected; what the user does goes to it.
    on_created : callable
        Called with each new layer (to bind keys).
    """

    def __init__(self, viewer: Viewer, editor: LabelEditor, on_created: Callable[[Layer], None]) -> None:
        self._viewer, self._editor, self._on_created = viewer, editor, on_created
        self.layer: Any = None
        self._line: Any = None

    @property
    def present(self) -> bool:
        """Whether the layer is in the viewer."""
        return self.layer is not None and self.layer in self._viewer.layers

    def show(self, scale: Sequence[float], units: Sequence[str]) -> None:
        """Show the labels, with napari's brush in the hand and a new number on it.

        Parameters
        ----------
        scale, units : (z, y, x) or (y, x)
            Size and unit of a pixel, as those of the sample's other layers.
        """
        from napari.layers import Labels

        self.remove()
        labels = self._editor.labels
        if labels is None:
            return
        layer = Labels(
            plain(labels),
            name=f"{PREFIX}{self._editor.segmentation}, corrected",
            opacity=0.6,
            scale=scale,
            units=units,
            axis_labels=AXES[-len(units) :],
        )
        layer.metadata["segloop"] = "curation"
        layer.brush_size = _BRUSH_PX
        layer.selected_label = int(labels.max(initial=0)) + 1
        layer.events.paint.connect(self._on_paint)
        layer.events.mode.connect(self._on_mode)
        layer.mouse_drag_callbacks.append(self._on_drag)
        self.layer = layer
        self._on_created(layer)
        self._viewer.add_layer(layer)
        self._viewer.layers.selection.active = layer
        layer.mode = "paint"

    def refresh(self) -> None:
        """Show the labels after they were changed by other means than painting."""
        if self.present:
            self.layer.refresh()

    def show_tool(self, tool: str) -> None:
        """Take or put away one of the dock's own tools."""
        if not self.present:
            return
        if tool:
            self._viewer.layers.selection.active = self.layer
            self.layer.mode = "pan_zoom"
        self.layer.mouse_pan = tool not in LINE_TOOLS
        if tool in LINE_TOOLS:
            self._add_line()
        else:
            self._remove_line()

    def go_to(self, place: Sequence[float]) -> None:
        """Bring a place (z, y, x), in pixels, into the middle of the canvas."""
        if self.present:
            look_at(self._viewer, self.layer, place[-self.layer.ndim :])

    def show_slice(self, z: int) -> None:
        """Show a slice of a stack, where the canvas is."""
        if self.present and self.layer.ndim > 2:
            world = self.layer.data_to_world((z, 0, 0))
            self._viewer.dims.set_point(self._viewer.dims.ndim - 3, world[0])

    def remove(self) -> None:
        """Take the layers out of the viewer."""
        self._remove_line()
        if self.layer is None:
            return
        self.layer.events.paint.disconnect(self._on_paint)
        self.layer.events.mode.disconnect(self._on_mode)
        if self.present:
            self._viewer.layers.remove(self.layer)
        self.layer = None

    def _on_paint(self, event: Any) -> None:
        shape = self.layer.data.shape
        region = painted_region(event.value, shape)
        self._editor.take((slice(0, 1),) * (3 - len(shape)) + region)

    def _on_mode(self, event: Any) -> None:
        """Put the dock's tool away when the user takes one of napari's."""
        if str(event.mode) != "pan_zoom":
            self._editor.use("")

    def _on_drag(self, layer: Any, event: Any) -> Iterator[None]:
        tool = self._editor.tool
        if not tool or event.button != 1:
            return
        start = np.asarray(event.pos)
        path = [self._place(event)]
        yield
        while event.type == "mouse_move":
            path.append(self._place(event))
            if tool in LINE_TOOLS:
                self._draw(path)
            yield
        path.append(self._place(event))
        if tool in LINE_TOOLS:
            self._draw([])
            self._editor.draw_line(round(path[0][0]), [place[1:] for place in path])
        elif np.abs(np.asarray(event.pos) - start).max() <= _CLICK_PX:
            self._editor.click(path[0])

    def _place(self, event: Any) -> tuple[float, float, float]:
        """Return where the mouse is, along Z, Y and X, in pixels."""
        place = [float(value) for value in self.layer.world_to_data(event.position)]
        z, y, x = [0.0] * (3 - len(place)) + place[-3:]
        return z, y, x

    # The line that is drawn by the dock's tools

    def _add_line(self) -> None:
        from napari.layers import Shapes

        if self._line is not None and self._line in self._viewer.layers:
            return
        self._line = Shapes(
            None, ndim=2, name=f"{PREFIX}line", scale=self.layer.scale[-2:], units=self.layer.units[-2:],
            axis_labels=AXES[-2:],
        )  # fmt: skip
        self._line.metadata["segloop"] = "curation"
        self._on_created(self._line)
        self._viewer.add_layer(self._line)
        self._viewer.layers.selection.active = self.layer

    def _draw(self, path: Sequence[Sequence[float]]) -> None:
        if self._line is None or self._line not in self._viewer.layers:
            return
        self._line.data = []
        if len(path) > 1:
            width = 2 / max(self._viewer_zoom * float(self.layer.scale[-1]), 1e-6)
            self._line.add_paths(
                [np.array([place[1:] for place in path])], edge_color=_LINE_COLOUR, edge_width=width
            )

    @property
    def _viewer_zoom(self) -> float:
        return float(getattr(self._viewer, "scene", self._viewer).camera.zoom)

    def _remove_line(self) -> None:
        if self._line is not None and self._line in self._viewer.layers:
            self._viewer.layers.remove(self._line)
        self._line = None
