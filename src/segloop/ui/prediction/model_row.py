"""The model: chosen from a list or a file, and its card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from segloop.artifacts.model.model import Model
from segloop.core.context import Context
from segloop.core.errors import ModelError


@dataclass(frozen=True)
class ModelEntry:
    """One line of the list.

    Attributes
    ----------
    name : str
        What is shown.
    path : str
        What it is chosen by: a model folder or zip, or a run.
    model : Model or None
        None where it can't be read.
    problem : str
        Why it can't be read.
    """

    name: str
    path: str
    model: Model | None
    problem: str = ""


def load_entries(found: dict[str, Path], extra: list[str], context: Context) -> list[ModelEntry]:
    """Read the cards of models; on a worker thread.

    Parameters
    ----------
    found : dict of str to Path
        Models by the name to show.
    extra : list of str
        Paths that the user has browsed to; those that are gone are left out.
    """
    entries = []
    named = {str(path): name for name, path in found.items()}
    for path in (*named, *(path for path in extra if path not in named)):
        context.check()
        if path not in named and not Path(path).exists():
            continue
        try:
            model = Model.load(path)
        except ModelError as error:
            entries.append(ModelEntry(named.get(path, Path(path).name), path, None, str(error)))
        else:
            entries.append(ModelEntry(named.get(path, model.card.name), path, model))
    return entries


class ModelRow(QWidget):
    """Chooses a model; shows what it was trained on and how good it is."""

    chosen = Signal()
    """The user chose another entry."""

    browsed = Signal(str)
    """The user named a folder or a zip file."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: list[ModelEntry] = []
        self.combo = QComboBox(toolTip="Models and runs that can predict; a run counts with its best model")
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setMinimumContentsLength(12)
        self.combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.combo.setAccessibleName("Model")
        self.browse = QToolButton(text="Browse…", toolTip="Use a model from elsewhere")
        self.browse.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.browse.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.browse)
        menu.addAction("Folder of a model or run…", self.browse_folder)
        menu.addAction("Model file (.zip)…", self.browse_zip)
        self.browse.setMenu(menu)
        self.card = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.card.setObjectName("segloop_card")
        self.card.setStyleSheet(
            "#segloop_card { border-left: 3px solid rgba(128, 128, 128, 120); padding-left: 6px; }"
        )
        label = QLabel("Model")
        label.setBuddy(self.combo)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.combo, 1)
        row.addWidget(self.browse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.card)
        self.combo.currentIndexChanged.connect(self._on_chosen)
        self.card.hide()

    @property
    def entry(self) -> ModelEntry | None:
        """What is chosen."""
        index = self.combo.currentIndex()
        return self._entries[index] if 0 <= index < len(self._entries) else None

    def set_entries(self, entries: list[ModelEntry], wanted: str) -> None:
        """List models, and choose the one of path ``wanted``, else the first."""
        self._entries = list(entries)
        with QSignalBlocker(self.combo):
            self.combo.clear()
            for entry in entries:
                self.combo.addItem(entry.name)
                self.combo.setItemData(self.combo.count() - 1, entry.path, Qt.ItemDataRole.ToolTipRole)
            paths = [entry.path for entry in entries]
            self.combo.setCurrentIndex(paths.index(wanted) if wanted in paths else 0 if paths else -1)
        self._show_card()

    def browse_folder(self) -> None:
        """Let the user choose a folder, without blocking what runs."""
        self._browse(QFileDialog.FileMode.Directory, "Choose the folder of a model or run", "")

    def browse_zip(self) -> None:
        """Let the user choose a zip file, without blocking what runs."""
        self._browse(QFileDialog.FileMode.ExistingFile, "Choose a model file", "Models (*.zip)")

    def _browse(self, mode: QFileDialog.FileMode, title: str, name_filter: str) -> None:
        dialog = QFileDialog(self.window(), title)
        dialog.setFileMode(mode)
        if name_filter:
            dialog.setNameFilter(name_filter)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.browsed)
        dialog.open()

    def _on_chosen(self) -> None:
        self._show_card()
        self.chosen.emit()

    def _show_card(self) -> None:
        entry = self.entry
        self.card.setVisible(entry is not None)
        if entry is not None:
            self.card.setText(entry.problem if entry.model is None else describe(entry.model))
            self.card.setToolTip(
                f"{entry.path}\nweights {entry.model.sha256[:12]}" if entry.model else entry.path
            )


def describe(model: Model) -> str:
    """Say in a few lines what a model is for, what it was trained on and how good it was."""
    card = model.card
    dims = "3D" if card.axes == "ZYX" else "2D"
    if card.target.kind == "instance":
        learned = "objects"
    else:
        learned = "foreground" if card.target.classes == 2 else f"{card.target.classes} classes"
    first = [f"{dims} {learned}"]
    pixel = _pixel_size(card.pixel_size_um)
    first += [f"{pixel} pixels"] if pixel else []
    made = card.provenance
    size = (made.get("config") or {}).get("network", {}).get("size", "")
    network = f"{size} {card.network.get('name', '')}".strip()
    first += [network] if network else []
    lines = [", ".join(first), f"Channels: {', '.join(card.recipe.channels)}"]
    dataset = made.get("dataset") or {}
    trained = []
    if dataset.get("name"):
        trained.append(f"Trained on {dataset['name']} ({dataset.get('train_samples', '?')} images)")
    if made.get("created"):
        trained.append(str(made["created"])[:10])
    lines += [", ".join(trained)] if trained else []
    judged = _scores(made.get("scores") or {})
    lines += [judged] if judged else []
    return "\n".join(lines)


def _scores(scores: dict[str, Any]) -> str:
    parts = []
    if scores.get("val_ap50") is not None:
        parts.append(f"AP at IoU 0.5 {scores['val_ap50']:.2f}")
    if scores.get("val_dice") is not None:
        parts.append(f"Dice {scores['val_dice']:.2f}")
    return f"Validation: {', '.join(parts)}" if parts else ""


def _pixel_size(size: tuple[float | None, ...]) -> str:
    known = [step for step in size if step]
    if not known:
        return ""
    if len({f"{step:.3g}" for step in known}) == 1:
        return f"{known[-1]:.3g} µm"
    return " x ".join(f"{step:.3g}" for step in known) + " µm"
