"""Live curves of a training: losses above, scores below, over a common axis of epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    name: str
    words: str
    on_dark: str
    on_light: str
    dashed: bool = False

    def pen(self, dark: bool) -> Any:
        style = Qt.PenStyle.DashLine if self.dashed else Qt.PenStyle.SolidLine
        return pg.mkPen(self.colour(dark), width=2, style=style)

    def colour(self, dark: bool) -> str:
        return self.on_dark if dark else self.on_light


# From the palette of Okabe and Ito, which colour-blind people can tell apart; line styles differ as well.
_LOSSES = (
    _Look("train_loss", "training", "#56B4E9", "#0072B2"),
    _Look("val_loss", "validation", "#E69F00", "#D55E00", dashed=True),
)
_SCORES = (
    _Look("val_dice", "Dice", "#2CB98F", "#007A59", dashed=True),
    _Look("val_ap50", "AP50", "#E08FBE", "#A8447E"),
)


class CurvesPlot(pg.GraphicsLayoutWidget):
    """Two plots that share their axis of epochs; zoomed by wheel and mouse once clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumHeight(_HEIGHT)
        self.setToolTip("Click, then zoom with the wheel and move with the mouse; double-click shows all")
        self.setAccessibleName("Loss and validation curves")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._curves = Curves()
        self._lines: dict[str, pg.PlotDataItem] = {}
        self._stale = False
        # Painting is slow where OpenGL is emulated, and faster updates can't be followed by eye.
        self._pause = QTimer(self, singleShot=True, interval=_DRAW_MS)
        self._pause.timeout.connect(self._draw)
        self.ci.layout.setContentsMargins(0, 2, 6, 6)
        self.ci.layout.setVerticalSpacing(2)
        self.losses = self._add_plot(0, "Loss", _LOSSES)
        self.scores = self._add_plot(1, "Score", _SCORES)
        self.scores.setXLink(self.losses)
        self.scores.setLabel("bottom", "Epoch")
        self.scores.setYRange(0, 1, padding=0.04)
        self.losses.setLimits(yMin=-0.05)
        self.losses.getAxis("bottom").setStyle(showValues=False)
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
        """Zoom out to all epochs."""
        self.losses.enableAutoRange()
        self.scores.enableAutoRange(axis="x")
        self.scores.setYRange(0, 1, padding=0.04)

    def set_colours(self, background: str, text: str) -> None:
        """Fit the plots to a theme; both are colours such as ``"#262930"``."""
        self.setBackground(background)
        dark = pg.mkColor(background).lightnessF() < 0.5
        pen = pg.mkPen(text, width=1)
        for plot, looks in ((self.losses, _LOSSES), (self.scores, _SCORES)):
            for side in ("left", "bottom"):
                axis = plot.getAxis(side)
                axis.setPen(pen)
                axis.setTextPen(pen)
            plot.setTitle(_legend(looks, dark), color=text, size="9pt")
            for look in looks:
                self._lines[look.name].setPen(look.pen(dark))
                self._lines[look.name].setSymbolBrush(look.colour(dark))

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
        for name, line in self._lines.items():
            epochs, values = self.curve(name)
            line.setData(epochs, values, symbol="o" if len(epochs) <= _SYMBOLS_UP_TO else None)

    def _add_plot(self, row: int, title: str, looks: Sequence[_Look]) -> Any:
        plot = self.addPlot(row=row, col=0, enableMenu=False, axisItems={"bottom": _EpochAxis("bottom")})
        plot.setLabel("left", title)
        plot.getAxis("left").setWidth(_AXIS_WIDTH)
        plot.titleLabel.setMaximumHeight(18)
        plot.showGrid(x=True, y=True, alpha=0.1)
        for look in looks:
            self._lines[look.name] = plot.plot([], [], symbolSize=4, symbolPen=None)
        return plot


class _EpochAxis(pg.AxisItem):
    """Has ticks at whole epochs only."""

    def tickSpacing(self, *args: Any) -> list[tuple[float, float]]:  # noqa: N802 - pyqtgraph's name
        """Return (spacing, offset) of the levels of ticks."""
        return [level for level in super().tickSpacing(*args) if level[0] >= 1] or [(1.0, 0.0)]


def _legend(looks: Sequence[_Look], dark: bool) -> str:
    return "&nbsp;&nbsp;&nbsp;".join(
        f'<span style="color:{look.colour(dark)}"><b>{"╌╌" if look.dashed else "──"}</b></span> {look.words}'
        for look in looks
    )
