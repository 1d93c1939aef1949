"""The dock without a dataset."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget


class EmptyState(QWidget):
    """Says what to do, with a button for each way."""

    folders_wanted = Signal()
    layers_wanted = Signal()
    sample_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        words = QLabel("No dataset yet. Choose folders, use open layers, or try the sample nuclei.")
        words.setWordWrap(True)
        self.folders = QPushButton("Choose folders…")
        self.folders.setToolTip(
            "Raw images in one folder, their segmentations in another, paired by file name"
        )
        self.layers = QPushButton("Use open layers…")
        self.layers.setToolTip("Image and labels layers that are open in napari; they need not be saved")
        self.sample = QPushButton("Try the sample nuclei")
        self.sample.setToolTip("29 real fluorescence images of nuclei that come with Segloop")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.addWidget(words)
        for button, signal in (
            (self.folders, self.folders_wanted),
            (self.layers, self.layers_wanted),
            (self.sample, self.sample_wanted),
        ):
            button.clicked.connect(signal)
            layout.addWidget(button)
