"""Any number of rows, each a name and a choice: the segmentations of a new dataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QToolButton, QVBoxLayout, QWidget

from segloop.artifacts.dataset.segmentation import default_name

_NAME_WIDTH = 84

ChooserT = TypeVar("ChooserT", bound=QWidget)


class NamedRows(QWidget, Generic[ChooserT]):
    """Rows to name and choose segmentations; there is always a first one.

    Parameters
    ----------
    make_chooser : callable
        Returns what a further row lets the user choose with.
    tip : str
        Tooltip of the button that adds a row.
    """

    changed = Signal()
    """A name was changed, or a row was added or removed."""

    def __init__(self, make_chooser: Callable[[], ChooserT], tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._make_chooser = make_chooser
        self.names: list[QLineEdit] = []
        self.choosers: list[ChooserT] = []
        self._rows: list[QWidget] = []
        self._named: list[str] = []
        self.add = QPushButton("Add another", toolTip=tip)
        self.add.clicked.connect(self.add_row)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self._layout.addWidget(self.add)
        self.add_row()

    def add_row(self) -> None:
        """Add a row."""
        number = len(self._rows) + 1
        row, name, chooser = QWidget(), QLineEdit(placeholderText=default_name(number)), self._make_chooser()
        name.setFixedWidth(_NAME_WIDTH)
        name.setToolTip("Name of the segmentation: letters, digits, _ and -")
        name.editingFinished.connect(self._on_named)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(name)
        layout.addWidget(chooser, 1)
        if number > 1:
            remove = QToolButton(text="×", toolTip="Remove this segmentation")
            remove.setAccessibleName("Remove this segmentation")
            remove.clicked.connect(lambda: self._remove(row))
            layout.addWidget(remove)
        self.names.append(name)
        self.choosers.append(chooser)
        self._rows.append(row)
        self._layout.insertWidget(self._layout.count() - 1, row)
        row.show()
        if number > 1:
            self.changed.emit()

    def _on_named(self) -> None:
        named = [name.text().strip() for name in self.names]
        if named != self._named:
            self._named = named
            self.changed.emit()

    def _remove(self, row: QWidget) -> None:
        index = self._rows.index(row)
        for each in (self.names, self.choosers, self._rows):
            each.pop(index)
        for number, name in enumerate(self.names, 1):
            name.setPlaceholderText(default_name(number))
        self._layout.removeWidget(row)
        row.hide()
        row.deleteLater()
        self.changed.emit()
