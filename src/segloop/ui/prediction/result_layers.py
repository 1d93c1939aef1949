"""The layers that show one result, right above the layer it was made from."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from segloop.app.results import Shown
from segloop.config.predict import OutputKind
from segloop.ui.prediction.geometry import OWN, arrange

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

MASK_COLOUR = "#FF00FF"

# From bottom to top: what covers least lies highest.
_ORDER = (OutputKind.probability, OutputKind.mask, OutputKind.classes, OutputKind.labels)
_WORDS = {OutputKind.labels: "labels", OutputKind.mask: "mask", OutputKind.classes: "classes"}

Key = tuple[OutputKind, int]


class ResultLayers:
    """Shows one result; the viewer's other layers are never touched.

    A layer that the user paints on becomes the user's own: it is changed no more, and the next change of the
    thresholds makes a new one.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to show it.
    source : napari.layers.Image
        The layer it was made from.
    name : str
        How the names of the layers begin.
    axes : str
        Of the source, without colour samples.
    place : dict
        Arguments that put a layer at its place, from `placement`.
    """

    painted = Signal(str)
    """The user painted on the layer of this name; it is the user's own now."""

    def __init__(self, viewer: Viewer, source: Layer, name: str, axes: str, place: dict[str, Any]) -> None:
        self._viewer = viewer
        self._source = weakref.ref(source)
        self.name = name
        self._axes = axes
        self._place = place
        self._layers: dict[Key, Layer] = {}

    @property
    def source(self) -> Layer | None:
        """The layer it was made from; None once that is gone."""
        return self._source()

    def layers(self) -> Iterator[Layer]:
        """Iterate over the layers that are in the viewer."""
        return (layer for layer in self._layers.values() if layer in self._viewer.layers)

    def shows(self, kind: OutputKind) -> bool:
        """Whether a layer of this kind is in the viewer."""
        return any(key[0] is kind for key, _ in self._present())

    def holds(self, layer: Any) -> bool:
        """Whether a layer is one of these, in the viewer or not."""
        return any(own is layer for own in self._layers.values())

    def show(self, shown: Shown, kinds: Sequence[OutputKind]) -> None:
        """Show the outputs of some kinds and take away the others; a removed layer is made anew."""
        wanted: dict[Key, Any] = {}
        for kind in kinds:
            array = shown.arrays.get(kind)
            if array is None:
                continue
            if kind is OutputKind.probability:
                for number in _shown_maps(shown.maps):
                    wanted[kind, number] = array[:, number]
            else:
                wanted[kind, 0] = array
        for key in [key for key in self._layers if key not in wanted and key[0] not in kinds]:
            self._remove(key)
        for key, array in wanted.items():
            self._show(key, arrange(array, self._axes), shown.maps)

    def update(self, shown: Shown) -> None:
        """Show other objects, masks and classes in the layers that are there."""
        present = [key for key, layer in self._layers.items() if layer in self._viewer.layers]
        for kind, number in present:
            array = shown.arrays.get(kind)
            if array is not None and kind is not OutputKind.probability:
                self._layers[kind, number].data = arrange(array, self._axes)

    def remove(self) -> None:
        """Take the layers out of the viewer."""
        for key in list(self._layers):
            self._remove(key)

    def let_go(self) -> None:
        """Leave the layers to the user."""
        for key in list(self._layers):
            self._let_go(key)

    def _show(self, key: Key, data: Any, maps: Sequence[str]) -> None:
        layer = self._layers.get(key)
        if layer is not None and layer in self._viewer.layers:
            layer.data = data
            return
        layer = self._make(key, data, maps)
        self._layers[key] = layer
        if hasattr(layer.events, "paint"):
            layer.events.paint.connect(self._on_paint)
        self._viewer.layers.insert(self._position(key), layer)

    def _make(self, key: Key, data: Any, maps: Sequence[str]) -> Layer:
        from napari.layers import Image, Labels
        from napari.utils.colormaps import DirectLabelColormap

        kind, number = key
        words = {"metadata": {"segloop": OWN}, **self._place}
        if kind is OutputKind.probability:
            several = len(_shown_maps(maps)) > 1
            return Image(
                data,
                name=f"{self.name} probability {maps[number]}" if several else f"{self.name} probability",
                colormap="magma",
                contrast_limits=(0, 255),
                opacity=0.7,
                blending="translucent_no_depth",
                **words,
            )
        layer = Labels(data, name=f"{self.name} {_WORDS[kind]}", **words)
        if kind is OutputKind.mask:
            layer.colormap = DirectLabelColormap(color_dict={0: "transparent", None: MASK_COLOUR})
            layer.opacity = 0.5
        return layer

    def _position(self, key: Key) -> int:
        layers = self._viewer.layers
        rank = _rank(key)
        below = [layers.index(layer) for other, layer in self._present() if _rank(other) < rank]
        source = self.source
        if source is not None and source in layers:
            below.append(layers.index(source))
        return max(below) + 1 if below else len(layers)

    def _present(self) -> list[tuple[Key, Layer]]:
        return [(key, layer) for key, layer in self._layers.items() if layer in self._viewer.layers]

    def _remove(self, key: Key) -> None:
        layer = self._let_go(key)
        if layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _let_go(self, key: Key) -> Layer:
        layer = self._layers.pop(key)
        if hasattr(layer.events, "paint"):
            layer.events.paint.disconnect(self._on_paint)
        return layer

    def _on_paint(self, event: Any) -> None:
        key = next((key for key, layer in self._layers.items() if layer is event.source), None)
        if key is not None:
            layer = self._let_go(key)
            layer.metadata.pop("segloop", None)
            self.painted.emit(layer.name)


def _shown_maps(maps: Sequence[str]) -> list[int]:
    """Return which maps of a probability are worth looking at: the foreground, or each class."""
    return list(range(1, len(maps))) if maps and maps[0] == "background" else [0]


def _rank(key: Key) -> tuple[int, int]:
    return _ORDER.index(key[0]), key[1]
