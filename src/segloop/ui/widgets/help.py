"""The help window of a dock: what to do, keys, words, and at the end what ``segloop doctor`` prints."""

from __future__ import annotations

import sys

from qtpy.QtCore import QProcess, Qt
from qtpy.QtGui import QCloseEvent, QFontDatabase, QGuiApplication
from qtpy.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QTextBrowser, QVBoxLayout, QWidget

from segloop.ui.widgets.fold import Fold
from segloop.ui.widgets.help_text import help_html


class HelpWindow(QWidget):
    """Explains a dock; the section "About this computer" is filled when it is opened.

    Parameters
    ----------
    dock : str
        Name of the dock.
    """

    def __init__(self, dock: str, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Segloop: {dock}")
        self.page = QTextBrowser()
        self.page.setHtml(help_html(dock))
        self.computer = Fold("About this computer")
        self.computer.button.setToolTip(
            "Devices, readers of images, and versions: what segloop doctor prints"
        )
        self.text = QPlainTextEdit(readOnly=True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        copy = QPushButton("Copy", toolTip="Copy this section, to paste it into a report")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text.toPlainText()))
        self.computer.body.addWidget(self.text)
        self.computer.body.addWidget(copy, alignment=Qt.AlignmentFlag.AlignLeft)
        self.computer.button.toggled.connect(self._on_computer)
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.page, 1)
        layout.addWidget(self.computer)
        layout.addLayout(buttons)
        self.resize(560, 680)
        self._process = QProcess(self)
        self._process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)

    def _on_computer(self, opened: bool) -> None:
        # In a process of its own, since it imports torch.
        if opened and not self.text.toPlainText():
            self.text.setPlainText("Reading versions and devices, about 20 s…")
            self._process.start(sys.executable, ["-m", "segloop", "doctor"])

    def _on_finished(self) -> None:
        output = bytes(self._process.readAllStandardOutput()).decode("utf-8", "replace").strip()
        self.text.setPlainText(output or "segloop doctor printed nothing: run it in a terminal.")

    def _on_error(self) -> None:
        if self._process.error() == QProcess.ProcessError.FailedToStart:
            self.text.setPlainText(
                f"{sys.executable} could not be started: run segloop doctor in a terminal."
            )

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """End the process if it is still running."""
        self._process.kill()
        self._process.waitForFinished(1000)
        super().closeEvent(event)
