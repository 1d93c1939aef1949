"""A list of folders to choose from, the last entry of which opens a dialog."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QWidget

from segloop.ui.widgets.chooser import PathChooser


class PathBox(QComboBox):
    """Offers named folders and any other.

    Parameters
    ----------
    other : str
        The entry that opens the dialog, such as ``"Other folder…"``.
    none : str
        The entry for choosing none of them; without it, choosing is a must.
    """

    chosen = Signal(str)
    """The path that the user wants; empty for none."""

    def __init__(self, other: str, none: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._other, self._none = other, none
        self._entries: list[tuple[str, str]] = []
        self._value = ""
        # A long name must not make the dock wider.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        # Only its dialog is used.
        self._folder = PathChooser(parent=self)
        self._folder.hide()
        self._folder.changed.connect(self._on_found)
        self.activated.connect(self._on_activated)
        self.offer([])

    def value(self) -> str:
        """Return the chosen path; empty for none."""
        return self._value

    def set_value(self, path: str | Path) -> None:
        """Show a path as chosen, whether it is offered or not, without emitting `chosen`."""
        self._value = str(path)
        self.offer(self._entries)

    def offer(self, entries: Sequence[tuple[str, str]]) -> None:
        """Offer (name, path) pairs; what is chosen stays so."""
        self._entries = [(name, path) for name, path in entries if path]
        shown = list(self._entries)
        if self._value and self._value not in [path for _, path in shown]:
            shown.insert(0, (Path(self._value).name, self._value))
        if self._none:
            shown.insert(0, (self._none, ""))
        with QSignalBlocker(self):
            self.clear()
            for name, path in shown:
                self.addItem(name, path)
                self.setItemData(self.count() - 1, path, Qt.ItemDataRole.ToolTipRole)
            self.addItem(self._other)
            paths = [path for _, path in shown]
            self.setCurrentIndex(paths.index(self._value) if self._value in paths else -1)

    def _on_activated(self, index: int) -> None:
        if index == self.count() - 1:
            self.offer(self._entries)
            self._folder.browse()
        else:
            self._choose(str(self.itemData(index)))

    def _on_found(self, path: str) -> None:
        self.set_value(path)
        self.chosen.emit(path)

    def _choose(self, path: str) -> None:
        if path != self._value:
            self.set_value(path)
            self.chosen.emit(path)
