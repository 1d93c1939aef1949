"""A form built from a target's options or another `ParameterSet`: one row for each field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from segloop.targets import ParameterField, ParameterSet
from segloop.ui.widgets.wheel import guard_wheel

_LARGEST = 2**31 - 1


@dataclass(frozen=True)
class _Row:
    widget: QWidget
    get: Callable[[], Any]
    set: Callable[[Any], None]


class ParameterForm(QWidget):
    """Edits the values of a `ParameterSet`.

    Attributes
    ----------
    rows : dict of str to QWidget
        The widget of each field by its name.
    """

    changed = Signal()
    """The user changed a value."""

    def __init__(self, kind: type[ParameterSet], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._rows = {field.name: self._make_row(field) for field in kind.fields()}
        self.rows = {name: row.widget for name, row in self._rows.items()}
        for field in kind.fields():
            widget = self.rows[field.name]
            widget.setToolTip(field.description)
            widget.setAccessibleName(field.title)
            layout.addRow(field.title, widget)  # its box shows the unit

    def value(self) -> dict[str, Any]:
        """Return the values by name."""
        return {name: row.get() for name, row in self._rows.items()}

    def set_value(self, values: Mapping[str, Any]) -> None:
        """Show other values, without emitting `changed`; names that the form lacks are left out."""
        for name, row in self._rows.items():
            if name in values:
                with QSignalBlocker(row.widget):
                    row.set(values[name])

    def _make_row(self, field: ParameterField) -> _Row:
        if field.type is bool:
            box = QCheckBox()
            box.setChecked(bool(field.default))
            box.toggled.connect(self.changed)
            return _Row(box, box.isChecked, box.setChecked)
        if field.type in (int, float):
            spin = number_box(field)
            spin.setValue(field.default)
            spin.valueChanged.connect(self.changed)
            return _Row(spin, spin.value, spin.setValue)
        if field.choices:
            combo = QComboBox()
            combo.addItems(field.choices)
            combo.setCurrentText(str(field.default))
            guard_wheel(combo)
            combo.currentTextChanged.connect(self.changed)
            return _Row(combo, combo.currentText, combo.setCurrentText)
        line = QLineEdit(str(field.default))
        line.editingFinished.connect(self.changed)
        return _Row(line, line.text, line.setText)


def number_box(field: ParameterField) -> QSpinBox | QDoubleSpinBox:
    """Return a spin box with the bounds, step and unit of a numeric field."""
    low = -_LARGEST if field.minimum is None else field.minimum
    high = _LARGEST if field.maximum is None else field.maximum
    suffix = f" {field.unit}" if field.unit else ""
    box: QSpinBox | QDoubleSpinBox
    if field.type is int:
        box = QSpinBox()
        box.setRange(int(low), int(high))
        box.setSingleStep(max(1, round(field.step)))
    else:
        box = QDoubleSpinBox()
        box.setDecimals(decimals(field.step))
        box.setRange(low, high)
        box.setSingleStep(field.step)
    box.setSuffix(suffix)
    guard_wheel(box)
    return box


def decimals(step: float) -> int:
    """Return how many decimals show every multiple of a step; at least 2."""
    places = 2
    while places < 6 and abs(round(step, places) - step) > 1e-9:
        places += 1
    return places
