"""A path that is typed, dropped or chosen in a dialog."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget


class PathKind(Enum):
    """What may be chosen."""

    folder = "folder"
    file = "file"
    files = "files"
    new_folder = "new folder"
    new_file = "new file"


class PathChooser(QWidget):
    """A line edit with a Choose button; files and folders can be dropped on it.

    Parameters
    ----------
    kind : PathKind
        What the dialog offers.
    placeholder : str
        What to say while empty.
    name_filter : str
        Filter of the dialog, such as ``"Images (*.tif *.png)"``.
    """

    changed = Signal(str)

    def __init__(
        self,
        kind: PathKind = PathKind.folder,
        placeholder: str = "",
        name_filter: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._kind = kind
        self._filter = name_filter
        self.setAcceptDrops(True)
        self.line = QLineEdit(placeholderText=placeholder)
        self.line.setAcceptDrops(False)
        self.line.editingFinished.connect(self._on_edited)
        self.button = QPushButton("Choose…")
        self.button.setToolTip(f"Choose a {kind.value}" if kind is not PathKind.files else "Choose files")
        self.button.clicked.connect(self.browse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.button)
        self.setFocusProxy(self.line)
        self._last = ""

    def value(self) -> str:
        """Return the path or paths (joined by ``;``) as text; empty where nothing was chosen."""
        return str(self.line.text()).strip()

    def values(self) -> list[str]:
        """Return the chosen paths."""
        return [part.strip() for part in self.value().split(";") if part.strip()]

    def set_value(self, value: str | Path) -> None:
        """Show a path."""
        self.line.setText(str(value))
        self._on_edited()

    def choose(self, value: str) -> None:
        """Show a path that the user chose; emitted even if it is the same, as the file may be new."""
        self.line.setText(value)
        self._last = self.value()
        self.changed.emit(self._last)

    def browse(self) -> None:
        """Open the dialog, without blocking what runs."""
        dialog = QFileDialog(self.window(), f"Choose {self._kind.value}")
        mode = QFileDialog.FileMode
        dialog.setFileMode(
            {
                PathKind.folder: mode.Directory,
                PathKind.file: mode.ExistingFile,
                PathKind.files: mode.ExistingFiles,
                PathKind.new_folder: mode.AnyFile,
                PathKind.new_file: mode.AnyFile,
            }[self._kind]
        )
        if self._kind in (PathKind.new_folder, PathKind.new_file):
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        if self._filter:
            dialog.setNameFilter(self._filter)
        present = self.values()
        if present and Path(present[0]).parent.is_dir():
            dialog.setDirectory(str(Path(present[0]).parent))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(lambda chosen: self.choose(";".join(chosen)))
        dialog.open()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Take local files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Show the dropped path."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            self.choose(";".join(paths) if self._kind is PathKind.files else paths[0])
            event.acceptProposedAction()

    def _on_edited(self) -> None:
        if self.value() != self._last:
            self._last = self.value()
            self.changed.emit(self._last)
