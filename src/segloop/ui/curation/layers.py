"""The layers that show a sample; the viewer's other layers are never touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from segloop.curation.snapshot import Pixels, Snapshot

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer

PREFIX = "Curation: "
"""How the names of the dock's own layers begin."""

SEG1_COLOUR, SEG2_COLOUR = "#2D9CFF", "#E69F00"
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
    """A group (``raw``, ``seg1``, ``seg2``, ``truth``) was shown or hidden in napari's layer list."""

    def __init__(self, viewer: Viewer, on_created: Callable[[Layer], None]) -> None:
        self._viewer = viewer
        self._on_created = on_created
        self._layers: dict[str, Layer] = {}
        self._structure: tuple[object, ...] = ()
        self._visible = {"raw": True, "seg1": True, "seg2": True, "truth": True}
        self._updating = False
        self.scale: tuple[float, ...] = (1.0, 1.0)

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
                    layer.visible = visible
        finally:
            self._updating = False

    def show(self, snapshot: Snapshot) -> bool:
        """Show a sample; returns whether the layers had to be made anew, which takes napari long."""
        pixels = snapshot.pixels
        self.scale = _scale(pixels)
        structure = (pixels.n_slices > 1, pixels.channel_names, pixels.seg2 is not None)
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
            # Each assignment makes napari draw anew, and mostly nothing is excluded before or after.
            if (
                layer is not None
                and layer in self._viewer.layers
                and not np.array_equal(layer.data, _plain(data))
            ):
                layer.data = _plain(data)

    def remove(self) -> None:
        """Take the own layers out of the viewer."""
        for layer in list(self._layers.values()):
            layer.events.visible.disconnect(self._on_visible)
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._layers.clear()
        self._structure = ()

    def _create(self, snapshot: Snapshot) -> None:
        from napari.layers import Image, Labels

        pixels = snapshot.pixels
        several = len(pixels.channel_names) > 1
        for number, name in enumerate(pixels.channel_names):
            layer = Image(
                _plain(pixels.raw[number]),
                name=f"{PREFIX}raw {name}" if several else f"{PREFIX}raw",
                colormap=_colour(name, number) if several else "gray",
                blending="additive" if number else "translucent_no_depth",
                scale=self.scale,
                visible=self._visible["raw"],
            )
            _set_contrast(layer, pixels, number)
            self._add(f"raw{number}", layer)
        truth = Labels(
            _plain(snapshot.truth),
            name=f"{PREFIX}ground truth",
            colormap=_one_colour(TRUTH_COLOUR),
            opacity=0.3,
        )
        excluded = Labels(
            _plain(snapshot.excluded),
            name=f"{PREFIX}excluded",
            colormap=_hatch_colours(),
            opacity=0.6,
        )
        seg1 = Labels(
            _plain(pixels.seg1), name=f"{PREFIX}seg 1", colormap=_one_colour(SEG1_COLOUR), opacity=0.9
        )
        self._add_labels("truth", truth)
        self._add_labels("excluded", excluded)
        # Wider than the second one, so that both are seen where they agree.
        self._add_labels("seg1", seg1, contour=1 if pixels.seg2 is None else 2)
        if pixels.seg2 is not None:
            seg2 = Labels(
                _plain(pixels.seg2), name=f"{PREFIX}seg 2", colormap=_one_colour(SEG2_COLOUR), opacity=0.9
            )
            self._add_labels("seg2", seg2, contour=1)

    def _add_labels(self, role: str, layer: Labels, contour: int = 0) -> None:
        layer.scale = self.scale
        layer.contour = contour
        layer.editable = False
        layer.visible = self._visible[_group(role)]
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
            layer.data = _plain(pixels.raw[number])
            _set_contrast(layer, pixels, number)
        self._layers["seg1"].data = _plain(pixels.seg1)
        if pixels.seg2 is not None:
            self._layers["seg2"].data = _plain(pixels.seg2)
        self.show_truth(snapshot)
        for layer in self._layers.values():
            if tuple(layer.scale) != self.scale:
                layer.scale = self.scale

    def _on_visible(self, event: Any) -> None:
        if self._updating:
            return
        role = next((role for role, layer in self._layers.items() if layer is event.source), None)
        if role is not None and role != "excluded":
            self._visible[_group(role)] = event.source.visible
            self.shown_changed.emit(_group(role), event.source.visible)


def _group(role: str) -> str:
    if role.startswith("raw"):
        return "raw"
    return "truth" if role == "excluded" else role


def _plain(array: np.ndarray) -> np.ndarray:
    """Drop the Z axis of a single plane: ``(1, Y, X) -> (Y, X)``."""
    return array[0] if array.shape[0] == 1 else array


def _scale(pixels: Pixels) -> tuple[float, ...]:
    z, y, x = pixels.pixel_size_um
    y = y or 1.0
    plane = (y, x or y)
    return (z or y, *plane) if pixels.n_slices > 1 else plane


def _set_contrast(layer: Image, pixels: Pixels, number: int) -> None:
    low, high = pixels.contrast[number]
    widest = float(pixels.raw[number].max(initial=0)), float(pixels.raw[number].min(initial=0))
    layer.contrast_limits_range = (min(low, widest[1]), max(high, widest[0]))
    layer.contrast_limits = (low, high)


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
