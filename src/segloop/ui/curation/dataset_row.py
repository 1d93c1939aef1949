"""The row that says which dataset is open and offers the others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QToolButton,
    QWidget,
)

from segloop.curation.export import FORMATS
from segloop.ui.curation.dataset_box import DatasetBox
from segloop.ui.widgets.folder_dialog import ask_for_folder


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
        self.box = DatasetBox("Curated dataset to review")
        self.box.chosen.connect(lambda: self.chosen.emit(self.box.value()))
        self.new = QPushButton("New…", toolTip="Create a dataset from folders or from open layers")
        self.new.clicked.connect(self.new_requested)
        self.more = QPushButton(
            "Add…", toolTip="Add samples to this dataset: files, open layers, or those of another dataset"
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
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Dataset"))
        layout.addWidget(self.box, 1)
        layout.addWidget(self.new)
        layout.addWidget(self.more)
        layout.addWidget(self.export)

    def show_datasets(self, paths: Sequence[Path], current: Path | None) -> None:
        """Offer datasets, the open one marked (it may be outside the workspace)."""
        self.export.setEnabled(current is not None)
        self.more.setEnabled(current is not None)
        self.box.show_datasets(paths, current)

    def _browse(self, name: str) -> None:
        """Let the user choose where to export to, without blocking what runs."""
        emit = partial(self.export_requested.emit, name)
        ask_for_folder(self, "Make the exported folder in", "Export here", emit)
