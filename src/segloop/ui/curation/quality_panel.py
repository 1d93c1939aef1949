"""The part of the dock that looks for what may be wrong in the dataset, each one click from its sample."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QListWidget, QListWidgetItem, QPushButton

from segloop.app.presenters.background import Memory
from segloop.app.presenters.curation.dataset_quality import DatasetQuality
from segloop.ui.widgets.fold import Fold

_HEIGHT = 140  # pixels


class QualityPanel(Fold):
    """A button and a list.

    Parameters
    ----------
    presenter : DatasetQuality
        What was found.
    memory : Memory
        For what is folded.
    """

    sample_chosen = Signal(str)
    """Id of the sample of a finding that was clicked."""

    def __init__(self, presenter: DatasetQuality, memory: Memory) -> None:
        super().__init__("Quality", memory, "curation.quality")
        self._presenter = presenter
        self.button = QPushButton("Look for problems")
        self.button.setToolTip(
            "Measure all samples: copies of an image, objects in several pieces or without signal, tiny "
            "objects, overexposed images, hot pixels"
        )
        self.button.clicked.connect(presenter.look)
        self.said = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.list = QListWidget()
        self.list.setAccessibleName("Things to look at")
        self.list.setFixedHeight(_HEIGHT)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.currentItemChanged.connect(self._on_item)
        self.body.addWidget(self.button)
        self.body.addWidget(self.said)
        self.body.addWidget(self.list)
        presenter.changed.connect(self._show_findings)
        self._show_findings()

    def _show_findings(self) -> None:
        quality = self._presenter.quality
        self.list.blockSignals(True)
        self.list.clear()
        for finding in quality.findings if quality is not None else ():
            item = QListWidgetItem(f"{finding.sample}: {finding.sentence}")
            item.setToolTip(f"{finding.kind.value}\n{finding.sentence}")
            item.setData(Qt.ItemDataRole.UserRole, finding.sample)
            self.list.addItem(item)
        self.list.blockSignals(False)
        self.said.setText(self._presenter.summary)
        self.said.setVisible(bool(self._presenter.summary))
        self.list.setVisible(self.list.count() > 0)

    def _on_item(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.sample_chosen.emit(item.data(Qt.ItemDataRole.UserRole))
