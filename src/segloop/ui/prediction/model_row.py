"""The model: chosen from a list or a file, and its card."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from segloop.app.presenters.prediction.model_list import ModelList


class ModelRow(QWidget):
    """Shows a `ModelList`: a choice, and below it what the chosen model was trained on and its scores.

    Parameters
    ----------
    models : ModelList
        The state.
    """

    browsed = Signal(str)
    """The user chose a folder or a zip file."""

    def __init__(self, models: ModelList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self.combo = QComboBox(toolTip="Models and runs that can predict; of a run, its best model is used")
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setMinimumContentsLength(12)
        self.combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.combo.setAccessibleName("Model")
        self.browse = QToolButton(text="Browse…", toolTip="Use a model from another folder or a zip file")
        self.browse.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.browse.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.browse)
        menu.addAction("Folder of a model or run…", self.browse_folder)
        menu.addAction("Model file (.zip)…", self.browse_zip)
        self.browse.setMenu(menu)
        self.card = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.card.setObjectName("segloop_card")
        self.card.setStyleSheet(
            "#segloop_card { border-left: 3px solid rgba(128, 128, 128, 120); padding-left: 6px; }"
        )
        label = QLabel("Model")
        label.setBuddy(self.combo)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.combo, 1)
        row.addWidget(self.browse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.card)
        self.combo.currentIndexChanged.connect(models.choose)
        models.changed.connect(self._show_list)
        models.chosen_changed.connect(self._show_card)
        self._show_list()

    def browse_folder(self) -> None:
        """Let the user choose a folder; nothing is blocked meanwhile."""
        self._browse(QFileDialog.FileMode.Directory, "Choose the folder of a model or run", "")

    def browse_zip(self) -> None:
        """Let the user choose a zip file; nothing is blocked meanwhile."""
        self._browse(QFileDialog.FileMode.ExistingFile, "Choose a model file", "Models (*.zip)")

    def _browse(self, mode: QFileDialog.FileMode, title: str, name_filter: str) -> None:
        dialog = QFileDialog(self.window(), title)
        dialog.setFileMode(mode)
        if name_filter:
            dialog.setNameFilter(name_filter)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.browsed)
        dialog.open()

    def _show_list(self) -> None:
        with QSignalBlocker(self.combo):
            self.combo.clear()
            for entry in self._models.entries:
                self.combo.addItem(entry.label)
                self.combo.setItemData(self.combo.count() - 1, entry.path, Qt.ItemDataRole.ToolTipRole)
        self._show_card()

    def _show_card(self) -> None:
        with QSignalBlocker(self.combo):
            self.combo.setCurrentIndex(self._models.chosen_index)
        entry = self._models.chosen
        self.card.setVisible(entry is not None)
        if entry is not None:
            self.card.setText(entry.description)
            weights = f"\nweights {entry.model.sha256[:12]}" if entry.model is not None else ""
            self.card.setToolTip(f"{entry.path}{weights}")
