"""The row that says which dataset is open and offers the others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QToolButton,
    QWidget,
)

from segloop.curation.export import FORMATS
from segloop.ui.widgets.chooser import PathChooser
from segloop.ui.widgets.folder_dialog import ask_for_folder

_OTHER = "Other folder…"


class DatasetRow(QWidget):
    """Emits the dataset that the user wants."""

    chosen = Signal(object)
    """Path of a dataset."""

    new_requested = Signal()
    more_requested = Signal()

    export_requested = Signal(str, object)
    """Name of a format, and the folder in which to make a new one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paths: tuple[Path, ...] = ()
        self._current: Path | None = None
        self.box = QComboBox(toolTip="Curated dataset to review")
        # A long name must not make the dock wider.
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.box.activated.connect(self._on_activated)
        self.new = QPushButton("New…", toolTip="Create a dataset from folders or from open layers")
        self.new.clicked.connect(self.new_requested)
        self.more = QPushButton(
            "Add…", toolTip="Add samples to this dataset, from folders or from open layers"
        )
        self.more.clicked.connect(self.more_requested)
        self.export = QToolButton(text="Export ▾", toolTip="Write the accepted samples for another tool")
        # The themes draw the arrow over the text.
        self.export.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.export)
        for name, title in FORMATS.items():
            menu.addAction(f"{name}: {title}", partial(self._browse, name))
        self.export.setMenu(menu)
        # Only its dialog is used.
        self._folder = PathChooser(parent=self)
        self._folder.hide()
        self._folder.changed.connect(lambda path: self.chosen.emit(Path(path)))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Dataset"))
        layout.addWidget(self.box, 1)
        layout.addWidget(self.new)
        layout.addWidget(self.more)
        layout.addWidget(self.export)

    def show_datasets(self, paths: Sequence[Path], current: Path | None) -> None:
        """Offer datasets, the open one marked (it may be outside the workspace)."""
        self._current = current
        self.export.setEnabled(current is not None)
        self.more.setEnabled(current is not None)
        self._paths = tuple(paths) if current is None or current in paths else (current, *paths)
        self.box.clear()
        for path in self._paths:
            self.box.addItem(path.name)
            self.box.setItemData(self.box.count() - 1, str(path), Qt.ItemDataRole.ToolTipRole)
        self.box.addItem(_OTHER)
        self.box.setCurrentIndex(self._paths.index(current) if current is not None else -1)

    def _browse(self, name: str) -> None:
        """Let the user choose where to export to, without blocking what runs."""
        emit = partial(self.export_requested.emit, name)
        ask_for_folder(self, "Make the exported folder in", "Export here", emit)

    def _on_activated(self, index: int) -> None:
        if index < len(self._paths):
            self.chosen.emit(self._paths[index])
            return
        self.show_datasets(self._paths, self._current)
        self._folder.browse()
