"""The viewer's image layers as a checklist, with a question where a layer's axes are not clear."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from segloop.app.layers import LayerImage
from segloop.ui.prediction.layer_image import AXES_WORDS, MAX_AXES, is_input, possible_axes, read_layers
from segloop.ui.prediction.placement import placement
from segloop.ui.widgets.wheel import guard_wheel

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

_MAX_ROWS = 5
_BOX_LETTERS = 42
_QUESTION_LETTERS = 20


@dataclass(frozen=True, eq=False)
class ChosenLayers:
    """One image to predict.

    Attributes
    ----------
    topmost : napari.layers.Image
        Above which results go.
    image : LayerImage
        What it holds.
    axes : str
        Without colour samples.
    placement : dict
        Arguments that put a result layer at its place.
    """

    topmost: Image
    image: LayerImage
    axes: str
    placement: dict[str, Any]


class LayerList(QWidget):
    """Ticks image layers.

    A layer that the user opens takes the tick over from the one that had it, unless several are ticked; so
    the next image is one click away.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose layers are listed, topmost first.
    """

    changed = Signal()
    """Other layers are ticked, or one has other axes, data or scale."""

    sample_wanted = Signal()
    """The user wants to try a sample image."""

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._rows: list[Image] = []
        self._ticked: weakref.WeakSet[Image] = weakref.WeakSet()
        self._axes: weakref.WeakKeyDictionary[Image, str] = weakref.WeakKeyDictionary()
        self._watched: weakref.WeakSet[Image] = weakref.WeakSet()
        self.boxes: dict[str, QCheckBox] = {}
        rows = QWidget()
        self._column = QVBoxLayout(rows)
        self._column.setContentsMargins(6, 2, 6, 2)
        self._column.setSpacing(2)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(rows)
        self.nothing = QWidget()
        words = QLabel("No image is open. Drop one on the canvas, or try a sample image.", wordWrap=True)
        self.sample = QPushButton("Try on a sample image")
        self.sample.setToolTip("Open an image of nuclei and apply the model to it")
        self.sample.clicked.connect(self.sample_wanted)
        empty = QVBoxLayout(self.nothing)
        empty.setContentsMargins(0, 0, 0, 0)
        empty.addWidget(words)
        empty.addWidget(self.sample, alignment=Qt.AlignmentFlag.AlignLeft)
        self.unusable = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._questions = QWidget()
        self._form = QFormLayout(self._questions)
        self._form.setContentsMargins(0, 0, 0, 0)
        self.axes_combos: dict[str, QComboBox] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.nothing)
        layout.addWidget(self._scroll)
        layout.addWidget(self.unusable)
        layout.addWidget(self._questions)
        events = viewer.layers.events
        events.inserted.connect(self._on_inserted)
        events.removed.connect(self._on_layers)
        events.reordered.connect(self._on_layers)
        active = viewer.layers.selection.active
        self._tick_first(active if _usable(active) else None)
        self._fill()

    def ticked(self) -> list[Image]:
        """Return the ticked layers, lowest first."""
        return [layer for layer in self._viewer.layers if layer in self._ticked and _usable(layer)]

    def axes(self, layer: Image) -> str:
        """Return the axes of a layer, without colour samples: those chosen, else the likeliest."""
        possible = possible_axes(layer)
        chosen = self._axes.get(layer, "")
        return chosen if chosen in possible else possible[0]

    def chosen(self, n_inputs: int) -> list[ChosenLayers]:
        """Return what the ticked layers hold at this moment.

        Layers of one channel each are the channels of one image where the model has several inputs.

        Parameters
        ----------
        n_inputs : int
            Number of the model's inputs.
        """
        ticked = self.ticked()
        axes = {layer: self.axes(layer) for layer in ticked}
        single = [layer for layer in ticked if "C" not in axes[layer] and not layer.rgb]
        together = n_inputs > 1 and len(single) == len(ticked) > 1 and len(set(axes.values())) == 1
        groups = [ticked] if together else [[layer] for layer in ticked]
        return [_choose(group, axes[group[0]]) for group in groups]

    def disconnect_viewer(self) -> None:
        """Listen to the viewer's layers no more."""
        events = self._viewer.layers.events
        events.inserted.disconnect(self._on_inserted)
        events.removed.disconnect(self._on_layers)
        events.reordered.disconnect(self._on_layers)
        for layer in list(self._watched):
            for event in _facts(layer):
                event.disconnect(self._on_fact)
        self._watched.clear()

    def _tick_first(self, layer: Image | None) -> None:
        inputs = [each for each in self._viewer.layers if _usable(each)]
        chosen = layer if layer is not None else inputs[-1] if inputs else None
        self._ticked.clear()
        if chosen is not None:
            self._ticked.add(chosen)

    def _on_inserted(self, event: Any) -> None:
        if is_input(event.value):
            ticked = self.ticked()
            of_other_dock = "segloop" in event.value.metadata
            if len(ticked) <= 1 and _usable(event.value) and not (ticked and of_other_dock):
                self._tick_first(event.value)
            self._fill()
            self.changed.emit()

    def _on_layers(self, _: Any = None) -> None:
        inputs = [layer for layer in reversed(self._viewer.layers) if is_input(layer)]
        if inputs == self._rows:
            return
        before = len(self._rows)
        if not self.ticked() and len(inputs) < before:
            self._tick_first(None)
        self._fill()
        self.changed.emit()

    def _on_fact(self, event: Any = None) -> None:
        self._fill()
        self.changed.emit()

    def _fill(self) -> None:
        self._rows = [layer for layer in reversed(self._viewer.layers) if is_input(layer)]
        while self._column.count():
            old = self._column.takeAt(0).widget()
            old.hide()
            old.deleteLater()
        self.boxes.clear()
        for layer in self._rows:
            box = QCheckBox(_short(layer.name, _BOX_LETTERS).replace("&", "&&"))
            box.setToolTip(f"{layer.name}: {' x '.join(map(str, _shape(layer)))}; it need not be saved")
            box.setChecked(layer in self._ticked and _usable(layer))
            box.setEnabled(_usable(layer))
            box.toggled.connect(partial(self._on_ticked, layer))
            self._column.addWidget(box)
            self.boxes[layer.name] = box
            self._watch(layer)
        reasons = [_reason(layer) for layer in self._rows if not _usable(layer)]
        self.unusable.setText("\n".join(reasons))
        self.unusable.setVisible(bool(reasons))
        self.nothing.setVisible(not self._rows)
        self._scroll.setVisible(bool(self._rows))
        self._fit_height()
        self._ask()

    def _fit_height(self) -> None:
        n_rows = min(_MAX_ROWS, len(self._rows))
        height = max((box.sizeHint().height() for box in self.boxes.values()), default=0)
        self._scroll.setFixedHeight(n_rows * (height + self._column.spacing()) + 4)

    def _watch(self, layer: Image) -> None:
        if layer not in self._watched:
            self._watched.add(layer)
            for event in _facts(layer):
                event.connect(self._on_fact)

    def _ask(self) -> None:
        """Ask for the axes of ticked layers that have several possibilities."""
        while self._form.rowCount():
            self._form.removeRow(0)
        self.axes_combos.clear()
        for layer in self.ticked():
            possible = possible_axes(layer)
            if len(possible) < 2:
                continue
            combo = QComboBox(toolTip="Meaning of the axes before Y and X; you can also name them in napari")
            for axes in possible:
                combo.addItem(AXES_WORDS[axes], axes)
            combo.setCurrentIndex(possible.index(self.axes(layer)))
            combo.currentIndexChanged.connect(lambda _, layer=layer, combo=combo: self._on_axes(layer, combo))
            guard_wheel(combo)
            self._form.addRow(f"{_short(layer.name, _QUESTION_LETTERS)} is a", combo)
            self.axes_combos[layer.name] = combo
        self._questions.setVisible(bool(self.axes_combos))

    def _on_axes(self, layer: Image, combo: QComboBox) -> None:
        self._axes[layer] = combo.currentData()
        self.changed.emit()

    def _on_ticked(self, layer: Image, ticked: bool) -> None:
        if ticked:
            self._ticked.add(layer)
        else:
            self._ticked.discard(layer)
        self._ask()
        self.changed.emit()


def _usable(layer: Any) -> bool:
    return is_input(layer) and bool(possible_axes(layer))


def _reason(layer: Image) -> str:
    return (
        f"{_short(layer.name, _BOX_LETTERS)} has {layer.ndim} axes, at most {MAX_AXES} can be predicted: "
        "open a part of it as a layer of its own."
    )


def _short(name: str, letters: int) -> str:
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def _choose(layers: list[Image], axes: str) -> ChosenLayers:
    return ChosenLayers(layers[-1], read_layers(layers, axes), axes, placement(layers[0], axes))


def _facts(layer: Image) -> list[Any]:
    """Return the events that change what a prediction of a layer would be."""
    events = layer.events
    return [events.name, events.data, events.scale, events.units, events.axis_labels]


def _shape(layer: Image) -> Sequence[int]:
    shape: Sequence[int] = (layer.data[0] if layer.multiscale else layer.data).shape
    return shape
