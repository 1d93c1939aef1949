"""The line at the top of each dock that names the workspace and lets the user change it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QToolButton, QWidget
from superqt import QElidingLabel


class WorkspaceBar(QWidget):
    """Names the workspace; emits the folder of another one when the user chooses it."""

    chosen = Signal(object)
    """Path of the workspace that the user wants."""

    help_requested = Signal()
    """The user wants to know what to do in this dock."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._path = Path()
        self.label = QElidingLabel()
        self.change = QToolButton(text="Change…", toolTip="Choose the folder of another study")
        self.change.clicked.connect(self.browse)
        self.help = QToolButton(text="?", toolTip="Help: what to do here, keys, words, about this computer")
        self.help.setAccessibleName("Help")
        self.help.clicked.connect(self.help_requested)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.change)
        layout.addWidget(self.help)

    def set_path(self, path: Path) -> None:
        """Show the workspace's name, its whole path in the tooltip."""
        self._path = path
        self.label.setText(f"Workspace: {path.name}")
        self.label.setToolTip(str(path))

    def browse(self) -> None:
        """Open a folder dialog, without blocking what runs."""
        dialog = QFileDialog(self.window(), "Choose a workspace folder", str(self._path.parent))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.chosen.emit(Path(path)))
        dialog.open()
