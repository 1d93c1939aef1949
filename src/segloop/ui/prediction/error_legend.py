"""How many objects are found, missed, spurious, split and merged, in the colours of their contours."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QToolButton, QVBoxLayout, QWidget

from segloop.core.object_errors import ErrorKind
from segloop.evaluation.error_image import COLOURS, ErrorImage

_MEANINGS = {
    ErrorKind.FOUND: ("found", "Objects of the result that overlap an object of the truth"),
    ErrorKind.MISSED: ("missed", "Objects of the truth that the result lacks"),
    ErrorKind.SPURIOUS: ("spurious", "Objects of the result that the truth lacks"),
    ErrorKind.SPLIT: ("split", "Objects of the truth that the result cuts into several"),
    ErrorKind.MERGED: ("merged", "Objects of the result that cover several objects of the truth"),
}
_SWATCH = 12  # pixels


class ErrorLegend(QWidget):
    """A row for each kind that occurs; a click goes to the next object of the kind."""

    clicked = Signal(object)
    """The `ErrorKind` of the row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: dict[ErrorKind, QToolButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for kind, (word, meaning) in _MEANINGS.items():
            row = QToolButton(autoRaise=True)
            row.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            row.setIcon(_swatch(COLOURS[kind]))
            row.setIconSize(QSize(_SWATCH, _SWATCH))
            row.setToolTip(f"{meaning}; click to go to the next one")
            row.setAccessibleName(f"Next {word} object")
            row.clicked.connect(lambda _=False, kind=kind: self.clicked.emit(kind))
            self.rows[kind] = row
            column.addWidget(row)
        self.hide()

    def show_errors(self, errors: ErrorImage | None) -> None:
        """Show the numbers; None hides the legend."""
        self.setVisible(errors is not None)
        if errors is None:
            return
        for kind, row in self.rows.items():
            number = len(errors.of_kind(kind))
            row.setText(f"{number} {_MEANINGS[kind][0]}")
            row.setVisible(number > 0 or kind is ErrorKind.FOUND)


def _swatch(colour: str) -> QIcon:
    pixels = QPixmap(_SWATCH, _SWATCH)
    pixels.fill(QColor(colour))
    return QIcon(pixels)
