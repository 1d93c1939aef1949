"""Which outputs are wanted: objects, mask, classes, probability, as far as the model has them."""

from __future__ import annotations

from collections.abc import Collection

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QWidget

from segloop.config.predict import OutputKind

_WORDS = {
    OutputKind.labels: ("objects", "Each object has its own number"),
    OutputKind.mask: ("mask", "Foreground and background"),
    OutputKind.classes: ("classes", "The most probable class of each pixel"),
    OutputKind.probability: ("probability", "The maps that the thresholds act on"),
}


class OutputRow(QWidget):
    """Ticks outputs."""

    changed = Signal()
    """The user ticked something."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Output"))
        self.boxes: dict[OutputKind, QCheckBox] = {}
        for kind, (word, tip) in _WORDS.items():
            self.boxes[kind] = QCheckBox(word, toolTip=tip)
            self.boxes[kind].toggled.connect(self.changed)
            layout.addWidget(self.boxes[kind])
        layout.addStretch(1)

    def value(self) -> list[OutputKind]:
        """Return the ticked outputs among those that the model has."""
        return [kind for kind, box in self.boxes.items() if not box.isHidden() and box.isChecked()]

    def offer(self, possible: Collection[OutputKind], wanted: Collection[OutputKind]) -> None:
        """Show the outputs that the model has, and tick the wanted ones, without emitting `changed`."""
        for kind, box in self.boxes.items():
            box.setVisible(kind in possible)
            with QSignalBlocker(box):
                box.setChecked(kind in wanted)
