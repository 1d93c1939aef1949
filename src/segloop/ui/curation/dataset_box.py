"""A list of datasets, with an entry to choose the folder of another one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QWidget

from segloop.ui.widgets.folder_dialog import ask_for_folder

_OTHER = "Other folder…"


class DatasetBox(QComboBox):
    """Lets the user choose a dataset."""

    chosen = Signal()
    """Another dataset was chosen."""

    def __init__(self, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent, toolTip=tip)
        self._paths: tuple[Path, ...] = ()
        self._at = -1
        # A long name must not make the dock wider.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.activated.connect(self._on_activated)
        self.show_datasets((), None)

    def show_datasets(self, paths: Sequence[Path], current: Path | None) -> None:
        """Offer datasets, and choose one of them (it may be missing among them)."""
        self._paths = tuple(paths) if current is None or current in paths else (current, *paths)
        self.clear()
        for path in self._paths:
            self.addItem(path.name)
            self.setItemData(self.count() - 1, str(path), Qt.ItemDataRole.ToolTipRole)
        self.addItem(_OTHER)
        self._at = self._paths.index(current) if current is not None else -1
        self.setCurrentIndex(self._at)

    def value(self) -> Path | None:
        """Return the chosen dataset; None if none is."""
        return self._paths[self._at] if 0 <= self._at < len(self._paths) else None

    def _on_activated(self, index: int) -> None:
        if index < len(self._paths):
            self._at = index
            self.chosen.emit()
            return
        self.setCurrentIndex(self._at)
        ask_for_folder(self, "The folder of a dataset", "Choose", self._on_folder)

    def _on_folder(self, path: Path) -> None:
        self.show_datasets(self._paths, path)
        self.chosen.emit()
