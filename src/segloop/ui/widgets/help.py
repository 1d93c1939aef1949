"""The page about this computer: what ``segloop doctor`` prints, in a window."""

from __future__ import annotations

import sys

from qtpy.QtCore import QProcess, Qt
from qtpy.QtGui import QCloseEvent, QFontDatabase, QGuiApplication
from qtpy.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget


class HelpWindow(QWidget):
    """Runs ``segloop doctor`` in a process of its own, since it imports torch, and shows its lines."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Segloop on this computer")
        self.text = QPlainTextEdit(readOnly=True, plainText="Looking at this computer…")
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        copy = QPushButton("Copy", toolTip="Copy the whole page, to paste it into a report")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text.toPlainText()))
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(copy)
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addLayout(buttons)
        self.resize(760, 560)
        self._process = QProcess(self)
        self._process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._process.start(sys.executable, ["-m", "segloop", "doctor"])

    def _on_finished(self) -> None:
        said = bytes(self._process.readAllStandardOutput()).decode("utf-8", "replace").strip()
        self.text.setPlainText(said or "segloop doctor said nothing: run it in a terminal.")

    def _on_error(self) -> None:
        if self._process.error() == QProcess.ProcessError.FailedToStart:
            self.text.setPlainText(
                f"{sys.executable} could not be started: run segloop doctor in a terminal."
            )

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """End the process if it still runs."""
        self._process.kill()
        self._process.waitForFinished(1000)
        super().closeEvent(event)
