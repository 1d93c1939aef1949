"""The runs of a workspace: name, score of the model, state, time; sortable."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from segloop.app.presenters.training.run_summary import RunSummary
from segloop.app.run_follower import STATE_WORDS
from segloop.app.run_length import duration_text
from segloop.core.wording import counted

_COLUMNS = ("Run", "Score", "State", "When")
_SORT_ROLE = Qt.ItemDataRole.UserRole
_PATH_ROLE = Qt.ItemDataRole.UserRole + 1
_DAY_S = 86400
_FEWEST_ROWS, _MOST_ROWS = 2, 6
_ACTIVE = 2.0  # above every score, so that runs that are being trained come first


class _Item(QTableWidgetItem):
    def __lt__(self, other: QTableWidgetItem) -> bool:
        return bool(self.data(_SORT_ROLE) < other.data(_SORT_ROLE))


class RunTable(QTableWidget):
    """Lists runs, the best first, and emits the one that the user wants to see."""

    chosen = Signal(object)
    """Path of a run."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_COLUMNS), parent)
        self._shown: dict[Path, RunSummary] = {}
        self._current: Path | None = None
        self.setHorizontalHeaderLabels(_COLUMNS)
        self.setAccessibleName("Runs")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        self.setSortingEnabled(True)
        self.sortByColumn(1, Qt.SortOrder.DescendingOrder)
        self.itemSelectionChanged.connect(self._on_selected)

    def show_runs(self, runs: Sequence[RunSummary]) -> None:
        """List runs; the sorting and the selection stay."""
        shown = {run.path: run for run in runs}
        if shown == self._shown:
            return
        same_rows = list(shown) == list(self._shown)
        before, self._shown = self._shown, shown
        with QSignalBlocker(self):
            self.setSortingEnabled(False)
            if same_rows:
                for row in range(self.rowCount()):
                    run = shown[self._path(row)]
                    if run != before[run.path]:
                        self._fill(row, run)
            else:
                self.setRowCount(len(shown))
                for row, run in enumerate(shown.values()):
                    self._fill(row, run)
            self.setSortingEnabled(True)
        self._fit_height()
        self.set_current(self._current)

    def set_current(self, path: Path | None) -> None:
        """Mark the run that is shown, without emitting `chosen`."""
        self._current = path
        with QSignalBlocker(self):
            self.clearSelection()
            for row in range(self.rowCount()):
                if self._path(row) == path:
                    self.setCurrentCell(row, 0)
                    self.selectRow(row)

    def texts(self) -> list[list[str]]:
        """Return what the rows say, from top to bottom."""
        return [
            [self.item(row, column).text() for column in range(len(_COLUMNS))]
            for row in range(self.rowCount())
        ]

    def _fit_height(self) -> None:
        """Be as high as the runs need, within bounds."""
        rows = min(max(self.rowCount(), _FEWEST_ROWS), _MOST_ROWS)
        head = self.horizontalHeader().sizeHint().height()
        self.setFixedHeight(head + rows * self.verticalHeader().defaultSectionSize() + 2 * self.frameWidth())

    def _path(self, row: int) -> Path:
        return Path(self.item(row, 0).data(_PATH_ROLE))

    def _fill(self, row: int, run: RunSummary) -> None:
        score = run.model.score if run.model is not None and run.model.measure else -1.0
        state = STATE_WORDS[run.state]
        if run.is_short:
            state += f" after {duration_text(run.seconds)}"
        cells: list[tuple[str, Any]] = [
            (run.path.name, run.path.name),
            (run.score_text, score if run.state.ended else _ACTIVE),
            (state, run.state.ended),
            (_moment(run.active), run.active),
        ]
        for column, (text, order) in enumerate(cells):
            item = _Item(text)
            item.setData(_SORT_ROLE, order)
            self.setItem(row, column, item)
        first = self.item(row, 0)
        first.setData(_PATH_ROLE, str(run.path))
        tip = f"{run.path}\n{counted(run.epochs, 'epoch')}, trained for {duration_text(run.seconds)}"
        if run.is_short:
            tip += ": too short for a useful model, train longer"
        if run.problem:
            tip = run.problem
        first.setToolTip(f"{tip}\nLast active at {_moment(run.active)}")

    def _on_selected(self) -> None:
        rows = self.selectionModel().selectedRows()
        if rows and self._path(rows[0].row()) != self._current:
            self._current = self._path(rows[0].row())
            self.chosen.emit(self._current)


def _moment(seconds: float) -> str:
    """Return the time of day of something today, else the day."""
    recent = time.time() - seconds < _DAY_S
    return time.strftime("%H:%M" if recent else "%d %b %Y", time.localtime(seconds))
