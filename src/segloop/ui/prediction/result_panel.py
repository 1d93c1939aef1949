"""What to do with results: save them, compare with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from segloop.evaluation.error_image import ErrorImage
from segloop.ui.prediction.error_legend import ErrorLegend
from segloop.ui.widgets.wheel import guard_wheel

CORRECT_TIP = "Add the image and its prediction to the dataset in Curation, and correct the labels there"
_TRUTH_TIP = "Labels layer that holds the truth"
_NO_TRUTH_TIP = "The truth must be a labels layer with the size, scale and position of the image"


class ResultPanel(QWidget):
    """Says how many objects there are; saves and scores."""

    save_requested = Signal(object)
    """Folder to save into."""

    correct_requested = Signal()
    """Correct the results in the Curation dock."""

    score_requested = Signal(str)
    """Name of the labels layer that holds the truth."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder = ""
        self._has_truth = False
        self.summary = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.summary.setObjectName("segloop_summary")
        self.summary.setStyleSheet("#segloop_summary { font-weight: bold; }")
        self.save = QPushButton("Save…", toolTip="Write the results as they are shown, with their provenance")
        self.save.clicked.connect(self.browse)
        self.correct = QPushButton("Correct in Curation", toolTip=CORRECT_TIP)
        self.correct.clicked.connect(self.correct_requested)
        self.truth = QComboBox(toolTip=_TRUTH_TIP)
        self.truth.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.truth.setMinimumContentsLength(8)
        self.truth.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.truth.setAccessibleName("Truth")
        guard_wheel(self.truth)
        self.score = QPushButton("Score against", toolTip="Compare the result with a labels layer")
        self.score.clicked.connect(lambda: self.score_requested.emit(self.truth.currentText()))
        self.scores = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.scores.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.legend = ErrorLegend()
        first = QHBoxLayout()
        first.addWidget(self.save)
        first.addWidget(self.correct, 1)
        row = QHBoxLayout()
        row.addWidget(self.score)
        row.addWidget(self.truth, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.summary)
        layout.addLayout(first)
        layout.addLayout(row)
        layout.addWidget(self.scores)
        layout.addWidget(self.legend)
        self.scores.hide()

    def set_summaries(self, summaries: Sequence[tuple[str, str]], *, updating: bool = False) -> None:
        """Show what each result, by its name, holds.

        Parameters
        ----------
        summaries : sequence of (str, str)
            Name and description of each result.
        updating : bool
            Whether the results don't show the newest thresholds everywhere yet.
        """
        self.setVisible(bool(summaries))
        if updating:
            text = "Updating: the part in view first, then the rest…"
        elif len(summaries) == 1:
            text = summaries[0][1]
        else:
            text = "\n".join(f"{name}: {words}" for name, words in summaries[:8])
        self.summary.setText(text)
        self.score.setEnabled(self._has_truth and not updating)
        self.show_score("", None)

    def set_truths(self, names: Sequence[str], *, others: bool) -> None:
        """Offer labels layers as truth.

        Parameters
        ----------
        names : sequence of str
            Layers that lie on the image of the result.
        others : bool
            Whether there are labels layers elsewhere; it is then said why they are not offered.
        """
        before = self.truth.currentText()
        with QSignalBlocker(self.truth):
            self.truth.clear()
            self.truth.addItems(list(names))
            if before in names:
                self.truth.setCurrentIndex(list(names).index(before))
            if not names:
                self.truth.addItem("none on this image")
        self.truth.setToolTip(_TRUTH_TIP if names else _NO_TRUTH_TIP)
        for widget in (self.truth, self.score):
            widget.setEnabled(bool(names))
            widget.setVisible(bool(names) or others)
        self._has_truth = bool(names)

    def show_score(self, words: str, errors: ErrorImage | None) -> None:
        """Show how well the result agrees with the truth; no words hide it."""
        self.scores.setText(words)
        self.scores.setVisible(bool(words))
        self.legend.show_errors(errors)

    def set_folder(self, folder: str) -> None:
        """Say where the dialog should begin."""
        self._folder = folder

    def browse(self) -> None:
        """Let the user choose a folder, without blocking what runs."""
        dialog = QFileDialog(self.window(), "Save the results into")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setLabelText(QFileDialog.DialogLabel.Accept, "Save here")
        if self._folder:
            dialog.setDirectory(self._folder)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.save_requested.emit(Path(path)))
        dialog.open()
