"""The dataset to learn from: which one, what it holds, and what to do while there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from segloop.ui.training.path_box import PathBox


class DatasetPanel(QWidget):
    """Shows the chosen dataset and emits what the user wants of it."""

    chosen = Signal(str)
    """Path of the dataset that the user wants."""

    curation_wanted = Signal()
    sample_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = PathBox("Other folder…")
        self.box.setToolTip("Curated dataset to learn from")
        self.box.setAccessibleName("Dataset")
        self.box.chosen.connect(self.chosen)
        self.facts = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.curation = QPushButton("Open Curation")
        self.curation.setToolTip("Make a dataset, or accept samples of this one")
        self.curation.clicked.connect(self.curation_wanted)
        self.sample = QPushButton("Use the sample nuclei")
        self.sample.setToolTip("29 real fluorescence images of nuclei that come with Segloop, all accepted")
        self.sample.clicked.connect(self.sample_wanted)
        top = QHBoxLayout()
        top.addWidget(QLabel("Dataset"))
        top.addWidget(self.box, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.curation)
        buttons.addWidget(self.sample)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.facts)
        layout.addLayout(buttons)

    def value(self) -> str:
        """Return the path of the chosen dataset; empty without one."""
        return self.box.value()

    def offer(self, paths: Sequence[Path]) -> None:
        """Offer the datasets of the workspace."""
        self.box.offer([(path.name, str(path)) for path in paths])

    def set_value(self, path: str) -> None:
        """Show a dataset as chosen."""
        self.box.set_value(path)

    def show_text(self, text: str, *, curation: bool = False, sample: bool = False) -> None:
        """Say what the dataset holds, or what is wrong with it.

        Parameters
        ----------
        text : str
            One or more lines.
        curation, sample : bool
            Whether to offer the way to the Curation dock, and the sample nuclei.
        """
        self.facts.setText(text)
        self.curation.setVisible(curation)
        self.sample.setVisible(sample)
