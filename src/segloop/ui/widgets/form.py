"""A form built from a config object: the knobs' labels, helps, units and bounds decide what it looks like."""

from __future__ import annotations

import copy
import dataclasses
import typing
from collections.abc import Callable, Collection
from decimal import Decimal
from enum import Enum
from math import floor, log10
from typing import Any, TypeAlias

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    FloatSpinBox,
    LineEdit,
    RadioButtons,
    SpinBox,
    Widget,
)
from magicgui.widgets.bases import BaseValueWidget, ContainerWidget
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractSpinBox, QFormLayout, QSizePolicy, QVBoxLayout, QWidget

from segloop.app.presenters.background import Memory
from segloop.config.knob import Knob, validate
from segloop.core.errors import ConfigError
from segloop.ui.widgets.fold import Fold
from segloop.ui.widgets.wheel import guard_wheel

_SPIN_LIMIT = 2**31 - 1
_FEW = 3


_Field: TypeAlias = BaseValueWidget[Any] | ContainerWidget[Any]
"""A widget with a value, or a row of them."""


@dataclasses.dataclass
class _Row:
    widget: _Field
    get: Callable[[], Any]
    set: Callable[[Any], None]


class ConfigForm(QWidget):
    """Edits any config dataclass of `segloop.config`.

    Plain knobs become rows; a nested config becomes a fold of its own; advanced knobs go into a fold "More".
    Values by open names (dicts) are left out.

    Parameters
    ----------
    config : dataclass instance
        What to show first; never changed.
    memory : Memory, optional
        Where folds remember their state.
    only, hide : collection of str, optional
        Dotted paths of knobs or nested configs to show exclusively, or to leave out. Values that are not
        shown stay as in the config that was set last.
    folded : bool
        False lists nested configs' knobs one under the other instead of in folds.

    Attributes
    ----------
    rows : dict of str to magicgui.widgets.Widget
        The widget of each shown knob by its dotted path.
    changed : Signal
        The user changed a value.
    """

    changed = Signal()

    def __init__(
        self,
        config: Any,
        memory: Memory | None = None,
        *,
        only: Collection[str] = (),
        hide: Collection[str] = (),
        folded: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._config = copy.deepcopy(config)
        self._memory, self._only, self._hide, self._folded = memory, frozenset(only), frozenset(hide), folded
        self._name = type(config).__name__
        self._rows: dict[str, _Row] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self._fill(layout, self._config, "")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.rows: dict[str, Widget] = {path: row.widget for path, row in self._rows.items()}

    def value(self) -> Any:
        """Return a new config object with what the form shows.

        Raises
        ------
        ConfigError
            If a text is not a list of numbers, or a number is out of bounds.
        """
        config = copy.deepcopy(self._config)
        for path, row in self._rows.items():
            owner, name = _owner(config, path)
            setattr(owner, name, row.get())
        validate(config)
        return config

    def set_value(self, config: Any) -> None:
        """Show another config object of the same type, without emitting `changed`."""
        self._config = copy.deepcopy(config)
        for path, row in self._rows.items():
            owner, name = _owner(config, path)
            with row.widget.changed.blocked():
                row.set(getattr(owner, name))

    def _shown(self, path: str) -> bool:
        if path in self._hide:
            return False
        if not self._only:
            return True
        return any(
            path == name or path.startswith(f"{name}.") or name.startswith(f"{path}.") for name in self._only
        )

    def _fill(self, layout: QVBoxLayout, config: Any, prefix: str) -> None:
        hints = typing.get_type_hints(type(config))
        found = [(field, f"{prefix}{field.name}") for field in dataclasses.fields(config)]
        found = [
            (field, path)
            for field, path in found
            if self._shown(path) and typing.get_origin(hints[field.name]) is not dict
        ]
        plain, more, nested = [], [], []
        for field, path in found:
            value = getattr(config, field.name)
            if dataclasses.is_dataclass(value):
                nested.append((field, path, value))
            elif field.metadata.get("advanced") and path not in self._only:
                more.append((Knob(path, field, value), hints[field.name]))
            else:
                plain.append((Knob(path, field, value), hints[field.name]))
        if plain:
            layout.addLayout(self._form(plain))
        for field, path, value in nested:
            if self._folded:
                fold = Fold(field.metadata.get("label", field.name), self._memory, f"{self._name}.{path}")
                fold.button.setToolTip(field.metadata.get("help", ""))
                self._fill(fold.body, value, f"{path}.")
                layout.addWidget(fold)
            else:
                self._fill(layout, value, f"{path}.")
        if more:
            fold = Fold("More", self._memory, f"{self._name}.{prefix}more")
            fold.body.addLayout(self._form(more))
            layout.addWidget(fold)

    def _form(self, knobs: list[tuple[Knob, Any]]) -> QFormLayout:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        for found, hint in knobs:
            row = _make_row(found, hint)
            self._rows[found.path] = row
            row.widget.changed.connect(self._on_changed)
            native = row.widget.native
            native.setToolTip(row.widget.tooltip)
            native.setAccessibleName(row.widget.label)
            form.addRow(row.widget.label, native)
            form.labelForField(native).setToolTip(row.widget.tooltip)
        return form

    def _on_changed(self) -> None:
        self.changed.emit()


def _owner(config: Any, path: str) -> tuple[Any, str]:
    *parents, name = path.split(".")
    for parent in parents:
        config = getattr(config, parent)
    return config, name


def _plain(
    widget: BaseValueWidget[Any],
    to_config: Callable[[Any], Any],
    to_widget: Callable[[Any], Any] | None = None,
) -> _Row:
    def put(value: Any) -> None:
        widget.value = to_widget(value) if to_widget is not None else value

    return _Row(widget, lambda: to_config(widget.value), put)


def _make_row(found: Knob, hint: Any) -> _Row:
    """Choose a magicgui widget for one knob by its type."""
    about = found.field.metadata
    unit = about.get("unit", "")
    label = about.get("label", found.field.name)
    tip = about.get("help", "")
    if unit:
        label, tip = f"{label} ({unit})", f"{tip} In {unit}."
    words = {"label": label, "tooltip": tip, "name": found.field.name}
    low, high = about.get("min"), about.get("max")
    if typing.get_origin(hint) is list:
        (item,) = typing.get_args(hint)
        return _list(item, found.value, words)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _plain(_choice(hint, found.value, words), lambda value: value)
    if hint is bool:
        box = CheckBox(value=found.value, **words)
        box.native.setText("")
        return _plain(box, bool)
    if hint is int:
        low, high = max(_or(low, -_SPIN_LIMIT), -_SPIN_LIMIT), min(_or(high, _SPIN_LIMIT), _SPIN_LIMIT)
        return _plain(_wide(SpinBox(value=found.value, min=int(low), max=int(high), **words)), int)
    if hint is float and low is not None and low > 0 and 0 < found.value < 0.01:
        # Spans orders of magnitude (a learning rate): typed, since a spin box would show a tail of zeros.
        return _plain(LineEdit(value=f"{found.value:g}", **words), _number(label), lambda value: f"{value:g}")
    if hint is float:
        spin = _float_box(found.value, _or(low, -_SPIN_LIMIT), _or(high, _SPIN_LIMIT), words)
        spin.native.setSpecialValueText(about.get("zero", ""))
        return _plain(spin, float)
    return _plain(LineEdit(value=found.value, **words), str.strip)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _number(label: str) -> Callable[[str], float]:
    def to_config(text: str) -> float:
        try:
            return float(text)
        except ValueError as error:
            raise ConfigError(f"{label}: write a number such as 0.001, not {text!r}.") from error

    return to_config


def _choice(kind: type[Enum], value: Enum, words: dict[str, Any]) -> BaseValueWidget[Any]:
    choices = [(_on_screen(member), member) for member in kind]
    if len(choices) > _FEW:
        return ComboBox(choices=choices, value=value, **words)
    radio = RadioButtons(choices=choices, orientation="horizontal", **words)
    radio.value = value
    radio.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    radio.native.setStyleSheet("QGroupBox { border: none; margin: 0; padding: 0; }")
    radio.native.layout().setContentsMargins(0, 2, 0, 2)
    return radio


def _list(item: Callable[[str], Any], values: list[Any], words: dict[str, Any]) -> _Row:
    def to_config(text: str) -> list[Any]:
        parts = [part for part in _entries(text) if part.strip()]
        try:
            return [item(part.strip()) for part in parts]
        except ValueError as error:
            raise ConfigError(
                f"{words['label']}: write numbers with commas between them, not {text!r}."
            ) from error

    def to_widget(values: list[Any]) -> str:
        return ", ".join(str(value) for value in values)

    line = LineEdit(value=to_widget(values), **words)
    line.native.setPlaceholderText("automatic" if item is int else "all")
    return _plain(line, to_config, to_widget)


def _entries(text: str) -> list[str]:
    """Split a text at commas and semicolons, but not within parentheses, as in ``merge(DAPI, GFP)``."""
    entries, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")" and depth > 0)
        if character in ",;" and depth == 0:
            entries.append("")
        else:
            entries[-1] += character
    return entries


def _float_box(value: float, low: float, high: float, words: dict[str, Any]) -> BaseValueWidget[Any]:
    step = 10.0 ** (floor(log10(abs(value))) - (1 if abs(value) < 1 else 0)) if value else 0.01
    number = FloatSpinBox(value=value, min=low, max=high, step=step, **words)
    # A spin box rounds to its decimals; the bounds and the default must survive that.
    places = max(-int(Decimal(repr(each)).normalize().as_tuple().exponent) for each in (step, low, value))
    number.native.setDecimals(max(2, min(9, places)))
    number.native.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
    number.value = value
    return _wide(number)


def _wide(spin: BaseValueWidget[Any]) -> BaseValueWidget[Any]:
    spin.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    guard_wheel(spin.native)
    return spin


def _on_screen(member: Enum) -> str:
    return member.name.replace("_", " ")
