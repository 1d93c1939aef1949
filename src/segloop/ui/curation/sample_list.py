"""The list of samples with verdict, split and regions; quick with ten thousand of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeView, QWidget

from segloop.artifacts.dataset.manifest import LabelStatus, Sample, Verdict
from segloop.curation.session import SortKey

_MARKS = {Verdict.undecided: "·", Verdict.accepted: "✓", Verdict.rejected: "✗"}
_COLUMNS = {
    SortKey.sample: "Sample",
    SortKey.verdict: "Verdict",
    SortKey.split: "Split",
    SortKey.labels: "Labels",
    SortKey.regions: "Regions",
    SortKey.note: "Note",
}
_KEYS = tuple(_COLUMNS)
_MOST_SHOWN = 160  # pixels of a name


class _Model(QAbstractTableModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.samples: Mapping[str, Sample] = {}
        self.ids: tuple[str, ...] = ()
        self.rows: dict[str, int] = {}

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt's name
        return 0 if parent is not None and parent.isValid() else len(self.ids)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt's name
        return len(_COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:  # noqa: N802 - Qt's name
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[_KEYS[section]]
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        if not index.isValid() or role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        sample = self.samples[self.ids[index.row()]]
        if role == Qt.ItemDataRole.ToolTipRole:
            return sample.note or f"{sample.id}: {sample.raw.path}"
        return (
            sample.id,
            f"{_MARKS[sample.verdict]} {sample.verdict.value}",
            sample.split,
            "" if sample.label_status is LabelStatus.given else sample.label_status.value,
            str(len(sample.regions) or ""),
            sample.note,
        )[index.column()]


class SampleList(QTreeView):
    """Shows the samples; emits the one that the user wants to see."""

    chosen = Signal(str)
    """Id of a sample that was clicked or reached with the arrow keys."""

    sort_requested = Signal(object, bool)
    """A `SortKey`, and whether to sort descending: a header was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _Model(self)
        self.setModel(self._model)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Samples")
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(len(_KEYS) - 1, QHeaderView.ResizeMode.Stretch)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._on_header)
        header.setMaximumSectionSize(_MOST_SHOWN)
        # Measuring ten thousand rows to size a column would take longer than a key press may.
        header.setResizeContentsPrecision(50)
        self.setMinimumHeight(120)
        self._showing = False
        self._sorted_by = (SortKey.sample, False)
        self.selectionModel().currentChanged.connect(self._on_current)

    def set_samples(self, samples: Mapping[str, Sample], ids: Sequence[str]) -> None:
        """Show these samples of a session, in this order."""
        self._model.beginResetModel()
        self._model.samples, self._model.ids = samples, tuple(ids)
        self._model.rows = {sample_id: row for row, sample_id in enumerate(ids)}
        self._model.endResetModel()

    def refresh(self, sample_id: str) -> None:
        """Show what has become of one sample."""
        row = self._model.rows.get(sample_id)
        if row is not None:
            self._model.dataChanged.emit(self._model.index(row, 0), self._model.index(row, len(_COLUMNS) - 1))

    def set_current(self, sample_id: str) -> None:
        """Mark the current sample and scroll to it."""
        row = self._model.rows.get(sample_id)
        self._showing = True
        try:
            self.setCurrentIndex(self._model.index(row, 0) if row is not None else QModelIndex())
        finally:
            self._showing = False

    def show_unsorted(self) -> None:
        """Mark the list as sorted by name, as a dataset lists its samples."""
        self._sorted_by = (SortKey.sample, False)
        self.header().setSortIndicatorShown(False)

    def texts(self) -> list[str]:
        """Return what each row says."""
        columns = range(len(_COLUMNS))
        return [
            "  ".join(text for column in columns if (text := self._model.index(row, column).data()))
            for row in range(self._model.rowCount())
        ]

    def _on_header(self, section: int) -> None:
        key = _KEYS[section]
        descending = self._sorted_by == (key, False)
        self._sorted_by = (key, descending)
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        self.header().setSortIndicator(section, order)
        self.header().setSortIndicatorShown(True)
        self.sort_requested.emit(key, descending)

    def _on_current(self, index: QModelIndex, _: QModelIndex) -> None:
        if index.isValid() and not self._showing:
            self.chosen.emit(self._model.ids[index.row()])
