"""A choice of an item of a registry, with a form of its options below."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from segloop.config.parameters import NoParameters, ParameterSet, options_type_of
from segloop.core.errors import SegloopError
from segloop.core.registry import Registry
from segloop.ui.widgets.parameter_form import ParameterForm
from segloop.ui.widgets.wheel import guard_wheel

logger = logging.getLogger(__name__)


def options_form(registry: Registry[Any], name: str) -> ParameterForm:
    """Return a form of the options of an item; an empty one if the item can't be loaded."""
    kind: type[ParameterSet] = NoParameters
    try:
        kind = options_type_of(registry.get(name))
    except SegloopError:
        # The user is told why when the item is used.
        logger.exception("The options of the %s %s can't be shown", registry.noun, name)
    return ParameterForm(kind)


class ItemForm(QWidget):
    """A list of the items of a registry, and the options of the chosen one.

    Parameters
    ----------
    registry : Registry
        What there is to choose from. Only the chosen item is imported.
    none : str, optional
        Text of a first entry that chooses no item.

    Attributes
    ----------
    names : QComboBox
        The list.
    form : ParameterForm
        The options of the chosen item.
    """

    changed = Signal()
    """The user changed the choice or an option."""

    def __init__(self, registry: Registry[Any], none: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._registry = registry
        self.names = QComboBox()
        self.names.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.names.setMinimumContentsLength(8)
        guard_wheel(self.names)
        if none:
            self.names.addItem(none, "")
        for name in registry.names():
            self.names.addItem(name, name)
        self.form = ParameterForm(NoParameters)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self._layout.addWidget(self.names)
        self._layout.addWidget(self.form)
        self._show_options()
        self.names.currentIndexChanged.connect(self._on_chosen)

    def value(self) -> tuple[str, dict[str, Any]]:
        """Return the name of the chosen item, empty for none, and its options."""
        return str(self.names.currentData()), self.form.value()

    def set_value(self, name: str, options: Mapping[str, Any]) -> None:
        """Show another choice, without emitting `changed`."""
        with QSignalBlocker(self.names):
            if self.names.findData(name) < 0:
                self.names.addItem(name, name)  # of a package that is no longer installed
            self.names.setCurrentIndex(self.names.findData(name))
        self._show_options()
        self.form.set_value(options)

    def _on_chosen(self) -> None:
        self._show_options()
        self.changed.emit()

    def _show_options(self) -> None:
        name = str(self.names.currentData())
        form = options_form(self._registry, name) if name else ParameterForm(NoParameters)
        form.changed.connect(self.changed)
        self._layout.replaceWidget(self.form, form)
        self.form.hide()
        self.form.deleteLater()
        self.form = form
        form.setVisible(bool(form.rows))
