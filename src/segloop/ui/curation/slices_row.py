"""The row that says which slices of a stack regions cover."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QRadioButton, QSpinBox, QWidget

from segloop.app.presenters.curation.drawing import SliceChoice


class SlicesRow(QWidget):
    """All slices, the one on screen, or a range."""

    chosen = Signal(object)
    """A `SliceChoice`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.all = QRadioButton("all", checked=True, toolTip="Regions cover every slice of the stack")
        self.this = QRadioButton("this", toolTip="Regions cover only the slice on screen")
        self.range = QRadioButton("", toolTip="Regions cover these slices, the last one included")
        self.range.setAccessibleName("Range of slices")
        self.first = _slice_box("First slice, counted from 0")
        self.last = _slice_box("Last slice, counted from 0")
        self._group = QButtonGroup(self)
        for button in (self.all, self.this, self.range):
            self._group.addButton(button)
        self._group.buttonClicked.connect(self._emit)
        for box in (self.first, self.last):
            box.valueChanged.connect(self._on_range)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.all, self.this, self.range, self.first, QLabel("to"), self.last):
            layout.addWidget(widget)
        layout.addStretch(1)

    def value(self) -> SliceChoice:
        """Return the choice."""
        mode = self._group.checkedButton()
        if mode is self.this:
            return SliceChoice("this")
        if mode is self.range:
            return SliceChoice("range", int(self.first.value()), int(self.last.value()))
        return SliceChoice()

    def set_n_slices(self, n_slices: int) -> None:
        """Offer the slices of another stack."""
        if n_slices > 1 and self.last.maximum() != n_slices - 1:
            with QSignalBlocker(self.first), QSignalBlocker(self.last):
                self.first.setMaximum(n_slices - 1)
                self.last.setMaximum(n_slices - 1)
                self.last.setValue(n_slices - 1)

    def _on_range(self) -> None:
        self.range.setChecked(True)
        self._emit()

    def _emit(self) -> None:
        self.chosen.emit(self.value())


def _slice_box(tip: str) -> QSpinBox:
    box = QSpinBox(toolTip=tip)
    # napari's themes make these wider than a narrow dock has room for.
    box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
    box.setStyleSheet("QSpinBox { min-width: 36px; max-width: 36px; }")
    return box
