"""Predicted files: what is done, what failed and why; opened in the viewer, or decoded again all at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from segloop.artifacts.job.events import JobEvent, MessageEvent, OutputEvent
from segloop.artifacts.prediction.provenance import Prediction, find_predictions
from segloop.config.predict import OutputKind
from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.core.wording import counted

_MAX_ROWS = 8
_RECORD = Qt.ItemDataRole.UserRole


class BatchPanel(QWidget):
    """Lists what came of files."""

    open_requested = Signal(object)
    """Path of the record of a prediction to show."""

    rethreshold_requested = Signal(bool)
    """Decode all again: True with Otsu's threshold of each image, False with the sliders' values."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.folder: Path | None = None
        self.title = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.list = QListWidget(toolTip="Enter or double-click opens a prediction in the viewer")
        self.list.setAccessibleName("Predicted files")
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.list.itemActivated.connect(self._open)
        self.list.currentItemChanged.connect(self._on_current)
        self.open = QPushButton("Open in viewer", toolTip="Show the image with its prediction")
        self.open.clicked.connect(lambda: self._open(self.list.currentItem()))
        self.use_sliders = QRadioButton(
            "sliders above", checked=True, toolTip="The same values for all images"
        )
        self.use_otsu = QRadioButton(
            "Otsu", toolTip="The foreground threshold of each image by Otsu's method"
        )
        group = QButtonGroup(self)
        group.addButton(self.use_sliders)
        group.addButton(self.use_otsu)
        self.rethreshold = QPushButton(
            "Re-threshold all", toolTip="Decode the kept probabilities of all files anew; no network runs"
        )
        self.rethreshold.clicked.connect(lambda: self.rethreshold_requested.emit(self.use_otsu.isChecked()))
        again = QHBoxLayout()
        again.addWidget(self.rethreshold)
        again.addWidget(QLabel("with"))
        again.addWidget(self.use_sliders)
        again.addWidget(self.use_otsu)
        again.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.title)
        layout.addWidget(self.list)
        layout.addWidget(self.open, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addLayout(again)
        self.hide()

    def begin(self, folder: Path) -> None:
        """Start a list of what is written to ``folder``."""
        self.folder = folder
        self._n_done = self._n_failed = 0
        self.list.clear()
        self._seen: set[str] = set()
        self.rethreshold.setEnabled(False)
        self._update()
        self.show()

    def on_events(self, events: Sequence[JobEvent]) -> None:
        """Add what a job tells."""
        for event in events:
            if isinstance(event, OutputEvent) and not event.partial:
                self._add_output(event)
            elif isinstance(event, MessageEvent) and event.level != "info":
                failed = event.level == "error"
                self._n_failed += failed
                self._add(f"{'✗' if failed else '!'} {event.text}", "")
        self.list.scrollToBottom()
        self._update()

    def set_opened(self, predictions: list[Prediction]) -> None:
        """List what was predicted earlier."""
        for each in predictions:
            self._add_record(each.path)
        self.set_found(predictions)

    def set_found(self, predictions: list[Prediction]) -> None:
        """Show what is on disk, once nothing is written any more."""
        found = {str(each.path): each for each in predictions}
        for row in range(self.list.count()):
            item = self.list.item(row)
            prediction = found.get(item.data(_RECORD) or "")
            if prediction is not None:
                n_objects = prediction.provenance.n_objects
                objects = "" if n_objects is None else f": {counted(n_objects, 'object')}"
                item.setText(f"✓ {_name(prediction.path, self.folder)}{objects}")
        kept = any(each.output(OutputKind.probability.value) for each in predictions)
        self.rethreshold.setEnabled(kept)
        self.rethreshold.setToolTip(
            "Decode the kept probabilities of all files anew; no network runs"
            if kept
            else "No probabilities were kept: tick probability under Output and predict again"
        )
        self._update()

    def _add_output(self, event: OutputEvent) -> None:
        self._add_record(_record_of(Path(event.path), event.output_kind))

    def _add_record(self, record: Path) -> None:
        if str(record) not in self._seen:
            self._seen.add(str(record))
            self._n_done += 1
            self._add(f"✓ {_name(record, self.folder)}", str(record))

    def _add(self, text: str, record: str) -> None:
        item = QListWidgetItem(text)
        item.setData(_RECORD, record)
        item.setToolTip(record or text)
        self.list.addItem(item)
        if record and self.list.currentItem() is None:
            self.list.setCurrentItem(item)

    def _update(self) -> None:
        failed = f", {self._n_failed} failed" if self._n_failed else ""
        self.title.setText(f"{self._n_done} done{failed}, in {self.folder}")
        rows = sum(self.list.sizeHintForRow(row) for row in range(min(_MAX_ROWS, self.list.count())))
        self.list.setFixedHeight(min(260, max(40, rows + 2 * self.list.frameWidth() + 4)))
        self._on_current(self.list.currentItem())

    def _on_current(self, item: QListWidgetItem | None, _: Any = None) -> None:
        self.open.setEnabled(item is not None and bool(item.data(_RECORD)))

    def _open(self, item: QListWidgetItem | None) -> None:
        if item is not None and item.data(_RECORD):
            self.open_requested.emit(Path(item.data(_RECORD)))


def find(folder: Path, context: Context) -> list[Prediction]:
    """Return the predictions in a folder, none where it is missing; on a worker thread."""
    context.check()
    try:
        return find_predictions(folder)
    except ImageError:
        return []


def find_some(folder: Path, context: Context) -> list[Prediction]:
    """Return the predictions in a folder; on a worker thread.

    Raises
    ------
    ImageError
        If there is no such folder, or no prediction in it.
    """
    context.check()
    found = find_predictions(folder)
    if not found:
        raise ImageError(
            f"There are no predictions in {folder}: choose the folder that predictions were written to."
        )
    return found


def _record_of(output: Path, kind: str) -> Path:
    """Return the record beside an output: ``<stem>.json`` of ``<stem>[.<kind>].tif`` or ``.ome.zarr``."""
    stem = output.name.removesuffix(".ome.zarr").removesuffix(".tif")
    own = output.with_name(f"{stem}.json")
    return own if own.exists() else output.with_name(f"{stem.removesuffix(f'.{kind}')}.json")


def _name(record: Path, folder: Path | None) -> str:
    inside = folder is not None and record.is_relative_to(folder)
    return (record.relative_to(folder) if inside else record).as_posix().removesuffix(".json")
