"""Asking for a folder without blocking what runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QWidget


def ask_for_folder(parent: QWidget, title: str, accept: str, on_chosen: Callable[[Path], object]) -> None:
    """Open a dialog, and return at once.

    Parameters
    ----------
    parent : QWidget
        The dialog belongs to its window.
    title : str
        What the folder is for.
    accept : str
        Label of the button that chooses it.
    on_chosen : callable
        Called with the folder, unless the user cancels.
    """
    dialog = QFileDialog(parent.window(), title)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setLabelText(QFileDialog.DialogLabel.Accept, accept)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(lambda path: on_chosen(Path(path)))
    dialog.open()
