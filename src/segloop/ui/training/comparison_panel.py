"""*Compare models*: which, on which images, the scores, and the images that tell the models apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from segloop.app.comparisons import ComparedSample, StoredComparison
from segloop.core.context import Progress
from segloop.core.wording import counted
from segloop.ui.widgets.progress import ProgressRow
from segloop.ui.widgets.wheel import guard_wheel

_SPLITS = {"validation images": "val", "test images": "test"}
_SCORES = {"ap50": "AP50", "dice": "Dice"}
_LIST_ROWS, _MODEL_ROWS, _IMAGE_ROWS = 5, 6, 7


class ComparisonPanel(QWidget):
    """Shows a comparison and emits what the user wants."""

    model_ticked = Signal(str, bool)
    split_chosen = Signal(str)
    start_wanted = Signal()
    cancel_wanted = Signal()
    sample_chosen = Signal(object)
    """The `ComparedSample` to look at."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._result: StoredComparison | None = None
        self.models = QListWidget()
        self.models.setAccessibleName("Models to compare")
        self.models.itemChanged.connect(self._on_ticked)
        self.split = QComboBox()
        self.split.addItems(list(_SPLITS))
        guard_wheel(self.split)
        self.split.setAccessibleName("Images to compare on")
        self.split.setToolTip("Accepted samples of the dataset above that the models did not learn from")
        self.split.activated.connect(lambda _: self.split_chosen.emit(_SPLITS[self.split.currentText()]))
        self.button = QPushButton("Compare")
        self.button.setToolTip("Apply the ticked models to the same images, and score them")
        self.button.clicked.connect(self.start_wanted)
        self.progress = ProgressRow()
        self.progress.button.setToolTip("Stop the comparison")
        self.progress.cancelled.connect(self.cancel_wanted)
        self.title = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.scores = _table("Scores of the models")
        self.images_title = QLabel("Images, those first on which they differ most; click one to see it")
        self.images_title.setWordWrap(True)
        self.images = _table("Scores of the images")
        self.images.itemSelectionChanged.connect(self._on_image)
        self.legend = QLabel(wordWrap=True, textFormat=Qt.TextFormat.RichText)
        self.report = QPushButton("Open the report")
        self.report.setToolTip("A page with curves, intervals and pictures, in the browser")
        self.report.clicked.connect(self._open_report)
        row = QHBoxLayout()
        row.addWidget(QLabel("On"))
        row.addWidget(self.split, 1)
        row.addWidget(self.button)
        last = QHBoxLayout()
        last.addWidget(self.report)
        last.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.models)
        column.addLayout(row)
        for widget in (self.progress, self.title, self.scores, self.images_title, self.images, self.legend):
            column.addWidget(widget)
        column.addLayout(last)
        self.show_result(None)

    def show_models(self, models: Mapping[str, Path], chosen: set[str]) -> None:
        """List the models to choose from."""
        with QSignalBlocker(self.models):
            self.models.clear()
            for name, path in models.items():
                item = QListWidgetItem(name)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked if name in chosen else Qt.CheckState.Unchecked)
                item.setToolTip(str(path))
                self.models.addItem(item)
        _fit_height(self.models, min(len(models), _LIST_ROWS), self.models.sizeHintForRow(0))

    def show_state(self, *, busy: bool, can_start: bool, split: str) -> None:
        """Show whether a comparison runs."""
        self.button.setEnabled(can_start)
        self.split.setCurrentIndex(list(_SPLITS.values()).index(split))
        if busy and not self.progress.isVisible():
            self.progress.start()
        elif not busy:
            self.progress.finish()

    def show_progress(self, progress: Progress) -> None:
        """Show how far the comparison is."""
        self.progress.set_progress(progress)

    def show_result(self, result: StoredComparison | None) -> None:
        """Show scores and images; None hides them."""
        if result is not None and result is self._result:
            return
        self._result = result
        for widget in (self.title, self.scores, self.images_title, self.images, self.report):
            widget.setVisible(result is not None)
        self.legend.hide()
        if result is None:
            return
        measure = _SCORES[result.summary["score"]]
        n_images = result.summary["models"][result.summary["best"]]["n_images"]
        name = Path(result.dataset).name
        self.title.setText(f"{name}, {counted(n_images, 'image')}: {measure}, difference with 95 % interval")
        self.title.setToolTip(str(result.folder))
        table = result.rows()
        scores = [[model, score, difference] for model, score, _, difference in table]
        _fill(self.scores, ["Model", measure, "Difference"], scores, _MODEL_ROWS)
        for row, (_, _, interval, _) in enumerate(table):
            self.scores.item(row, 1).setToolTip(f"95 % interval: {interval}" if interval else "")
        rows = [
            [sample.id, *(_number(sample.scores.get(name)) for name in result.models)]
            for sample in result.samples
        ]
        _fill(self.images, ["Image", *result.models], rows, _IMAGE_ROWS)

    def show_legend(self, text: str) -> None:
        """Say what the colours of the difference mean; an empty text hides it."""
        self.legend.setText(text)
        self.legend.setVisible(bool(text))

    def _on_ticked(self, item: QListWidgetItem) -> None:
        self.model_ticked.emit(item.text(), item.checkState() == Qt.CheckState.Checked)

    def _on_image(self) -> None:
        rows = self.images.selectionModel().selectedRows()
        if rows and self._result is not None:
            sample: ComparedSample = self._result.samples[rows[0].row()]
            self.sample_chosen.emit(sample)

    def _open_report(self) -> None:
        if self._result is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._result.report)))


def _table(name: str) -> QTableWidget:
    table = QTableWidget()
    table.setAccessibleName(name)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setShowGrid(False)
    table.setTabKeyNavigation(False)
    table.verticalHeader().hide()
    table.horizontalHeader().setHighlightSections(False)
    return table


def _fill(table: QTableWidget, head: Sequence[str], rows: Sequence[Sequence[str]], shown: int) -> None:
    with QSignalBlocker(table):
        table.clear()
        table.setColumnCount(len(head))
        table.setRowCount(len(rows))
        table.setHorizontalHeaderLabels(list(head))
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                table.setItem(number, column, item)
    header = table.horizontalHeader()
    for column, text in enumerate(head):
        table.horizontalHeaderItem(column).setToolTip(text)
        first = column == 0
        header.setSectionResizeMode(
            column, QHeaderView.ResizeMode.Stretch if first else QHeaderView.ResizeMode.ResizeToContents
        )
    _fit_height(table, min(len(rows), shown), table.rowHeight(0), header.sizeHint().height())


def _fit_height(widget: QListWidget | QTableWidget, rows: int, row_height: int, head: int = 0) -> None:
    widget.setFixedHeight(head + max(rows, 1) * max(row_height, 18) + 2 * widget.frameWidth() + 2)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
