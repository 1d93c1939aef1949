"""Where maps become objects: sliders that act at once on the kept probabilities."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QSlider,
    QSpinBox,
    QToolButton,
    QWidget,
)

from segloop.targets import Thresholds
from segloop.ui.widgets.wheel import guard_wheel

_STEPS = 100
_SMALLEST_RANGE = 200


@dataclass(frozen=True)
class _Row:
    label: QLabel
    slider: QSlider
    box: QAbstractSpinBox

    def set_visible(self, visible: bool) -> None:
        for widget in (self.label, self.slider, self.box):
            widget.setVisible(visible)


class ThresholdPanel(QWidget):
    """Three sliders with their numbers, and a way back to the model's own values."""

    changed = Signal()
    """The user moved a threshold."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own = Thresholds()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(1, 1)
        self.foreground_box = _fraction("Probability from which a pixel is foreground")
        self.min_size_box = QSpinBox(
            maximum=1_000_000_000, suffix=" px", toolTip="Objects with fewer pixels are removed"
        )
        self.splitting_box = _fraction(
            "How deep a notch between two halves must be to cut them apart: less cuts more"
        )
        self._foreground = self._row(0, "Foreground", self.foreground_box, _STEPS)
        self._min_size = self._row(1, "Min. size", self.min_size_box, _SMALLEST_RANGE)
        self._splitting = self._row(2, "Splitting", self.splitting_box, _STEPS)
        self.foreground, self.min_size = self._foreground.slider, self._min_size.slider
        self.splitting = self._splitting.slider
        self.reset = QToolButton(text="Model's own", toolTip="Back to the values that came with the model")
        self.reset.clicked.connect(self._on_reset)
        self._grid.addWidget(self.reset, 3, 1, 1, 2, Qt.AlignmentFlag.AlignRight)
        self._show_reset()

    def value(self) -> Thresholds:
        """Return what the sliders say; the model's own values exactly where they stand at those."""
        return self._own if self.is_own else self._shown()

    def _shown(self) -> Thresholds:
        return Thresholds(
            round(self.foreground_box.value(), 2),
            self.min_size_box.value(),
            round(self.splitting_box.value(), 2),
        )

    def set_value(self, thresholds: Thresholds) -> None:
        """Show other thresholds, without emitting `changed`."""
        boxes = (self.foreground_box, self.min_size_box, self.splitting_box)
        blockers = [QSignalBlocker(box) for box in boxes]
        self.foreground_box.setValue(thresholds.foreground)
        self.min_size_box.setValue(thresholds.min_size)
        self.splitting_box.setValue(thresholds.splitting)
        del blockers
        self._follow()

    def set_model(self, own: Thresholds, *, splits: bool) -> None:
        """Say what the model's own values are, and whether it separates touching objects."""
        self._own = own
        self._splitting.set_visible(splits)
        highest = max(_SMALLEST_RANGE, 5 * own.min_size)
        with QSignalBlocker(self.min_size):
            self.min_size.setMaximum(highest)
        self._follow()

    @property
    def is_own(self) -> bool:
        """Whether the sliders stand at the model's own values."""
        mine, own = self._shown(), self._own
        return (
            mine.min_size == own.min_size
            and abs(mine.foreground - own.foreground) <= 5e-3
            and abs(mine.splitting - own.splitting) <= 5e-3
        )

    def _row(self, number: int, name: str, box: QSpinBox | QDoubleSpinBox, steps: int) -> _Row:
        slider = QSlider(Qt.Orientation.Horizontal, minimum=0, maximum=steps, toolTip=box.toolTip())
        slider.setAccessibleName(name)
        box.setAccessibleName(name)
        box.setMinimumWidth(84)
        guard_wheel(slider)
        guard_wheel(box)
        label = QLabel(name, toolTip=box.toolTip())
        label.setBuddy(box)
        for column, widget in enumerate((label, slider, box)):
            self._grid.addWidget(widget, number, column)
        factor = 1 if isinstance(box, QSpinBox) else _STEPS
        slider.valueChanged.connect(lambda value: box.setValue(value if factor == 1 else value / factor))
        box.valueChanged.connect(self._on_box)
        return _Row(label, slider, box)

    def _on_box(self) -> None:
        self._follow()
        self.changed.emit()

    def _follow(self) -> None:
        for slider, value in (
            (self.foreground, round(self.foreground_box.value() * _STEPS)),
            (self.min_size, self.min_size_box.value()),
            (self.splitting, round(self.splitting_box.value() * _STEPS)),
        ):
            with QSignalBlocker(slider):
                slider.setValue(value)
        self._show_reset()

    def _show_reset(self) -> None:
        self.reset.setEnabled(not self.is_own)

    def _on_reset(self) -> None:
        self.set_value(self._own)
        self.changed.emit()


def _fraction(tip: str) -> QDoubleSpinBox:
    return QDoubleSpinBox(minimum=0, maximum=1, singleStep=0.01, decimals=2, toolTip=tip)
