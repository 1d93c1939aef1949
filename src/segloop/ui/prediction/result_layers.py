"""The layers that show one result, on top of the layers that lie on the same image."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from segloop.app.presenters.prediction.result import Region
from segloop.prediction.kept import Shown
from segloop.targets.output import LABELS, PROBABILITY, Output
from segloop.ui.prediction.ownership import give_to_user, result_marks
from segloop.ui.prediction.placement import arrange, lies_on, result_axes

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

MASK_COLOUR = "#FF00FF"

# From bottom to top: what covers least lies highest.
_ORDER = ("image", "mask", "labels")

Key = tuple[Output, int]
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
        Name of the image, with which the names of the layers begin.
    model : str
        Name of the model, with which they end.
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
        self,
        viewer: Viewer,
        source: Layer,
        name: str,
        model: str,
        axes: str,
        place: dict[str, Any],
        later: Later,
    ) -> None:
        self._viewer = viewer
        self._source = weakref.ref(source)
        self._source_data = source.data
        self.name = name
        self._model = model
        self.axes = axes
        self._place = place
        self._later = later
        self._layers: dict[Key, Layer] = {}
        self._coming: dict[Key, tuple[Any, Sequence[str]]] = {}

    @property
    def place(self) -> dict[str, Any]:
        """Arguments that put a layer at its place."""
        return dict(self._place)

    @property
    def source(self) -> Layer | None:
        """The layer it was made from; None once that is gone."""
        return self._source()

    @property
    def source_is_unchanged(self) -> bool:
        """Whether the source still shows the image that the result was made from."""
        source = self.source
        return source is not None and source.data is self._source_data

    @property
    def is_empty(self) -> bool:
        """Whether no layer is in the viewer, or about to be."""
        return not self._coming and not self._present()

    @property
    def pending(self) -> bool:
        """Whether a layer is about to be in the viewer."""
        return bool(self._coming)

    @property
    def region(self) -> Region | None:
        """The part of the result that is in view, along T, Z, Y, X; None in 3D or while none is shown."""
        present = [layer for (kind, _), layer in self._present() if kind != PROBABILITY]
        dims = self._viewer.dims
        if not present or dims.ndisplay != 2:
            return None
        layer = present[0]
        corners = np.asarray(layer.corner_pixels)
        point = np.asarray(layer.world_to_data(dims.point))
        shown = {layer.ndim - 2, layer.ndim - 1}
        parts = {}
        for number, axis in enumerate(result_axes(self.axes)):
            if number in shown:
                low, high = sorted(int(corner) for corner in corners[:, number])
                parts[axis] = slice(low, high + 1)
            else:
                index = round(float(point[number]))
                parts[axis] = slice(index, index + 1)
        if parts["Y"].stop - parts["Y"].start < 2 or parts["X"].stop - parts["X"].start < 2:
            return None  # nothing was drawn yet
        first = slice(0, 1)
        return parts.get("T", first), parts.get("Z", first), parts["Y"], parts["X"]

    def shows(self, kind: Output) -> bool:
        """Whether a layer of this kind is in the viewer."""
        return any(key[0] is kind for key in (*self._coming, *dict(self._present())))

    def holds(self, layer: Any) -> bool:
        """Whether a layer is one of these, in the viewer or not."""
        return any(own is layer for own in self._layers.values())

    def show(self, shown: Shown, kinds: Sequence[Output]) -> None:
        """Show the outputs of some kinds and take away the others; a layer that was removed is made again."""
        wanted: dict[Key, Any] = {}
        for kind in kinds:
            array = shown.arrays.get(kind)
            if array is None:
                continue
            if kind == PROBABILITY:
                for number in _shown_maps(shown.maps):
                    wanted[kind, number] = array[:, number]
            else:
                wanted[kind, 0] = array
        for key in [key for key in self._layers if key not in wanted]:
            self._remove(key)
        for key in [key for key in self._coming if key not in wanted]:
            del self._coming[key]
        for key, array in wanted.items():
            self._show(key, arrange(array, self.axes), shown.maps)

    def adopt(self, older: Any) -> None:
        """Take over the layers of an older result of the same source, or take them away if they don't fit."""
        same_place = self.axes == older.axes and all(
            np.array_equal(self._place[name], older._place[name]) for name in self._place
        )
        if not same_place:
            older.remove()
            return
        for key in list(older._layers):
            layer = older._let_go(key)
            self._keep(key, layer)
            layer.name = self._renamed(layer.name, older)

    def update(self, shown: Shown) -> None:
        """Show other objects, masks and classes in the layers that are there."""
        for kind, number in [*dict(self._present()), *self._coming]:
            array = shown.arrays.get(kind)
            if array is not None and kind != PROBABILITY:
                self._show((kind, number), arrange(array, self.axes), shown.maps)

    def remove(self) -> None:
        """Take the layers out of the viewer."""
        self._coming.clear()
        for key in list(self._layers):
            self._remove(key)

    def let_go(self) -> None:
        """Leave the layers to the user."""
        self._coming.clear()
        for key in list(self._layers):
            give_to_user(self._let_go(key), changed=False)

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

        kind, _ = key
        words = {"metadata": result_marks(), "name": self._named(key, maps), **self._place}
        if kind.layer == "image":
            return Image(
                data,
                colormap="magma",
                contrast_limits=(0, 255) if kind == PROBABILITY else None,
                opacity=0.7,
                blending="translucent_no_depth",
                **words,
            )
        layer = Labels(data, **words)
        if kind.layer == "mask":
            layer.colormap = DirectLabelColormap(color_dict={0: "transparent", None: MASK_COLOUR})
            layer.opacity = 0.5
        return layer

    def _named(self, key: Key, maps: Sequence[str]) -> str:
        """Return the name of a layer: "image, by model" for labels, "image, mask by model" for a mask."""
        kind, number = key
        what = "" if kind == LABELS else f"{kind.name} "
        if kind == PROBABILITY and len(_shown_maps(maps)) > 1:
            what += f"of {maps[number]} "
        return f"{self.name}, {what}by {self._model}"

    def _renamed(self, name: str, older: ResultLayers) -> str:
        """Return the name of an adopted layer; what the user has changed of it stays."""
        if name.startswith(f"{older.name}, "):
            name = self.name + name.removeprefix(older.name)
        if name.endswith(f"by {older._model}"):
            name = name.removesuffix(older._model) + self._model
        return name

    def _position(self, key: Key) -> int:
        """Return where to insert a layer: above all images and labels that lie on the same image."""
        from napari.layers import Image, Labels

        layers = self._viewer.layers
        rank = _rank(key)
        own = {layer: other for other, layer in self._present()}
        below = [layers.index(layer) for layer, other in own.items() if _rank(other) < rank]
        source = self.source
        if source is None or source not in layers:
            return max(below) + 1 if below else len(layers)
        above = [layers.index(layer) for layer, other in own.items() if _rank(other) > rank]
        if above:
            return int(min(above))
        below += [
            layers.index(layer)
            for layer in layers
            if isinstance(layer, Image | Labels) and lies_on(layer, source, self.axes)
        ]
        return int(max([*below, layers.index(source)])) + 1

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
            give_to_user(layer, changed=True)
            self.painted.emit(layer.name)


def _shown_maps(maps: Sequence[str]) -> list[int]:
    """Return which maps of a probability are worth looking at: the foreground, or each class."""
    return list(range(1, len(maps))) if maps and maps[0] == "background" else [0]


def _rank(key: Key) -> tuple[int, str, int]:
    output, number = key
    return _ORDER.index(output.layer), "" if output == PROBABILITY else output.name, number
