"""The layers that show one result, right above the layer it was made from."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from segloop.config.predict import OutputKind
from segloop.prediction.kept import Shown
from segloop.ui.prediction.placement import OWN, arrange

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

MASK_COLOUR = "#FF00FF"

# From bottom to top: what covers least lies highest.
_ORDER = (OutputKind.probability, OutputKind.mask, OutputKind.classes, OutputKind.labels)
_WORDS = {OutputKind.labels: "labels", OutputKind.mask: "mask", OutputKind.classes: "classes"}

Key = tuple[OutputKind, int]
Later = Callable[[Callable[[], None]], None]


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
    later : callable
        Calls a function in a turn of its own of the event loop. Adding or removing a layer keeps napari busy
        for a while, so two of them should not share a turn.
    """

    painted = Signal(str)
    """The user painted on the layer of this name; it is the user's own now."""

    def __init__(
        self, viewer: Viewer, source: Layer, name: str, axes: str, place: dict[str, Any], later: Later
    ) -> None:
        self._viewer = viewer
        self._source = weakref.ref(source)
        self.name = name
        self._axes = axes
        self._place = place
        self._later = later
        self._layers: dict[Key, Layer] = {}
        self._coming: dict[Key, tuple[Any, Sequence[str]]] = {}

    @property
    def source(self) -> Layer | None:
        """The layer it was made from; None once that is gone."""
        return self._source()

    @property
    def is_empty(self) -> bool:
        """Whether no layer is in the viewer, or about to be."""
        return not self._coming and not self._present()

    def shows(self, kind: OutputKind) -> bool:
        """Whether a layer of this kind is in the viewer."""
        return any(key[0] is kind for key in (*self._coming, *dict(self._present())))

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
        for key in [key for key in self._layers if key not in wanted]:
            self._remove(key)
        for key in [key for key in self._coming if key not in wanted]:
            del self._coming[key]
        for key, array in wanted.items():
            self._show(key, arrange(array, self._axes), shown.maps)

    def adopt(self, older: ResultLayers) -> None:
        """Take over the layers of an older result of the same source, or take them away if they don't fit."""
        same_place = self._axes == older._axes and all(
            np.array_equal(self._place[name], older._place[name]) for name in self._place
        )
        if not same_place:
            older.remove()
            return
        for key in list(older._layers):
            layer = older._let_go(key)
            self._keep(key, layer)
            layer.name = self._named(layer.name.removeprefix(older.name))

    def update(self, shown: Shown) -> None:
        """Show other objects, masks and classes in the layers that are there."""
        for kind, number in [*dict(self._present()), *self._coming]:
            array = shown.arrays.get(kind)
            if array is not None and kind is not OutputKind.probability:
                self._show((kind, number), arrange(array, self._axes), shown.maps)

    def remove(self) -> None:
        """Take the layers out of the viewer."""
        self._coming.clear()
        for key in list(self._layers):
            self._remove(key)

    def let_go(self) -> None:
        """Leave the layers to the user."""
        self._coming.clear()
        for key in list(self._layers):
            self._let_go(key)

    def _show(self, key: Key, data: Any, maps: Sequence[str]) -> None:
        layer = self._layers.get(key)
        if layer is not None and layer in self._viewer.layers:
            layer.data = data
            return
        waiting = key in self._coming
        self._coming[key] = (data, maps)
        if not waiting:
            self._later(lambda: self._add(key))

    def _add(self, key: Key) -> None:
        if key in self._coming:
            layer = self._make(key, *self._coming.pop(key))
            self._keep(key, layer)
            self._viewer.layers.insert(self._position(key), layer)

    def _keep(self, key: Key, layer: Layer) -> None:
        self._layers[key] = layer
        if hasattr(layer.events, "paint"):
            layer.events.paint.connect(self._on_paint)

    def _make(self, key: Key, data: Any, maps: Sequence[str]) -> Layer:
        from napari.layers import Image, Labels
        from napari.utils.colormaps import DirectLabelColormap

        kind, number = key
        words = {"metadata": {"segloop": OWN}, **self._place}
        if kind is OutputKind.probability:
            several = len(_shown_maps(maps)) > 1
            return Image(
                data,
                name=self._named(f" probability {maps[number]}" if several else " probability"),
                colormap="magma",
                contrast_limits=(0, 255),
                opacity=0.7,
                blending="translucent_no_depth",
                **words,
            )
        layer = Labels(data, name=self._named(f" {_WORDS[kind]}"), **words)
        if kind is OutputKind.mask:
            layer.colormap = DirectLabelColormap(color_dict={0: "transparent", None: MASK_COLOUR})
            layer.opacity = 0.5
        return layer

    def _named(self, ending: str) -> str:
        return f"{self.name}{ending}"

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
        viewer = self._viewer

        def remove() -> None:
            if layer in viewer.layers:
                viewer.layers.remove(layer)

        self._later(remove)

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
