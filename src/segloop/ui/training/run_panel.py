"""The run on screen: progress, curves, buttons, log."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from segloop.app.presenters.background import Memory
from segloop.app.presenters.training.shown_run import ShownRun
from segloop.app.run_follower import RunUpdate
from segloop.core.context import Progress
from segloop.ui.training.curves import CurvesPlot
from segloop.ui.widgets.fold import Fold
from segloop.ui.widgets.progress import ProgressRow

_MAX_LINES = 2000


class RunPanel(QWidget):
    """Shows a run and emits what the user wants of it."""

    stop_wanted = Signal()
    resume_wanted = Signal()
    longer_wanted = Signal()
    predict_wanted = Signal()

    def __init__(self, memory: Memory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.progress = ProgressRow()
        self.progress.button.setText("Stop and keep")
        self.progress.button.setToolTip(
            "Stop the training; the best model so far is kept, and Resume continues it"
        )
        self.progress.cancelled.connect(self.stop_wanted)
        self.curves = CurvesPlot()
        self.resume = _button("Resume", "Continue where it ended: weights, optimiser, epoch and time")
        self.longer = _button("Train longer", "Continue for the time set above")
        self.predict = _button("Predict with it", "Open the Prediction dock with the model of this run")
        self.resume.clicked.connect(self.resume_wanted)
        self.longer.clicked.connect(self.longer_wanted)
        self.predict.clicked.connect(self.predict_wanted)
        buttons = QHBoxLayout()
        for button in (self.resume, self.longer, self.predict):
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.log_fold = Fold("Log", memory, "training.log")
        self.log = QPlainTextEdit(readOnly=True)
        self.log.setMaximumBlockCount(_MAX_LINES)
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

    def show_run(self, run: ShownRun) -> None:
        """Show another run."""
        self.title.setText(run.name)
        self.title.setToolTip(str(run.path))
        self.progress.finish()
        self.curves.show_curves(run.curves)
        self.log.clear()
        for button in (self.resume, self.longer, self.predict):
            button.hide()

    def show_update(self, run: ShownRun, update: RunUpdate) -> None:
        """Show what is new."""
        if update.lines:
            self.log.appendPlainText("\n".join(update.lines))
        if update.metrics:
            self.curves.refresh()
        self.title.setText(f"{run.name}: {run.status}")
        self._show_progress(run.progress, stoppable=not run.stopping)
        self.resume.setVisible(run.can_resume)
        self.longer.setVisible(run.can_train_longer)
        self.predict.setVisible(run.can_predict)

    def show_minutes(self, minutes: float) -> None:
        """Say how much longer a finished run would be trained."""
        self.longer.setText(f"Train {minutes:g} min more")

    def _show_progress(self, progress: Progress | None, *, stoppable: bool) -> None:
        if progress is None:
            self.progress.finish()
            return
        if not self.progress.isVisible():
            self.progress.start()
        self.progress.set_progress(progress)
        self.progress.button.setEnabled(stoppable)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.hide()
    return button
