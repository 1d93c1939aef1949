"""Shows predicted files; opens them in the viewer, or changes the thresholds of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from segloop.app.presenters.prediction.file_list import FileList, FileRow
from segloop.ui.prediction.result_panel import CORRECT_TIP

_MAX_ROWS = 8
_RECORD = Qt.ItemDataRole.UserRole
_RETHRESHOLD_TIP = "Apply thresholds to the saved probabilities of all files, without running the network"
_NOT_KEPT_TIP = "No probabilities were kept: tick probability under Output and predict again"


class BatchPanel(QWidget):
    """Shows a `FileList`.

    Parameters
    ----------
    files : FileList
        The state.
    """

    open_requested = Signal(object)
    """Path of the record of a prediction to show."""

    correct_requested = Signal(object)
    """Paths of the records of predictions to correct in the Curation dock."""

    rethreshold_requested = Signal(bool)
    """Decode all again: True with Otsu's threshold of each image, False with the sliders' values."""

    def __init__(self, files: FileList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._files = files
        self.title = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.list = QListWidget(toolTip="Enter or double-click opens a prediction in the viewer")
        self.list.setAccessibleName("Predicted files")
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.list.itemActivated.connect(self._open)
        self.list.currentItemChanged.connect(self._on_current)
        self.open = QPushButton("Open in viewer", toolTip="Show the image with its prediction")
        self.open.clicked.connect(lambda: self._open(self.list.currentItem()))
        self.correct = QPushButton("Correct in Curation")
        self.correct.setToolTip(f"{CORRECT_TIP}; of all selected files (Ctrl+A selects all)")
        self.list.itemSelectionChanged.connect(lambda: self.correct.setEnabled(bool(self.selected())))
        self.correct.clicked.connect(lambda: self.correct_requested.emit(self.selected()))
        self.use_sliders = QRadioButton(
            "sliders above", checked=True, toolTip="The same values for all images"
        )
        self.use_otsu = QRadioButton(
            "Otsu", toolTip="Choose the foreground threshold of each image by Otsu's method"
        )
        group = QButtonGroup(self)
        group.addButton(self.use_sliders)
        group.addButton(self.use_otsu)
        self.rethreshold = QPushButton("Re-threshold all", toolTip=_RETHRESHOLD_TIP)
        self.rethreshold.clicked.connect(lambda: self.rethreshold_requested.emit(self.use_otsu.isChecked()))
        again = QHBoxLayout()
        again.addWidget(self.rethreshold)
        again.addWidget(QLabel("with"))
        again.addWidget(self.use_sliders)
        again.addWidget(self.use_otsu)
        again.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.title)
        layout.addWidget(self.list)
        buttons = QHBoxLayout()
        buttons.addWidget(self.open)
        buttons.addWidget(self.correct)
        buttons.addStretch(1)
        layout.addLayout(buttons)
        layout.addLayout(again)
        self.hide()
        files.changed.connect(self._show)

    @property
    def folder(self) -> Path | None:
        """Folder of the listed files."""
        return self._files.folder

    def selected(self) -> list[Path]:
        """Return the records of the selected predictions, in the order of the list."""
        items = sorted(self.list.selectedItems(), key=self.list.row)
        return [item.data(_RECORD) for item in items if item.data(_RECORD) is not None]

    def _show(self) -> None:
        rows = self._files.rows
        grew = len(rows) > self.list.count() > 0
        with QSignalBlocker(self.list):
            while self.list.count() > len(rows):
                self.list.takeItem(self.list.count() - 1)
            for number, row in enumerate(rows):
                self._show_row(number, row)
        if self.list.currentItem() is None:
            first = next((number for number, row in enumerate(rows) if row.record is not None), -1)
            self.list.setCurrentRow(first)
        if grew:
            self.list.scrollToBottom()
        self.title.setText(self._files.title)
        self.rethreshold.setEnabled(self._files.can_rethreshold)
        self.rethreshold.setToolTip(_RETHRESHOLD_TIP if self._files.can_rethreshold else _NOT_KEPT_TIP)
        heights = sum(self.list.sizeHintForRow(row) for row in range(min(_MAX_ROWS, self.list.count())))
        self.list.setFixedHeight(min(260, max(40, heights + 2 * self.list.frameWidth() + 4)))
        self._on_current(self.list.currentItem())
        self.correct.setEnabled(bool(self.selected()))

    def _show_row(self, number: int, row: FileRow) -> None:
        if number >= self.list.count():
            self.list.addItem(QListWidgetItem())
        item = self.list.item(number)
        item.setText(row.text)
        item.setData(_RECORD, row.record)
        item.setToolTip(str(row.record or row.text))

    def _on_current(self, item: QListWidgetItem | None, _: Any = None) -> None:
        self.open.setEnabled(item is not None and item.data(_RECORD) is not None)

    def _open(self, item: QListWidgetItem | None) -> None:
        if item is not None and item.data(_RECORD) is not None:
            self.open_requested.emit(item.data(_RECORD))
