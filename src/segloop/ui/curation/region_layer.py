"""One kind of region in a Shapes layer of its own, kept in step with the sample in both directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from segloop.app.presenters.curation.drawing import DrawnShape, Kind, ShapeKind
from segloop.artifacts.dataset.manifest import Region
from segloop.ui.curation.layers import AXES, PREFIX, place
from segloop.ui.napari_private import finish_shape, is_drawing_shape

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_MODES = {
    "polygon": "add_polygon",
    "rectangle": "add_rectangle",
    "ellipse": "add_ellipse",
    "path": "add_polygon_lasso",
}
_SHAPES: dict[str, ShapeKind] = {"polygon": "polygon", "rectangle": "rectangle", "ellipse": "ellipse"}
_COLOURS = {"exclude": "#BDBDBD", "merge": "#F0E442"}
_SMALLEST_AREA = 1.0
_STRAY_CLICK_PX = 5


class RegionEdits(Protocol):
    """Receives what the user draws."""

    def add_region(self, kind: Kind, shape: ShapeKind, vertices: NDArray[np.float64]) -> str:
        """Keep a new region and return its id; an empty string if it was refused."""
        ...

    def move_regions(self, moved: Sequence[DrawnShape]) -> None:
        """Keep the new vertices of regions."""
        ...

    def remove_regions(self, region_ids: Sequence[str]) -> None:
        """Delete regions."""
        ...


class RegionLayer:
    """A Shapes layer for the regions of one kind.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    kind : {"exclude", "merge"}
    edits : RegionEdits
        Called when a shape is finished, moved or deleted.
    on_created : callable
        Called with each new layer (to bind keys).
    on_mode : callable
        Called when the layer's tool has changed.
    """

    def __init__(
        self,
        viewer: Viewer,
        kind: Kind,
        edits: RegionEdits,
        on_created: Callable[[Layer], None],
        on_mode: Callable[[], None],
    ) -> None:
        self._viewer, self.kind, self._edits = viewer, kind, edits
        self._on_created, self._on_mode = on_created, on_mode
        self.layer: Any = None
        self._regions: tuple[Region, ...] = ()
        self._known: list[DrawnShape] = []
        self._updating = False
        self._settling = False
        self._wanted: Callable[[int | None], None] | None = None
        self._z: int | None = None
        self._tool: ShapeKind = "polygon"

    @property
    def present(self) -> bool:
        """Whether the layer is in the viewer."""
        return self.layer is not None and self.layer in self._viewer.layers

    @property
    def drawing(self) -> bool:
        """Whether one of napari's drawing tools is on."""
        return self.present and str(self.layer.mode).startswith("add_")

    def show(
        self,
        regions: Sequence[Region],
        scale: Sequence[float],
        units: Sequence[str],
        size: float,
        z: int | None,
    ) -> None:
        """Show the regions of a sample.

        Parameters
        ----------
        regions : sequence of Region
            Those of other kinds are left out.
        scale, units : (y, x)
            Size and unit of a pixel.
        size : float
            Larger side of the image in pixels, for lines that can be seen.
        z : int or None
            Slice on screen; regions of other slices are hidden. None shows all.
        """
        self._regions = tuple(region for region in regions if region.kind == self.kind)
        if self._settling:
            self._wanted = partial(self.show, regions, scale, units, size)
            return
        self._wanted = None
        if not self.present:
            self._create(scale, units)
        wanted = [DrawnShape(each.id, each.shape, np.asarray(each.vertices, float)) for each in self._regions]
        current = [(each.region_id, each) for each in self._known]
        same = len(wanted) == len(current) and all(
            new.region_id == old_id and new.same_place(old)
            for new, (old_id, old) in zip(wanted, current, strict=True)
        )
        self._updating = True
        try:
            place(self.layer, scale, units)
            self.layer.current_edge_width = max(1.0, size / 300)
            if not same:
                self.layer.selected_data = set()
                self.layer.data = [(each.vertices, _SHAPES.get(each.shape, "polygon")) for each in wanted]
                self.layer.edge_width = [max(1.0, size / 300)] * len(wanted) if wanted else 1.0
                self._known = wanted
        finally:
            self._updating = False
        self.show_slice(z)

    def show_slice(self, z: int | None) -> None:
        """Hide the regions of other slices."""
        self._z = z
        if not self.present or not self._regions or len(self.layer.data) != len(self._regions):
            return
        edges = [_colour(self.kind, 1.0 if _in_slice(each, z) else 0.0) for each in self._regions]
        faces = [_colour(self.kind, 0.15 if _in_slice(each, z) else 0.0) for each in self._regions]
        if not np.allclose(self.layer.edge_color, edges):
            # Selected, it would stay outlined in slices that it doesn't cover.
            self.layer.selected_data = set()
            self.layer.edge_color = edges
            self.layer.face_color = faces
            self._set_pen()

    def draw(self, tool: ShapeKind) -> None:
        """Select the layer and turn napari's tool for a shape on."""
        self._tool = tool
        self.layer.visible = True
        self._viewer.layers.selection.active = self.layer
        self.layer.mode = _MODES[tool]

    def finish(self) -> bool:
        """Finish the shape that is being drawn, as Enter does; returns whether there was one."""
        if not self.present or not is_drawing_shape(self.layer):
            return False
        finish_shape(self.layer)
        return True

    def stop(self) -> None:
        """Finish what is being drawn and put the tool away."""
        self.finish()
        if self.drawing:
            self.layer.mode = "pan_zoom"

    def selected_ids(self) -> list[str]:
        """Return the ids of the regions selected in the layer."""
        if not self.present:
            return []
        return [
            self._known[index].region_id
            for index in sorted(self.layer.selected_data)
            if index < len(self._known)
        ]

    def select(self, region_id: str) -> None:
        """Select one region with napari's own tool."""
        for index, each in enumerate(self._known):
            if each.region_id == region_id and self.present:
                self._viewer.layers.selection.active = self.layer
                self.layer.mode = "select"
                self.layer.selected_data = {index}

    def remove(self) -> None:
        """Take the layer out of the viewer."""
        if self.layer is not None:
            self.layer.events.data.disconnect(self._on_data)
            self.layer.events.mode.disconnect(self._on_mode_event)
            if self.present:
                self._viewer.layers.remove(self.layer)
        self.layer = None
        self._known = []

    def _create(self, scale: Sequence[float], units: Sequence[str]) -> None:
        from napari.layers import Shapes

        self.remove()
        layer = Shapes(
            None,
            ndim=2,
            name=f"{PREFIX}{self.kind} regions",
            scale=scale,
            units=units,
            axis_labels=AXES[-2:],
        )
        layer.metadata["segloop"] = "curation"
        self.layer = layer
        self._set_pen()
        layer.events.data.connect(self._on_data)
        layer.events.mode.connect(self._on_mode_event)
        self._on_created(layer)
        self._viewer.add_layer(layer)

    def _set_pen(self) -> None:
        with self.layer.events.blocker_all():
            self.layer.selected_data = set()
            self.layer.current_edge_color = _colour(self.kind, 1.0)
            self.layer.current_face_color = _colour(self.kind, 0.15)

    def _on_mode_event(self, _: Any = None) -> None:
        self._on_mode()

    def _on_data(self, event: Any) -> None:
        from napari.layers.base import ActionType

        settled = (ActionType.ADDED, ActionType.CHANGED, ActionType.REMOVED)
        if self._updating or event.action not in settled:
            return
        if is_drawing_shape(self.layer) and event.action is not ActionType.ADDED:
            return
        # Each edit comes back as a call of `show`, which must not touch the layer in the middle of this.
        self._settling = True
        try:
            self._settle()
        finally:
            self._settling = False
        if [each.id for each in self._regions] != [each.region_id for each in self._known]:
            QTimer.singleShot(0, self._catch_up)

    def _catch_up(self) -> None:
        """Show what else was saved with the user's own edit: the regions of another reviewer."""
        if self._wanted is not None and self.present and not is_drawing_shape(self.layer):
            self._wanted(self._z)

    def _settle(self) -> None:
        """Find out what became of each shape that was known, and what is new."""
        current = [
            DrawnShape("", _shape_kind(kind, self._tool), np.asarray(vertices, float)[:, -2:])
            for vertices, kind in zip(self.layer.data, self.layer.shape_type, strict=True)
        ]
        left = list(self._known)
        ids = [""] * len(current)
        for index, shape in enumerate(current):
            match = next((each for each in left if each.same_place(shape)), None)
            if match is not None:
                left.remove(match)
                ids[index] = match.region_id
        moved = []
        for index, shape in enumerate(current):
            if not ids[index] and left:
                old = left.pop(0)
                ids[index] = old.region_id
                kind = (
                    old.shape
                    if shape.shape in (old.shape, "polygon") and old.shape == "path"
                    else shape.shape
                )
                moved.append(DrawnShape(old.region_id, kind, shape.vertices))
        refused = False
        known = []
        for region_id, shape in zip(ids, current, strict=True):
            if not region_id:
                region_id = self._add(shape)
                refused = refused or not region_id
            known.append(DrawnShape(region_id, shape.shape, shape.vertices))
        self._known = known
        if moved:
            self._edits.move_regions(moved)
        if left:
            self._edits.remove_regions([each.region_id for each in left])
        if refused:
            # Not now: napari is still finishing the shape that has to go.
            QTimer.singleShot(0, self._drop_refused)

    def _add(self, shape: DrawnShape) -> str:
        # A single click with napari's rectangle and ellipse tools leaves a tiny shape.
        camera = getattr(self._viewer, "scene", self._viewer).camera
        on_screen = np.ptp(shape.vertices, axis=0) * np.asarray(self.layer.scale[-2:]) * camera.zoom
        if _area(shape.vertices) < _SMALLEST_AREA or on_screen.max() < _STRAY_CLICK_PX:
            return ""
        return self._edits.add_region(self.kind, shape.shape, shape.vertices)

    def _drop_refused(self) -> None:
        gone = {index for index, each in enumerate(self._known) if not each.region_id}
        if not self.present or not gone or len(self.layer.data) != len(self._known):
            return
        self._updating = True
        try:
            self.layer.selected_data = gone
            self.layer.remove_selected()
        finally:
            self._updating = False
        self._known = [each for each in self._known if each.region_id]


def _shape_kind(napari_type: Any, tool: ShapeKind) -> ShapeKind:
    name = str(napari_type)
    if name == "polygon":
        return "path" if tool == "path" else "polygon"
    return _SHAPES.get(name, "path")


def _area(vertices: NDArray[np.float64]) -> float:
    """Return the area inside a polygon in square pixels (the shoelace formula)."""
    if len(vertices) < 3:
        return 0.0
    y, x = vertices[:, 0], vertices[:, 1]
    return float(abs(np.dot(y, np.roll(x, 1)) - np.dot(x, np.roll(y, 1))) / 2)


def _in_slice(region: Region, z: int | None) -> bool:
    if z is None:
        return True
    return (region.z_first is None or region.z_first <= z) and (region.z_last is None or z <= region.z_last)


def _colour(kind: Kind, alpha: float) -> tuple[float, float, float, float]:
    text = _COLOURS[kind]
    red, green, blue = (int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue, alpha
