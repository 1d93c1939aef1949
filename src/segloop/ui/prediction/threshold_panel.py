"""Sliders for the parameters of the model's target; they act on the kept probabilities at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QSlider,
    QSpinBox,
    QToolButton,
    QWidget,
)

from segloop.targets import NoParameters, ParameterField, ParameterSet
from segloop.ui.widgets.parameter_form import decimals, number_box
from segloop.ui.widgets.wheel import guard_wheel

_MOST_STEPS = 200
"""A slider has no more positions, unless the model's own value lies beyond them."""

_OWN_VALUES = 5
"""How many times the model's own value such a slider reaches."""


@dataclass(frozen=True)
class _Row:
    field: ParameterField
    box: QWidget
    slider: QSlider | None
    get: Callable[[], Any]
    set: Callable[[Any], None]

    def follow(self) -> None:
        """Move the slider to the number."""
        if self.slider is not None:
            with QSignalBlocker(self.slider):
                self.slider.setValue(round((self.get() - _lowest(self.field)) / self.field.step))


class ThresholdPanel(QWidget):
    """A row for each parameter, and a button that restores the model's own values.

    Attributes
    ----------
    boxes : dict of str to QWidget
        The spin box, check box or line of each parameter by its name.
    sliders : dict of str to QSlider
        The slider of each number by its name.
    """

    changed = Signal()
    """The user changed a value."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own: ParameterSet = NoParameters()
        self._rows: dict[str, _Row] = {}
        self._labels: dict[str, QLabel] = {}
        self._is_stack = False
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(1, 1)
        self.boxes: dict[str, QWidget] = {}
        self.sliders: dict[str, QSlider] = {}
        self.reset = QToolButton(text="Model's own", toolTip="Back to the values that came with the model")
        self.reset.clicked.connect(self._on_reset)
        self._show_reset()

    def value(self) -> ParameterSet:
        """Return the parameters shown; the model's own values exactly where they are unchanged."""
        return self._own if self.is_own else self._own.override(self._changed())

    def overrides(self) -> dict[str, Any]:
        """Return the values by name that differ from the model's own."""
        return self._changed()

    def set_value(self, parameters: ParameterSet) -> None:
        """Show other values, without emitting `changed`; those that the model does not have are left out."""
        for name, value in parameters.values().items():
            row = self._rows.get(name)
            if row is not None:
                with QSignalBlocker(row.box):
                    row.set(value)
                row.follow()
        self._show_reset()

    def set_model(self, own: ParameterSet) -> None:
        """Show the parameters of a model, at their own values unless it has the same ones as before."""
        shown = {name: row.get() for name, row in self._rows.items()}
        same = type(own) is type(self._own)
        self._own = own
        self._remove_rows()
        for number, field in enumerate(own.fields()):
            self._rows[field.name] = self._make_row(number, field)
        self._grid.addWidget(self.reset, len(self._rows), 1, 1, 2, Qt.AlignmentFlag.AlignRight)
        self.boxes = {name: row.box for name, row in self._rows.items()}
        self.sliders = {name: row.slider for name, row in self._rows.items() if row.slider is not None}
        self.set_value(own.override(shown) if same else own)
        self.set_stack(self._is_stack)

    def set_stack(self, is_stack: bool) -> None:
        """Show or hide the parameters that change nothing in images of one slice."""
        self._is_stack = is_stack
        for name, row in self._rows.items():
            for widget in (self._labels[name], row.slider, row.box):
                if widget is not None:
                    widget.setVisible(is_stack or not row.field.stacks_only)

    @property
    def is_own(self) -> bool:
        """Whether all values are the model's own."""
        return not self._changed()

    def _changed(self) -> dict[str, Any]:
        own = self._own.values()
        values = {name: row.get() for name, row in self._rows.items()}
        return {
            name: value for name, value in values.items() if not _shown_alike(self._rows[name], own[name])
        }

    def _remove_rows(self) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None and widget is not self.reset:
                widget.hide()
                widget.deleteLater()
        self._rows.clear()
        self._labels.clear()

    def _make_row(self, number: int, field: ParameterField) -> _Row:
        row = self._make_field(field)
        row.box.setToolTip(field.description)
        row.box.setAccessibleName(field.title)
        row.box.setMinimumWidth(84)
        label = QLabel(field.title, textFormat=Qt.TextFormat.PlainText, toolTip=field.description)
        label.setBuddy(row.box)
        self._grid.addWidget(label, number, 0)
        self._labels[field.name] = label
        if row.slider is not None:
            row.slider.setToolTip(field.description)
            row.slider.setAccessibleName(field.title)
            guard_wheel(row.slider)
            self._grid.addWidget(row.slider, number, 1)
        self._grid.addWidget(row.box, number, 2)
        return row

    def _make_field(self, field: ParameterField) -> _Row:
        if field.type is bool:
            check = QCheckBox()
            check.toggled.connect(self._on_box)
            return _Row(field, check, None, check.isChecked, check.setChecked)
        if field.type not in (int, float):
            line = QLineEdit()
            line.editingFinished.connect(self._on_box)
            return _Row(field, line, None, line.text, lambda value: line.setText(str(value)))
        box = number_box(field)
        own = self._own.values()[field.name]
        slider = QSlider(Qt.Orientation.Horizontal, minimum=0, maximum=_steps(field, float(own)))
        row = _Row(field, box, slider, lambda: _rounded(box), lambda value: _set_exactly(box, value))
        slider.valueChanged.connect(lambda value: row.set(_at(field, value)))
        box.valueChanged.connect(self._on_box)
        return row

    def _on_box(self) -> None:
        for row in self._rows.values():
            row.follow()
        self._show_reset()
        self.changed.emit()

    def _show_reset(self) -> None:
        self.reset.setEnabled(not self.is_own)

    def _on_reset(self) -> None:
        self.set_value(self._own)
        self.changed.emit()


def _lowest(field: ParameterField) -> float:
    return field.minimum if field.minimum is not None else 0.0


def _at(field: ParameterField, position: int) -> Any:
    """Return the value at a position of the slider."""
    value = _lowest(field) + position * field.step
    return round(value) if field.type is int else value


def _steps(field: ParameterField, own: float) -> int:
    """Return the number of positions of a slider: the whole range if it is short enough."""
    low = _lowest(field)
    if field.maximum is not None and (field.maximum - low) / field.step <= _MOST_STEPS:
        return round((field.maximum - low) / field.step)
    return max(_MOST_STEPS, round(_OWN_VALUES * (own - low) / field.step))


def _rounded(box: QSpinBox | QDoubleSpinBox) -> int | float:
    if isinstance(box, QSpinBox):
        return int(box.value())
    return float(round(box.value(), box.decimals()))


def _set_exactly(box: QSpinBox | QDoubleSpinBox, value: Any) -> None:
    """Show a value with as many decimals as it needs, so that it is not taken for one beside it."""
    if isinstance(box, QDoubleSpinBox):
        box.setDecimals(max(box.decimals(), decimals(value)))
    box.setValue(value)


def _shown_alike(row: _Row, value: Any) -> bool:
    """Return whether a row shows a value as well as it can: a spin box rounds to its decimals."""
    if isinstance(row.box, QDoubleSpinBox):
        return bool(abs(row.get() - value) <= 0.5 * 10.0 ** -row.box.decimals() + 1e-12)
    return bool(row.get() == value)
