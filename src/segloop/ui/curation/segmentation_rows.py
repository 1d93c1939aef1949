"""Two rows of the dock with an entry for each segmentation: which one is the base, and which are shown."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QButtonGroup, QCheckBox, QGridLayout, QRadioButton, QWidget

from segloop.app.presenters.background import Memory
from segloop.ui.curation.layers import segmentation_colour, segmentation_group

_MOST_COLUMNS = 4
_LONGEST_NAME = 13


class BaseRow(QWidget):
    """A radio button for each segmentation of the sample."""

    chosen = Signal(str)
    """Name of the segmentation to use as the base."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, QRadioButton] = {}
        self._group = QButtonGroup(self)
        self._grid = _grid(self)

    def show_base(self, names: Sequence[str], base: str) -> None:
        """Offer the segmentations by name, with the base checked."""
        if tuple(names) != tuple(self.buttons):
            for button in self.buttons.values():
                self._group.removeButton(button)
                _drop(button)
            columns = _columns(names)
            self.buttons = {}
            for number, name in enumerate(names):
                self.buttons[name] = self._button(number, name)
                self._grid.addWidget(self.buttons[name], number // columns, number % columns)
        self.buttons[base].setChecked(True)

    def _button(self, number: int, name: str) -> QRadioButton:
        button = QRadioButton(_short(name))
        key = f" (key {number + 1})" if number < 6 else ""
        button.setToolTip(f"The ground truth starts from the segmentation {name}{key}")
        button.clicked.connect(lambda: self.chosen.emit(name))
        self._group.addButton(button)
        return button


class ShownRow(QWidget):
    """A check box for the raw image, each segmentation and the ground truth; choices are remembered.

    Parameters
    ----------
    memory : Memory
        Where choices are kept.
    """

    chosen = Signal(str, bool)
    """A group of layers (see `SampleLayers`), and whether to show it."""

    def __init__(self, memory: Memory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._memory = memory
        self.boxes: dict[str, QCheckBox] = {}
        self._grid = _grid(self)

    def show_segmentations(self, names: Sequence[str]) -> None:
        """Offer the segmentations by name."""
        groups = {
            "raw": ("raw", "Show the raw image"),
            **{
                segmentation_group(name): (
                    _short(name),
                    f"Show the segmentation {name} ({segmentation_colour(number)[1]} contour)",
                )
                for number, name in enumerate(names)
            },
            "truth": ("truth", "Show the ground truth (magenta; excluded parts hatched grey)"),
        }
        if tuple(groups) == tuple(self.boxes):
            return
        for box in self.boxes.values():
            _drop(box)
        self.boxes = {}
        columns = _columns([text for text, _ in groups.values()])
        for number, (group, (text, tip)) in enumerate(groups.items()):
            on = bool(self._memory.recall(f"curation.show.{group}", True))
            box = QCheckBox(text, checked=on, toolTip=tip)
            box.toggled.connect(lambda on, group=group: self._on_toggled(group, on))
            self._grid.addWidget(box, number // columns, number % columns)
            self.boxes[group] = box
            self.chosen.emit(group, on)

    def set_shown(self, group: str, on: bool) -> None:
        """Follow a group that was shown or hidden elsewhere."""
        box = self.boxes.get(group)
        if box is not None:
            with QSignalBlocker(box):
                box.setChecked(on)

    def _on_toggled(self, group: str, on: bool) -> None:
        self._memory.remember(f"curation.show.{group}", on)
        self.chosen.emit(group, on)


def _grid(widget: QWidget) -> QGridLayout:
    grid = QGridLayout(widget)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setSpacing(4)
    grid.setColumnStretch(_MOST_COLUMNS, 1)
    return grid


def _columns(texts: Sequence[str]) -> int:
    """Return how many columns fit a dock of 400 pixels."""
    longest = max(len(text) for text in texts)
    return _MOST_COLUMNS if longest <= 5 else 3 if longest <= 8 else 2


def _drop(button: QWidget) -> None:
    button.hide()
    button.deleteLater()


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
