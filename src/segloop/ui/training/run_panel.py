"""One run on screen: how far it is, its curves, what can be done with it, its log."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from segloop.app.run_follower import STATE_WORDS, RunUpdate
from segloop.artifacts.job.state import JobState
from segloop.core.context import Progress
from segloop.ui.training.curves import CurvesPlot
from segloop.ui.widgets.fold import Fold
from segloop.ui.widgets.memory import Memory
from segloop.ui.widgets.progress import ProgressRow

_BUSY = {
    JobState.waiting: "Starting; the first time this may take half a minute",
    JobState.running: "Looking at the images",
    JobState.stopping: "Stopping; the best model so far is kept",
}
_MOST_LINES = 2000


class RunPanel(QWidget):
    """Shows a run and emits what the user wants of it."""

    stop_wanted = Signal()
    resume_wanted = Signal()
    longer_wanted = Signal()
    predict_wanted = Signal()

    def __init__(self, memory: Memory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = ""
        self._state: JobState | None = None
        self._best: tuple[str, float] | None = None
        self.title = QLabel(wordWrap=True)
        self.progress = ProgressRow()
        self.progress.button.setText("Stop and keep")
        self.progress.button.setToolTip("Stop the training; the best model so far is kept, Resume goes on")
        self.progress.cancelled.connect(self.stop_wanted)
        self.curves = CurvesPlot()
        self.resume = _button("Resume", "Go on where it ended: weights, optimiser, epoch and time")
        self.longer = _button("Train longer", "Go on for the time set above")
        self.predict = _button("Predict with it", "Open the Prediction dock with the best model of this run")
        self.resume.clicked.connect(self.resume_wanted)
        self.longer.clicked.connect(self.longer_wanted)
        self.predict.clicked.connect(self.predict_wanted)
        buttons = QHBoxLayout()
        for button in (self.resume, self.longer, self.predict):
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.log_fold = Fold("Log", memory, "training.log")
        self.log = QPlainTextEdit(readOnly=True)
        self.log.setMaximumBlockCount(_MOST_LINES)
        self.log.setFixedHeight(130)
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.log.setAccessibleName("Log")
        self.log_fold.body.addWidget(self.log)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.title)
        layout.addWidget(self.progress)
        layout.addWidget(self.curves, 1)
        layout.addLayout(buttons)
        layout.addWidget(self.log_fold)

    def show_run(self, path: Path) -> None:
        """Show another run, of which nothing is known yet."""
        self._name, self._state, self._best = path.name, None, None
        self.title.setText(f"<b>{path.name}</b>")
        self.title.setToolTip(str(path))
        self.progress.finish()
        self.curves.clear_curves()
        self.log.clear()
        for button in (self.resume, self.longer, self.predict):
            button.hide()

    def show_update(self, update: RunUpdate) -> None:
        """Show what has become of the run."""
        if update.lines:
            self.log.appendPlainText("\n".join(update.lines))
        if update.metrics:
            self.curves.add(update.metrics)
            self._best = self._find_best()
        if update.metrics or update.state is not self._state:
            self.title.setText(f"<b>{self._name}</b>: {STATE_WORDS[update.state]}{self._score()}")
        self._show_progress(update)
        self._state = update.state
        self.resume.setVisible(update.state in (JobState.stopped, JobState.failed, JobState.lost))
        self.longer.setVisible(update.state is JobState.finished)
        self.predict.setVisible(update.has_model)

    def show_minutes(self, minutes: float) -> None:
        """Say how much longer a finished run would be trained."""
        self.longer.setText(f"Train {minutes:g} min more")

    def show_stopping(self) -> None:
        """Show that the stop request is on its way."""
        self.progress.button.setEnabled(False)
        self.progress.label.setText(_BUSY[JobState.stopping])

    def _show_progress(self, update: RunUpdate) -> None:
        if update.state.ended:
            self.progress.finish()
            return
        if self._state is None or self._state.ended or update.state is not self._state:
            self.progress.start(_BUSY[update.state])
            # A busy bar would have the whole window painted again and again for half a minute.
            self.progress.set_progress(Progress(0, 1, _BUSY[update.state]))
            self.progress.button.setEnabled(update.state is not JobState.stopping)
        progress = update.timed_progress
        if progress is not None and self.progress.button.isEnabled():
            self.progress.set_progress(progress)

    def _find_best(self) -> tuple[str, float] | None:
        """Return the measure and its highest value; the model kept may be one as good, of lower loss."""
        for name, words in (("val_ap50", "AP50"), ("val_dice", "Dice")):
            values = self.curves.curve(name)[1]
            if len(values):
                return words, max(values)
        return None

    def _score(self) -> str:
        if self._best is None:
            return ""
        words, value = self._best
        return f", best {words} {value:.2f}"


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.hide()
    return button
