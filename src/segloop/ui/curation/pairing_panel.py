"""The table of pairs of a new dataset, to be confirmed before anything is created."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from segloop.app.presenters.curation.pairing import STATUS_WORDS, PairingPresenter
from segloop.curation.pairing_table import PairingRow
from segloop.ui.widgets.wheel import guard_wheel

_ROWS_IN_VIEW = 7
_RAW, _SEGMENTATION, _WHY = range(3)


class PairingPanel(QWidget):
    """Shows which files belong together and why; pairs are ticked, what is left over is chosen by hand.

    Parameters
    ----------
    pairing : PairingPresenter
    """

    def __init__(self, pairing: PairingPresenter) -> None:
        super().__init__()
        self._pairing = pairing
        self.summary = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.table = QTableWidget(0, 3)
        self.table.setHorizontalHeaderLabels(["Image", "Segmentation", "Paired by"])
        self.table.setAccessibleName("Pairs of files")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        self.table.itemChanged.connect(self._on_ticked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.summary)
        layout.addWidget(self.table)
        pairing.changed.connect(self._show)
        self._show()

    def chooser(self, row: int) -> QComboBox | None:
        """Return the box to choose the segmentation of a row by hand; None where there is none."""
        widget = self.table.cellWidget(row, _SEGMENTATION)
        return widget if isinstance(widget, QComboBox) else None

    def _show(self) -> None:
        rows = self._pairing.rows
        self.summary.setText(self._pairing.summary)
        self.setVisible(bool(self._pairing.summary))
        self.table.setVisible(bool(rows))
        with QSignalBlocker(self.table):
            self.table.setRowCount(0)
            self.table.setRowCount(len(rows))
            for number, row in enumerate(rows):
                self._show_row(number, row)
        height = self.table.horizontalHeader().sizeHint().height() + 4
        height += sum(self.table.rowHeight(number) for number in range(min(len(rows), _ROWS_IN_VIEW)))
        self.table.setFixedHeight(height)

    def _show_row(self, number: int, row: PairingRow) -> None:
        raw = _item(row.raw.name if row.raw is not None else "", row.raw)
        raw.setData(Qt.ItemDataRole.UserRole, row.raw)
        if row.status == "paired":
            raw.setFlags(raw.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            used = self._pairing.is_used(row)
            raw.setCheckState(Qt.CheckState.Checked if used else Qt.CheckState.Unchecked)
        segmentation = _item(self._pairing.describe(row), *row.segmentations.values())
        why = _item(STATUS_WORDS.get(row.status, row.why))
        why.setToolTip(row.why)
        for column, item in enumerate((raw, segmentation, why)):
            self.table.setItem(number, column, item)
        choices = self._pairing.choices(row)
        if row.raw is not None and choices:
            self.table.setCellWidget(number, _SEGMENTATION, self._chooser(row, row.raw, choices))

    def _chooser(self, row: PairingRow, raw: Path, choices: Sequence[Path]) -> QComboBox:
        box = QComboBox(toolTip=f"Segmentation of {raw.name}")
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setAccessibleName(f"Segmentation of {raw.name}")
        box.addItem("choose…")
        for file in choices:
            box.addItem(file.name, file)
            box.setItemData(box.count() - 1, str(file), Qt.ItemDataRole.ToolTipRole)
        if row.pair is not None and row.pair.seg in choices:
            box.setCurrentIndex(1 + list(choices).index(row.pair.seg))
        guard_wheel(box)
        box.activated.connect(partial(self._on_chosen, box, raw))
        return box

    def _on_chosen(self, box: QComboBox, raw: Path, index: int) -> None:
        if index > 0:
            self._pairing.choose(raw, box.itemData(index))

    def _on_ticked(self, item: QTableWidgetItem) -> None:
        raw = item.data(Qt.ItemDataRole.UserRole)
        if item.column() == _RAW and raw is not None:
            self._pairing.use(raw, item.checkState() == Qt.CheckState.Checked)


def _item(text: str, *files: Path | None) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
    item.setToolTip("\n".join(str(file) for file in files if file is not None))
    return item
