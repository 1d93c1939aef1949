"""A sample in the viewer: its layers, its region layers, and the keys that work on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from segloop.app.presenters.curation.drawing import Kind, ShapeKind
from segloop.app.presenters.curation.label_editor import LabelEditor
from segloop.artifacts.dataset.manifest import Sample
from segloop.curation.snapshot import Snapshot
from segloop.ui.curation.label_layer import LabelLayer
from segloop.ui.curation.layers import SampleLayers
from segloop.ui.curation.region_layer import RegionEdits, RegionLayer
from segloop.ui.dock_layers import owner
from segloop.ui.napari_private import canvas_widget

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_NAPARI_KEYS = ("M",)
"""What does something in napari's Labels layers that people need while they correct labels: a new number."""


class SampleView:
    """Shows one sample at a time in layers of its own.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    edits : RegionEdits
        Receives drawn shapes.
    editor : LabelEditor
        Corrects labels.
    keys : mapping of str to callable
        napari key bindings that work while one of the own layers is selected.
    hint, label_hint : str
        Name the keys in napari's status bar: in general, and while labels are corrected.
    on_mode : callable
        Called when drawing begins or ends.
    """

    def __init__(
        self,
        viewer: Viewer,
        edits: RegionEdits,
        editor: LabelEditor,
        keys: Mapping[str, Callable[[], None]],
        hint: str,
        label_hint: str,
        on_mode: Callable[[], None],
    ) -> None:
        self._viewer = viewer
        self._keys = keys
        self._hint, self._label_hint = hint, label_hint
        self._on_mode = on_mode
        self.layers = SampleLayers(viewer, self._bind)
        kinds: tuple[Kind, ...] = ("merge", "exclude")
        self.regions = {kind: RegionLayer(viewer, kind, edits, self._bind, on_mode) for kind in kinds}
        self.labels = LabelLayer(viewer, editor, self._bind_labels)
        self._pixels_shape: tuple[int, ...] = ()
        self._sample: Sample | None = None
        editor.began.connect(self._on_labels_began)
        editor.changed.connect(self.labels.refresh)
        editor.tool_changed.connect(self.labels.show_tool)
        editor.ended.connect(self._on_labels_ended)
        viewer.dims.events.point.connect(self._on_slice)
        for event in (viewer.dims.events.ndisplay, viewer.dims.events.order):
            event.connect(self._on_turned)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def z(self) -> int:
        """The slice on screen, in pixels of the raw image; 0 for a plane."""
        if not self._is_stack:
            return 0
        point = self._viewer.dims.point
        return round(point[-3] / self.layers.scale[0]) if len(point) >= 3 else 0

    @property
    def drawing_kinds(self) -> list[Kind]:
        """Kinds of region for which a drawing tool is on."""
        return [kind for kind, layer in self.regions.items() if layer.drawing]

    @property
    def selected_ids(self) -> list[str]:
        """Ids of the regions selected with napari's own tools."""
        return [each for layer in self.regions.values() for each in layer.selected_ids()]

    def show(self, snapshot: Snapshot) -> None:
        """Show another sample."""
        new_size = snapshot.pixels.shape != self._pixels_shape
        self._pixels_shape = snapshot.pixels.shape
        selected = self._selected_kind()
        fresh = self.layers.show(snapshot)
        if fresh:
            for layer in self.regions.values():
                layer.remove()
        self.show_regions(snapshot.sample)
        if fresh or new_size:
            self._viewer.reset_view()
        if fresh or selected is not None:
            # The keys of the dock work on the canvas while one of its layers is selected.
            self._viewer.layers.selection.active = self.regions[selected or "exclude"].layer

    def show_regions(self, sample: Sample) -> None:
        """Show the regions as they are now saved."""
        self._sample = sample
        size = max(self._pixels_shape[1:], default=1)
        # From the side napari shows a flat Shapes layer in the wrong place, and in 3D (0.9) it can't be given
        # other shapes; the hatch is right in both.
        regions = sample.regions if self._is_facing else ()
        for layer in self.regions.values():
            layer.show(
                regions,
                self.layers.scale[-2:],
                self.layers.units[-2:],
                size,
                self.z if self._is_stack else None,
            )

    def draw(self, sample: Sample, kind: Kind, shape: ShapeKind) -> None:
        """Turn napari's drawing tool on for the sample on screen, with the keyboard in the canvas."""
        for layer in self.regions.values():
            layer.stop()
        self.layers.fit_units()
        if not self._is_facing:
            self._viewer.dims.ndisplay = 2
            self._viewer.dims.order = tuple(range(self._viewer.dims.ndim))
        # This also brings a layer back that the user took out of the viewer.
        self.show_regions(sample)
        self.regions[kind].draw(shape)
        _focus_canvas(self._viewer)

    def finish(self) -> bool:
        """Finish a shape that is being drawn; returns whether there was one."""
        finished = [layer.finish() for layer in self.regions.values()]
        return any(finished)

    def stop(self) -> None:
        """Finish a shape that is being drawn and put the tools away."""
        for layer in self.regions.values():
            layer.stop()

    def remove(self) -> None:
        """Take all own layers out of the viewer."""
        self.labels.remove()
        for layer in self.regions.values():
            layer.remove()
        self.layers.remove()
        self._pixels_shape = ()
        self._sample = None

    def close(self) -> None:
        """Take all own layers out and listen no more."""
        self._viewer.dims.events.point.disconnect(self._on_slice)
        for event in (self._viewer.dims.events.ndisplay, self._viewer.dims.events.order):
            event.disconnect(self._on_turned)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self.remove()

    @property
    def _is_stack(self) -> bool:
        return len(self._pixels_shape) == 3 and self._pixels_shape[0] > 1

    def _selected_kind(self) -> Kind | None:
        active = self._viewer.layers.selection.active
        return next(
            (kind for kind, layer in self.regions.items() if layer.layer is active and layer.present), None
        )

    def _on_slice(self, _: Any = None) -> None:
        if self._is_stack:
            for layer in self.regions.values():
                layer.show_slice(self.z)

    @property
    def _is_facing(self) -> bool:
        """Whether Y and X are displayed, neither a stack from the side nor a volume."""
        dims = self._viewer.dims
        return sorted(dims.displayed) == [dims.ndim - 2, dims.ndim - 1]

    def _on_turned(self, _: Any = None) -> None:
        # Not now: removing a stack turns the view as well, and napari is still about it.
        QTimer.singleShot(0, self._follow_turn)

    def _follow_turn(self) -> None:
        if self._sample is None or not all(layer.present for layer in self.regions.values()):
            return
        if not self._is_facing:
            self.stop()
        self.show_regions(self._sample)

    def _on_inserted(self, event: Any) -> None:
        if owner(event.value) != "curation":
            self._fit_units()

    def _on_removed(self, event: Any) -> None:
        """Say that nothing is drawn any more, if it was the layer drawn on."""
        self._on_mode()
        if owner(event.value) != "curation":
            self._fit_units()

    def _fit_units(self) -> None:
        """Show the sample in the unit of the user's layers, unless a shape is being drawn in another one."""
        if self._sample is not None and not self.drawing_kinds:
            self.layers.fit_units()
            self.show_regions(self._sample)

    def _on_labels_began(self) -> None:
        """Show what is corrected instead of the ground truth."""
        self.stop()
        self.layers.set_covered("truth", True)
        self.labels.show(self.layers.scale, self.layers.units)
        _focus_canvas(self._viewer)

    def _on_labels_ended(self) -> None:
        self.labels.remove()
        self.layers.set_covered("truth", False)
        regions = self.regions["exclude"]
        if regions.present:
            self._viewer.layers.selection.active = regions.layer

    def _bind_labels(self, layer: Layer) -> None:
        """Bind the keys, but for those by which napari chooses its tools and a new label."""
        keys = [key for key in self._keys if not key.isdigit() and key not in _NAPARI_KEYS]
        self._bind(layer, keys, self._label_hint)

    def _bind(self, layer: Layer, keys: Iterable[str] | None = None, hint: str = "") -> None:
        for key in self._keys if keys is None else keys:
            layer.bind_key(key, _ignoring_layer(self._keys[key]), overwrite=True)
        # napari's own hint names keys that do something else in these layers.
        layer.help = hint = hint or self._hint
        layer.events.help.connect(partial(_keep_help, hint))


def _keep_help(hint: str, event: Any) -> None:
    event.source.help = hint


def _focus_canvas(viewer: Viewer) -> None:
    """Put the keyboard into the canvas, so that Enter finishes a shape."""
    canvas = canvas_widget(viewer)
    if canvas is not None:
        canvas.setFocus()


def _ignoring_layer(action: Callable[[], None]) -> Callable[[Any], None]:
    def act(_: Any) -> None:
        action()

    return act
