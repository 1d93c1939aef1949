"""Live curves of a training: losses above, scores below, over a common axis of epochs."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import cycle
from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QWidget

from segloop.app.presenters.training.curves import Curves

_SYMBOLS_UP_TO = 60
_AXIS_WIDTH = 44
_HEIGHT = 250  # pixels
_DRAW_MS = 1000  # between two paintings


@dataclass(frozen=True)
class _Look:
    on_dark: str
    on_light: str
    style: Qt.PenStyle
    sign: str  # in the legend

    def pen(self, dark: bool) -> Any:
        return pg.mkPen(self.colour(dark), width=2, style=self.style)

    def colour(self, dark: bool) -> str:
        return self.on_dark if dark else self.on_light


# From the palette of Okabe and Ito, which colour-blind people can tell apart; line styles differ as well.
_LOSSES = {"train_loss": "training", "val_loss": "validation"}
_LOSS_LOOKS = (
    _Look("#56B4E9", "#0072B2", Qt.PenStyle.SolidLine, "──"),
    _Look("#E69F00", "#D55E00", Qt.PenStyle.DashLine, "╌╌"),
)
_SCORE_LOOKS = (
    _Look("#E08FBE", "#A8447E", Qt.PenStyle.SolidLine, "──"),
    _Look("#2CB98F", "#007A59", Qt.PenStyle.DashLine, "╌╌"),
    _Look("#56B4E9", "#0072B2", Qt.PenStyle.DotLine, "┈┈"),
    _Look("#F0E442", "#7A6A00", Qt.PenStyle.DashDotLine, "─·"),
)


class CurvesPlot(pg.GraphicsLayoutWidget):
    """Two plots that share their axis of epochs; zoomed by wheel and mouse once clicked.

    The upper one shows the losses, the lower one whichever scores the run reports.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumHeight(_HEIGHT)
        self.setToolTip("Click, then zoom with the wheel and move with the mouse; double-click shows all")
        self.setAccessibleName("Loss and validation curves")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._curves = Curves()
        self._lines: dict[str, tuple[pg.PlotDataItem, _Look]] = {}
        self._scores: dict[str, str] = {}
        self._unit_range = True
        self._text, self._dark = "white", True
        self._stale = False
        # Painting is slow where OpenGL is emulated, and faster updates can't be followed by eye.
        self._pause = QTimer(self, singleShot=True, interval=_DRAW_MS)
        self._pause.timeout.connect(self._draw)
        self.ci.layout.setContentsMargins(0, 2, 6, 6)
        self.ci.layout.setVerticalSpacing(2)
        self.losses = self._add_plot(0, "Loss")
        self.scores = self._add_plot(1, "Score")
        self.scores.setXLink(self.losses)
        self.scores.setLabel("bottom", "Epoch")
        self.losses.setLimits(yMin=-0.05)
        self.losses.getAxis("bottom").setStyle(showValues=False)
        for name, look in zip(_LOSSES, _LOSS_LOOKS, strict=True):
            self._add_line(self.losses, name, look)
        self.show_all()
        self.set_colours("black", "white")

    def show_curves(self, curves: Curves) -> None:
        """Show the curves of another run."""
        self._curves = curves
        self._stale = False
        self._paint()
        self.show_all()

    def refresh(self) -> None:
        """Show what is new, within a second."""
        self._stale = True
        if not self._pause.isActive():
            self._draw()

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """Return epochs and values of a curve; on screen within a second."""
        return self._curves.curve(name)

    def show_all(self) -> None:
        """Zoom out to all epochs, and to scores from 0 to 1 unless some lie outside."""
        self.losses.enableAutoRange()
        self.scores.enableAutoRange(axis="x")
        self._unit_range = all(
            0 <= value <= 1 for name in self._scores for value in self._curves.curve(name)[1]
        )
        if self._unit_range:
            self.scores.setYRange(0, 1, padding=0.04)
        else:
            self.scores.enableAutoRange(axis="y")

    def set_colours(self, background: str, text: str) -> None:
        """Fit the plots to a theme; both are colours such as ``"#262930"``."""
        self.setBackground(background)
        self._text, self._dark = text, pg.mkColor(background).lightnessF() < 0.5
        pen = pg.mkPen(text, width=1)
        for plot in (self.losses, self.scores):
            for side in ("left", "bottom"):
                axis = plot.getAxis(side)
                axis.setPen(pen)
                axis.setTextPen(pen)
        self._show_looks()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Fit a dock."""
        return QSize(360, _HEIGHT)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Zoom only with the focus: else the wheel scrolls the dock."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Zoom out to all epochs."""
        super().mouseDoubleClickEvent(event)
        self.show_all()

    def _draw(self) -> None:
        if self._stale:
            self._stale = False
            self._paint()
            self._pause.start()

    def _paint(self) -> None:
        scores = self._curves.scores()
        if scores != self._scores:
            self._show_scores(scores)
        for name, (line, _) in self._lines.items():
            epochs, values = self.curve(name)
            line.setData(epochs, values, symbol="o" if len(epochs) <= _SYMBOLS_UP_TO else None)
            if self._unit_range and name in scores and any(not 0 <= value <= 1 for value in values):
                self.show_all()

    def _show_scores(self, scores: dict[str, str]) -> None:
        """Draw other scores."""
        for name in self._scores:
            line, _ = self._lines.pop(name)
            self.scores.removeItem(line)
        self._scores = scores
        for name, look in zip(scores, cycle(_SCORE_LOOKS), strict=False):
            self._add_line(self.scores, name, look)
        self._show_looks()

    def _add_plot(self, row: int, title: str) -> Any:
        plot = self.addPlot(row=row, col=0, enableMenu=False, axisItems={"bottom": _EpochAxis("bottom")})
        plot.setLabel("left", title)
        plot.getAxis("left").setWidth(_AXIS_WIDTH)
        plot.titleLabel.setMaximumHeight(18)
        plot.showGrid(x=True, y=True, alpha=0.1)
        return plot

    def _add_line(self, plot: Any, name: str, look: _Look) -> None:
        self._lines[name] = plot.plot([], [], symbolSize=4, symbolPen=None), look

    def _show_looks(self) -> None:
        for line, look in self._lines.values():
            line.setPen(look.pen(self._dark))
            line.setSymbolBrush(look.colour(self._dark))
        for plot, words in ((self.losses, _LOSSES), (self.scores, self._scores)):
            plot.setTitle(self._legend(words) or " ", color=self._text, size="9pt")

    def _legend(self, words: dict[str, str]) -> str:
        looks = {name: self._lines[name][1] for name in words}
        return "&nbsp;&nbsp;&nbsp;".join(
            f'<span style="color:{looks[name].colour(self._dark)}"><b>{looks[name].sign}</b></span> '
            f"{escape(text)}"
            for name, text in words.items()
        )


class _EpochAxis(pg.AxisItem):
    """Has ticks at whole epochs only."""

    def tickSpacing(self, *args: Any) -> list[tuple[float, float]]:  # noqa: N802 - pyqtgraph's name
        """Return (spacing, offset) of the levels of ticks."""
        return [level for level in super().tickSpacing(*args) if level[0] >= 1] or [(1.0, 0.0)]
