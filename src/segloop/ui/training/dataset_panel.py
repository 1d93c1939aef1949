"""The dataset to learn from: which one, what it holds, and what to do while there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from segloop.ui.training.facts import DatasetFacts
from segloop.ui.training.path_box import PathBox

_EMPTY = "No dataset yet. Make one in the Curation dock, or train on the sample nuclei."


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
        self.facts = QLabel(wordWrap=True)
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
        self.show_looking()

    def value(self) -> str:
        """Return the path of the chosen dataset; empty without one."""
        return self.box.value()

    def offer(self, paths: Sequence[Path]) -> None:
        """Offer the datasets of the workspace."""
        self.box.offer([(path.name, str(path)) for path in paths])

    def show_looking(self) -> None:
        """Say that the dataset is being looked at."""
        self._show("Looking at the dataset…")

    def show_empty(self) -> None:
        """Say that there is no dataset, and what to do."""
        self._show(_EMPTY, curation=True, sample=True)

    def show_facts(self, facts: DatasetFacts) -> None:
        """Say what the dataset holds."""
        self._show(facts.line(), curation=not facts.usable)

    def show_problem(self, text: str) -> None:
        """Say why the dataset can't be used."""
        self._show(text)

    def _show(self, text: str, *, curation: bool = False, sample: bool = False) -> None:
        self.facts.setText(text)
        self.curation.setVisible(curation)
        self.sample.setVisible(sample)
