"""The layers that show a sample; the viewer's other layers are never touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from segloop.curation.pixels import Intensities, Pixels, Stack
from segloop.curation.snapshot import Snapshot
from segloop.ui.curation.layer_data import displayed
from segloop.ui.dock_layers import is_put_away
from segloop.ui.pixel_scale import length_unit, scale_and_units

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer

PREFIX = "Curation: "
"""How the names of the dock's own layers begin."""


SEGMENTATION_COLOURS = (
    ("#2D9CFF", "blue"),
    ("#E69F00", "orange"),
    ("#009E73", "green"),
    ("#F0E442", "yellow"),
    ("#D55E00", "red"),
    ("#56E4E9", "cyan"),
)
AXES = ("z", "y", "x")
"""Labels of the axes of a stack; a plane has the last two."""

TRUTH_COLOUR = "#FF00FF"
_CHANNEL_COLOURS = ("green", "magenta", "cyan", "yellow", "red", "blue")
_RGB = {"red", "green", "blue"}


class SampleLayers:
    """Shows snapshots of samples, one after another, in layers of its own.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to show them.
    on_created : callable
        Called with each new layer (to bind keys).
    """

    shown_changed = Signal(str, bool)
    """A group (``raw``, ``truth``, or that of a segmentation) was shown or hidden in napari's layer list."""

    def __init__(self, viewer: Viewer, on_created: Callable[[Layer], None]) -> None:
        self._viewer = viewer
        self._on_created = on_created
        self._layers: dict[str, Layer] = {}
        self._structure: tuple[object, ...] = ()
        self._visible: dict[str, bool] = {}
        self._covered: set[str] = set()
        self._updating = False
        self._pixels: Pixels | None = None
        self._arrays: dict[str, Stack] = {}
        self.scale: tuple[float, ...] = (1.0, 1.0)
        self.units: tuple[str, ...] = ("pixel", "pixel")

    def __iter__(self) -> Iterator[Layer]:
        """Iterate over the own layers that the user has not removed."""
        return (layer for layer in self._layers.values() if layer in self._viewer.layers)

    def set_visible(self, group: str, visible: bool) -> None:
        """Show or hide a group of layers."""
        self._visible[group] = visible
        self._updating = True
        try:
            for role, layer in self._layers.items():
                if _group(role) == group:
                    layer.visible = visible and group not in self._covered
        finally:
            self._updating = False

    def set_covered(self, group: str, covered: bool) -> None:
        """Hide a group of layers for a while; the choice whether it is shown stays."""
        self._covered.discard(group)
        if covered:
            self._covered.add(group)
        self.set_visible(group, self._visible.get(group, True))

    def show(self, snapshot: Snapshot) -> bool:
        """Show a sample; returns whether the layers had to be recreated, which is slow in napari."""
        pixels = snapshot.pixels
        self._pixels = pixels
        self.scale, self.units = self._fit(pixels)
        structure = (pixels.n_slices > 1, pixels.channel_names, tuple(pixels.segmentations))
        fresh = structure != self._structure or any(
            layer not in self._viewer.layers for layer in self._layers.values()
        )
        if fresh:
            self.remove()
            self._create(snapshot)
            self._structure = structure
        else:
            self._update(snapshot)
        return fresh

    def show_truth(self, snapshot: Snapshot) -> None:
        """Show another ground truth of the same sample."""
        for role, data in (("truth", snapshot.truth), ("excluded", snapshot.excluded)):
            layer = self._layers.get(role)
            if layer is not None and layer in self._viewer.layers:
                self._show_labels(role, data)

    def fit_units(self) -> None:
        """Take over the unit of length of layers that the user has opened meanwhile."""
        if self._pixels is not None:
            self.scale, self.units = self._fit(self._pixels)
            for layer in self:
                place(layer, self.scale, self.units)

    def remove(self) -> None:
        """Take the own layers out of the viewer."""
        for layer in list(self._layers.values()):
            layer.events.visible.disconnect(self._on_visible)
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._layers.clear()
        self._arrays.clear()
        self._structure = ()

    def _create(self, snapshot: Snapshot) -> None:
        from napari.layers import Image

        pixels = snapshot.pixels
        several = len(pixels.channel_names) > 1
        for number, name in enumerate(pixels.channel_names):
            layer = Image(
                displayed(pixels.raw[number]),
                name=f"{PREFIX}raw {name}" if several else f"{PREFIX}raw",
                colormap=_colour(name, number) if several else "gray",
                blending="additive" if number else "translucent_no_depth",
                scale=self.scale,
                units=self.units,
                axis_labels=AXES[-len(self.units) :],
                visible=self._visible.get("raw", True),
                contrast_limits=pixels.intensities[number][:2],
            )
            _set_contrast(layer, pixels.intensities[number])
            self._add(f"raw{number}", layer)
        self._add_labels("truth", "ground truth", snapshot.truth, _one_colour(TRUTH_COLOUR), 0.3)
        self._add_labels("excluded", "excluded", snapshot.excluded, _hatch_colours(), 0.6)
        last = len(pixels.segmentations) - 1
        for number, (name, labels) in enumerate(pixels.segmentations.items()):
            colours = _one_colour(segmentation_colour(number)[0])
            # Wider than those above it, so that all are seen where they agree.
            contour = 1 + min(last - number, 2)
            self._add_labels(segmentation_group(name), name, labels, colours, 0.9, contour)

    def _add_labels(
        self, role: str, name: str, labels: Stack, colours: Any, opacity: float, contour: int = 0
    ) -> None:
        from napari.layers import Labels

        layer = Labels(
            displayed(labels),
            name=PREFIX + name,
            colormap=colours,
            opacity=opacity,
            scale=self.scale,
            units=self.units,
            axis_labels=AXES[-len(self.units) :],
            visible=self._visible.get(_group(role), True),
        )
        layer.contour = contour
        layer.editable = False
        self._arrays[role] = labels
        self._add(role, layer)

    def _add(self, role: str, layer: Layer) -> None:
        layer.metadata["segloop"] = "curation"
        self._layers[role] = layer
        self._on_created(layer)
        self._viewer.add_layer(layer)
        layer.events.visible.connect(self._on_visible)

    def _update(self, snapshot: Snapshot) -> None:
        pixels = snapshot.pixels
        for number in range(len(pixels.channel_names)):
            layer = self._layers[f"raw{number}"]
            layer.data = displayed(pixels.raw[number])
            _set_contrast(layer, pixels.intensities[number])
        for name, labels in pixels.segmentations.items():
            self._show_labels(segmentation_group(name), labels)
        self.show_truth(snapshot)
        for layer in self._layers.values():
            place(layer, self.scale, self.units)

    def _show_labels(self, role: str, labels: Stack) -> None:
        # Each assignment makes napari redraw; an array that didn't change stays the same object.
        if self._arrays.get(role) is not labels:
            self._arrays[role] = labels
            self._layers[role].data = displayed(labels)
            # napari makes a layer editable whenever it gets other data.
            self._layers[role].editable = False

    def _fit(self, pixels: Pixels) -> tuple[tuple[float, ...], tuple[str, ...]]:
        unit = length_unit(self._viewer, "curation")
        return scale_and_units(pixels.pixel_size_um, pixels.n_slices, unit)

    def _on_visible(self, event: Any) -> None:
        if self._updating or is_put_away(event.source):
            return
        role = next((role for role, layer in self._layers.items() if layer is event.source), None)
        if role is not None and role != "excluded":
            self._visible[_group(role)] = event.source.visible
            self.shown_changed.emit(_group(role), event.source.visible)


def place(layer: Layer, scale: Sequence[float], units: Sequence[str]) -> None:
    """Set the size and unit of a layer's pixels, if they differ: each change makes napari redraw."""
    if tuple(layer.scale) != tuple(scale):
        layer.scale = tuple(scale)
    layer.units = tuple(units)


def segmentation_colour(number: int) -> tuple[str, str]:
    """Return the colour of a sample's first (0), second (1), ... segmentation, and what it is called."""
    return SEGMENTATION_COLOURS[number % len(SEGMENTATION_COLOURS)]


def segmentation_group(name: str) -> str:
    """Return the group of a segmentation's layer."""
    return f"segmentation:{name}"


def _group(role: str) -> str:
    if role.startswith("raw"):
        return "raw"
    return "truth" if role == "excluded" else role


def _set_contrast(layer: Image, found: Intensities) -> None:
    """Show some of a channel's intensities as black and white, with a slider that goes over all of them."""
    layer.contrast_limits_range = (found.lowest, found.highest)
    layer.contrast_limits = (found.black, found.white)


def _colour(name: str, number: int) -> str:
    return name.lower() if name.lower() in _RGB else _CHANNEL_COLOURS[number % len(_CHANNEL_COLOURS)]


def _one_colour(colour: str) -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    return DirectLabelColormap(color_dict={0: "transparent", None: colour})


def _hatch_colours() -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    return DirectLabelColormap(
        color_dict={
            0: "transparent",
            1: (0.5, 0.5, 0.5, 0.35),
            2: (0.75, 0.75, 0.75, 0.9),
            None: "transparent",
        }
    )
