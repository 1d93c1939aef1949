"""The part of the dock that shows a review; it shows the presenter's state and calls its commands."""

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
    QVBoxLayout,
    QWidget,
)

from segloop.app.presenters.background import Memory
from segloop.app.presenters.curation.dataset_quality import DatasetQuality
from segloop.app.presenters.curation.drawing import SHAPES, Kind
from segloop.app.presenters.curation.review import ReviewPresenter
from segloop.curation.session import Filter
from segloop.ui.curation.label_panel import LabelPanel
from segloop.ui.curation.quality_panel import QualityPanel
from segloop.ui.curation.region_row import RegionRow
from segloop.ui.curation.sample_list import SampleList
from segloop.ui.curation.segmentation_rows import BaseRow, ShownRow
from segloop.ui.curation.slices_row import SlicesRow
from segloop.ui.shortcuts import key_of, with_key
from segloop.ui.widgets.fold import Fold
from segloop.ui.widgets.progress import painted_later


class ReviewPanel(QWidget):
    """List of samples, verdicts, base, what is shown, regions, slices, split and note, undo and redo.

    Parameters
    ----------
    review : ReviewPresenter
    quality : DatasetQuality
        Looks for what may be wrong.
    memory : Memory
        For what is folded and shown.

    Attributes
    ----------
    steps : QWidget
        The row of main buttons, for the footer of the dock.
    """

    sample_chosen = Signal(str)
    slices_chosen = Signal(object)
    """A `SliceChoice`."""

    def __init__(self, review: ReviewPresenter, quality: DatasetQuality, memory: Memory) -> None:
        super().__init__()
        self._review = review
        self.steps = self._make_steps()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(self._make_counts())
        layout.addLayout(self._make_search())
        self.list = SampleList()
        self.list.chosen.connect(self.sample_chosen)
        self.list.sort_requested.connect(review.sort)
        layout.addWidget(self.list, 1)
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self._form.setVerticalSpacing(4)
        self.base = BaseRow()
        self.base.chosen.connect(review.set_base)
        self.shown = ShownRow(memory)
        self._form.addRow("Base", self.base)
        self._form.addRow("Show", self.shown)
        self._form.addRow("Shape", self._make_shape())
        self.exclude = RegionRow("exclude", "Draw a region that training leaves out")
        self.merge = RegionRow("merge", "Draw a region that takes its labels from another segmentation")
        self.merge.source_chosen.connect(review.options.set_source)
        self.region_rows: dict[Kind, RegionRow] = {"exclude": self.exclude, "merge": self.merge}
        self._form.addRow("Exclude", self.exclude)
        self._form.addRow("Merge", self.merge)
        self.slices = SlicesRow()
        self.slices.chosen.connect(self.slices_chosen)
        self._form.addRow("Slices", self.slices)
        self.labels = LabelPanel(review.editor, review.walk, memory)
        self.show_slices(1)
        layout.addLayout(self._form)
        layout.addWidget(self.labels)
        layout.addWidget(self._make_split_and_note(memory))
        self.quality = QualityPanel(quality, memory)
        self.quality.sample_chosen.connect(self.sample_chosen)
        layout.addWidget(self.quality)
        layout.addLayout(self._make_saved())
        self.hide()
        review.session_changed.connect(self._on_session)
        review.moved.connect(self._on_moved)
        review.sample_changed.connect(self._show_sample)
        review.rows_changed.connect(self._show_rows)
        review.row_changed.connect(self.list.refresh)
        review.edited.connect(self._show_counts)
        review.options.sources_changed.connect(self._show_sources)

    def show_slices(self, n_slices: int) -> None:
        """Offer the slices of a stack; hidden for a plane."""
        self.slices.setVisible(n_slices > 1)
        self._form.labelForField(self.slices).setVisible(n_slices > 1)
        self.slices.set_n_slices(n_slices)
        self.labels.show_stack(n_slices > 1)

    def show_drawing(self, kinds: Sequence[str]) -> None:
        """Mark the kind of region that is being drawn."""
        for kind, row in self.region_rows.items():
            row.button.setChecked(kind in kinds)

    def _on_session(self) -> None:
        session = self._review.session
        if session is None:
            return
        with QSignalBlocker(self.filter), QSignalBlocker(self.search):
            self.filter.setCurrentIndex(self.filter.findData(session.filter))
            self.search.clear()
        self.list.show_unsorted()
        self._show_rows()
        self._show_counts()
        self._show_sample()
        self._show_sources()

    def _on_moved(self) -> None:
        sample = self._review.sample
        if sample is not None:
            self.list.set_current(sample.id)
            self._show_sample()

    def _show_rows(self) -> None:
        session = self._review.session
        if session is not None:
            self.list.set_samples(session.samples, session.visible_ids())
            self.list.set_current(session.current.id)

    def _show_counts(self) -> None:
        session = self._review.session
        if session is None:
            return
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

    def _show_sample(self) -> None:
        sample = self._review.sample
        if sample is None:
            return
        self.base.show_base(sample.segmentation_names, sample.base)
        self.shown.show_segmentations(sample.segmentation_names)
        sources = self._review.options.sources
        self.exclude.show_regions(sample.regions, ())
        self.merge.show_regions(sample.regions, sources)
        for split, button in self.splits.items():
            button.setChecked(split == sample.split)
        if not self.note.hasFocus() or str(self.note.text()) != sample.note:
            self.note.setText(sample.note)

    def _show_sources(self) -> None:
        options = self._review.options
        self.merge.show_sources(options.sources, options.source)
        self.merge.setEnabled(bool(options.sources))
        self._form.labelForField(self.merge).setEnabled(bool(options.sources))

    def _make_counts(self) -> QVBoxLayout:
        self.counts = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.counts.setWordWrap(True)
        self.bar = QProgressBar(textVisible=False)
        self.bar.setFixedHeight(10)
        layout = QVBoxLayout()
        layout.setSpacing(4)
        layout.addWidget(self.counts)
        layout.addWidget(self.bar)
        return layout

    def _make_search(self) -> QHBoxLayout:
        self.search = QLineEdit(placeholderText="Search names, groups and notes", clearButtonEnabled=True)
        self.search.setToolTip("List the samples whose name, group or note contains this text")
        self.search.textChanged.connect(self._review.search)
        self.filter = QComboBox()
        self.filter.setToolTip("Which samples the list, Next and Back go through")
        for each in Filter:
            self.filter.addItem(each.value, each)
        self.filter.currentIndexChanged.connect(lambda: self._review.set_filter(self.filter.currentData()))
        row = QHBoxLayout()
        row.addWidget(self.search, 1)
        row.addWidget(QLabel("Filter"))
        row.addWidget(self.filter)
        return row

    def _make_steps(self) -> QWidget:
        self.back = _button("← Back", "Show the previous sample", "back")
        self.accept = _button(f"Accept {_key('accept')}", "Use it; goes to the next undecided one", "accept")
        self.reject = _button(f"Reject {_key('reject')}", "Leave it out; goes to the next one", "reject")
        self.next = _button("Next →", "Show the next sample", "next")
        steps = QWidget()
        row = QHBoxLayout(steps)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for button in (self.back, self.accept, self.reject, self.next):
            row.addWidget(button, 1)
        return steps

    def _make_shape(self) -> QWidget:
        options = self._review.options
        self.shape = QComboBox()
        for value, label in SHAPES.items():
            self.shape.addItem(label, value)
        self.shape.setToolTip("How regions are drawn; these are napari's own tools")
        self.shape.setCurrentIndex(self.shape.findData(options.shape))
        self.shape.currentIndexChanged.connect(lambda: options.set_shape(self.shape.currentData()))
        return self.shape

    def _make_split_and_note(self, memory: Memory) -> Fold:
        fold = Fold("Split and note", memory, "curation.split_note")
        self.splits: dict[str, QRadioButton] = {}
        self._split_group = QButtonGroup(self)
        tips = {
            "train": "Training learns from it",
            "val": "Used to validate the training while it runs",
            "test": "Kept aside for the final score",
        }
        splits = QHBoxLayout()
        for split, tip in tips.items():
            button = QRadioButton(split, toolTip=tip)
            button.clicked.connect(lambda _=False, split=split: self._review.set_split(split))
            self._split_group.addButton(button)
            self.splits[split] = button
            splits.addWidget(button)
        splits.addStretch(1)
        self.note = QLineEdit(placeholderText="a note about this sample")
        self.note.editingFinished.connect(lambda: self._review.set_note(str(self.note.text())))
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Split", splits)
        form.addRow("Note", self.note)
        fold.body.addLayout(form)
        return fold

    def _make_saved(self) -> QHBoxLayout:
        self.saved = QLabel("Every change is saved at once")
        self.undo = _button("Undo", "Undo the last change of any kind", "undo")
        self.redo = _button("Redo", "Redo the change that was undone", "redo")
        row = QHBoxLayout()
        row.addWidget(self.saved, 1)
        row.addWidget(self.undo)
        row.addWidget(self.redo)
        return row


def _button(text: str, tip: str, command: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(with_key(tip, "Curation", command))
    return button


def _key(command: str) -> str:
    return key_of("Curation", command)
