"""The part of the dock that shows a review and emits what the curator wants; it decides nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from segloop.artifacts.dataset.manifest import Sample
from segloop.curation.session import Filter, ReviewSession
from segloop.ui.curation.region_row import RegionRow
from segloop.ui.curation.sample_list import SampleList
from segloop.ui.curation.segmentation_rows import BaseRow, ShownRow
from segloop.ui.widgets.fold import Fold
from segloop.ui.widgets.memory import Memory
from segloop.ui.widgets.progress import painted_later

SHAPES = (("polygon", "Polygon"), ("rectangle", "Rectangle"), ("ellipse", "Ellipse"), ("path", "Freehand"))


class ReviewPanel(QWidget):
    """List of samples, verdicts, base, what is shown, regions, slices, split and note, undo and redo."""

    sample_chosen = Signal(str)
    filter_chosen = Signal(object)
    base_chosen = Signal(str)
    shown_chosen = Signal(str, bool)
    slices_chosen = Signal()
    split_chosen = Signal(str)
    note_written = Signal(str)

    def __init__(self, memory: Memory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._memory = memory
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(self._make_counts())
        self.list = SampleList()
        self.list.chosen.connect(self.sample_chosen)
        layout.addWidget(self.list, 1)
        layout.addLayout(self._make_steps())
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self._form.setVerticalSpacing(4)
        self.base = BaseRow()
        self.base.chosen.connect(self.base_chosen)
        self.shown = ShownRow(memory)
        self.shown.chosen.connect(self.shown_chosen)
        self._form.addRow("Base", self.base)
        self._form.addRow("Show", self.shown)
        self.shape = QComboBox()
        for value, label in SHAPES:
            self.shape.addItem(label, value)
        self.shape.setToolTip("How regions are drawn; these are napari's own tools")
        self.shape.setCurrentIndex(max(0, self.shape.findData(memory.recall("curation.shape", "polygon"))))
        self.shape.currentIndexChanged.connect(lambda: memory.remember("curation.shape", self.shape_kind()))
        self._form.addRow("Shape", self.shape)
        self.exclude = RegionRow("exclude", "E", "Draw a region that training leaves out")
        self.merge = RegionRow("merge", "M", "Draw a region that takes its labels from another segmentation")
        self._form.addRow("Exclude", self.exclude)
        self._form.addRow("Merge", self.merge)
        self._slices = self._make_slices()
        self._form.addRow("Slices", self._slices)
        self.show_slices(1)
        layout.addLayout(self._form)
        layout.addWidget(self._make_more(memory))
        layout.addLayout(self._make_saved())

    def shape_kind(self) -> str:
        """Return the shape to draw: polygon, rectangle, ellipse or path."""
        return str(self.shape.currentData())

    def slice_range(self, z: int) -> tuple[int | None, int | None]:
        """Return the first and last slice that a region covers, for the slice at hand; None is no limit."""
        if self.this_slice.isChecked():
            return z, z
        if self.some_slices.isChecked():
            first, last = self.first.value(), self.last.value()
            return min(first, last), max(first, last)
        return None, None

    def show_session(self, session: ReviewSession) -> None:
        """Show the list and counts of a review."""
        with QSignalBlocker(self.filter):
            self.filter.setCurrentIndex(self.filter.findData(session.filter))
        self.list.set_samples(session.samples, session.visible_ids())
        self.list.set_current(session.current.id)
        self.show_counts(session)

    def show_counts(self, session: ReviewSession) -> None:
        """Show how far the review has come."""
        counts = session.counts()
        self.counts.setText(
            f"{counts.reviewed} of {counts.total} reviewed: "
            f"{counts.accepted} accepted, {counts.rejected} rejected"
        )
        with painted_later(self.bar):
            self.bar.setRange(0, counts.total)
            self.bar.setValue(counts.reviewed)
        if session.saved_at is not None:
            self.saved.setText(f"Saved {time.strftime('%H:%M:%S', time.localtime(session.saved_at))}")

    def show_sample(self, sample: Sample) -> None:
        """Show what was decided about the sample at hand."""
        names = sample.segmentation_names
        self.base.show_base(names, sample.base)
        self.shown.show_segmentations(names)
        sources = [name for name in names if name != sample.base]
        self.merge.setEnabled(bool(sources))
        self._form.labelForField(self.merge).setEnabled(bool(sources))
        self.exclude.show_regions(sample.regions)
        self.merge.show_regions(sample.regions, sources)
        for split, button in self.splits.items():
            button.setChecked(split == sample.split)
        if not self.note.hasFocus() or self.note.text() != sample.note:
            self.note.setText(sample.note)

    def show_slices(self, n_slices: int) -> None:
        """Offer the slices of a stack; hidden for a plane."""
        self._slices.setVisible(n_slices > 1)
        self._form.labelForField(self._slices).setVisible(n_slices > 1)
        if n_slices > 1 and self.last.maximum() != n_slices - 1:
            with QSignalBlocker(self.first), QSignalBlocker(self.last):
                self.first.setMaximum(n_slices - 1)
                self.last.setMaximum(n_slices - 1)
                self.last.setValue(n_slices - 1)

    def show_drawing(self, kinds: Sequence[str]) -> None:
        """Mark the kind of region that is being drawn."""
        self.exclude.button.setChecked("exclude" in kinds)
        self.merge.button.setChecked("merge" in kinds)

    def _make_counts(self) -> QVBoxLayout:
        self.counts = QLabel()
        self.counts.setWordWrap(True)
        self.bar = QProgressBar(textVisible=False)
        self.bar.setFixedHeight(10)
        self.filter = QComboBox()
        self.filter.setToolTip("Which samples the list, Next and Back go through")
        for each in Filter:
            self.filter.addItem(each.value, each)
        self.filter.currentIndexChanged.connect(lambda: self.filter_chosen.emit(self.filter.currentData()))
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        row.addWidget(QLabel("Filter"))
        row.addWidget(self.filter)
        layout = QVBoxLayout()
        layout.setSpacing(4)
        layout.addWidget(self.counts)
        layout.addLayout(row)
        return layout

    def _make_steps(self) -> QHBoxLayout:
        self.back = _button("← Back", "Show the sample before", "B")
        self.accept = _button("Accept A", "Good to learn from; goes to the next undecided sample", "A")
        self.reject = _button("Reject R", "Not to be learnt from; goes to the next undecided sample", "R")
        self.next = _button("Next →", "Show the next sample", "N")
        row = QHBoxLayout()
        row.setSpacing(4)
        for button in (self.back, self.accept, self.reject, self.next):
            row.addWidget(button, 1)
        return row

    def _make_slices(self) -> QWidget:
        self.all_slices = QRadioButton("all", checked=True, toolTip="Regions cover every slice of the stack")
        self.this_slice = QRadioButton("this", toolTip="Regions cover only the slice at hand")
        self.some_slices = QRadioButton("", toolTip="Regions cover these slices, the last one included")
        self.first = _slice_box("First slice, counted from 0")
        self.last = _slice_box("Last slice, counted from 0")
        self._slice_group = QButtonGroup(self)
        for button in (self.all_slices, self.this_slice, self.some_slices):
            self._slice_group.addButton(button)
        self._slice_group.buttonClicked.connect(lambda: self.slices_chosen.emit())
        for box in (self.first, self.last):
            box.valueChanged.connect(self._on_range)
        return _row(self.all_slices, self.this_slice, self.some_slices, self.first, QLabel("to"), self.last)

    def _make_more(self, memory: Memory) -> Fold:
        fold = Fold("Split and note", memory, "curation.split_note")
        self.splits: dict[str, QRadioButton] = {}
        self._split_group = QButtonGroup(self)
        tips = {
            "train": "Learnt from",
            "val": "Training is checked on it while it runs",
            "test": "Held aside for the final score",
        }
        for split, tip in tips.items():
            button = QRadioButton(split, toolTip=tip)
            button.clicked.connect(lambda _=False, split=split: self.split_chosen.emit(split))
            self._split_group.addButton(button)
            self.splits[split] = button
        self.note = QLineEdit(placeholderText="free words about this sample")
        self.note.editingFinished.connect(lambda: self.note_written.emit(self.note.text()))
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Split", _row(*self.splits.values()))
        form.addRow("Note", self.note)
        fold.body.addLayout(form)
        return fold

    def _make_saved(self) -> QHBoxLayout:
        self.saved = QLabel("Every change is saved at once")
        self.undo = QPushButton("Undo", toolTip="Take back the last change, whatever it was (Ctrl+Z)")
        self.redo = QPushButton("Redo", toolTip="Make again what was undone (Ctrl+Shift+Z)")
        row = QHBoxLayout()
        row.addWidget(self.saved, 1)
        row.addWidget(self.undo)
        row.addWidget(self.redo)
        return row

    def _on_range(self) -> None:
        self.some_slices.setChecked(True)
        self.slices_chosen.emit()


def _button(text: str, tip: str, key: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(f"{tip} (key {key})")
    return button


def _slice_box(tip: str) -> QSpinBox:
    box = QSpinBox(toolTip=tip)
    # napari's themes make these wider than a narrow dock has room for.
    box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
    box.setStyleSheet("QSpinBox { min-width: 36px; max-width: 36px; }")
    return box


def _row(*widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addStretch(1)
    return row
