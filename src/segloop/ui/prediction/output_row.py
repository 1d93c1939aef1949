"""Which outputs are wanted, of those that the model has."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QWidget
from superqt import QFlowLayout

from segloop.targets import Output


class OutputRow(QWidget):
    """Ticks outputs."""

    changed = Signal()
    """The user ticked something."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QFlowLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(QLabel("Output"))
        self.boxes: dict[Output, QCheckBox] = {}

    def value(self) -> list[Output]:
        """Return the ticked outputs."""
        return [output for output, box in self.boxes.items() if box.isChecked()]

    def offer(self, possible: Sequence[Output], wanted: Collection[Output]) -> None:
        """Show the outputs that the model has, and tick the wanted ones, without emitting `changed`."""
        if list(self.boxes) != list(possible):
            self._make_boxes(possible)
        for output, box in self.boxes.items():
            box.setText(output.label)
            box.setToolTip(output.description)
            with QSignalBlocker(box):
                box.setChecked(output in wanted)

    def _make_boxes(self, outputs: Sequence[Output]) -> None:
        for box in self.boxes.values():
            self._layout.removeWidget(box)
            box.deleteLater()
        self.boxes = {output: QCheckBox(self) for output in outputs}
        for box in self.boxes.values():
            box.toggled.connect(self.changed)
            self._layout.addWidget(box)
            box.show()
