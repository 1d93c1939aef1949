"""What the dock says while there is no model."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget


class EmptyState(QWidget):
    """Says what to do, with a button for each way."""

    training_wanted = Signal()
    folder_wanted = Signal()
    zip_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        words = QLabel("No model yet. Train one on your curated images, or use one from elsewhere.")
        words.setWordWrap(True)
        self.training = QPushButton("Train a model…")
        self.training.setToolTip("Open the Training dock; the model shows here as soon as it has one")
        self.folder = QPushButton("Use the folder of a model or run…")
        self.zip = QPushButton("Use a model file (.zip)…")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.addWidget(words)
        for button, signal in (
            (self.training, self.training_wanted),
            (self.folder, self.folder_wanted),
            (self.zip, self.zip_wanted),
        ):
            button.clicked.connect(signal)
            layout.addWidget(button)
