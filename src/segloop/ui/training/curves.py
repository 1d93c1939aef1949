"""Live curves of a training: losses above, scores below, over a common axis of epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QWidget

_SYMBOLS_UP_TO = 60
_AXIS_WIDTH = 44


@dataclass(frozen=True)
class _Look:
    name: str
    words: str
    colour: str
    dashed: bool = False


# Of Okabe and Ito's palette, which colour-blind people can tell apart; they stand out on dark and on light.
_LOSSES = (_Look("train_loss", "training", "#56B4E9"), _Look("val_loss", "validation", "#E69F00", True))
_SCORES = (_Look("val_dice", "Dice", "#009E73", True), _Look("val_ap50", "AP50", "#CC79A7"))


class CurvesPlot(pg.GraphicsLayoutWidget):
    """Two plots that share their axis of epochs; zoomed by wheel and mouse once clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumHeight(250)
        self.setToolTip("Click, then zoom with the wheel and move with the mouse; double-click shows all")
        self.setAccessibleName("Loss and validation curves")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._points: dict[str, dict[int, float]] = {}
        self._lines: dict[str, pg.PlotDataItem] = {}
        self.ci.layout.setContentsMargins(0, 2, 6, 0)
        self.ci.layout.setVerticalSpacing(2)
        self.losses = self._add_plot(0, "Loss", _LOSSES)
        self.scores = self._add_plot(1, "Score", _SCORES)
        self.scores.setXLink(self.losses)
        self.scores.setLabel("bottom", "Epoch")
        self.scores.setYRange(0, 1, padding=0.04)
        self.losses.setLimits(yMin=-0.05)
        self.losses.getAxis("bottom").setStyle(showValues=False)
        self.set_colours("#262930", "#f0f1f2")

    def clear_curves(self) -> None:
        """Show nothing."""
        self._points = {}
        for line in self._lines.values():
            line.setData([], [])
        self.show_all()

    def add(self, metrics: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Add the values of epochs; an epoch that comes again replaces itself and those after it.

        Parameters
        ----------
        metrics : sequence of (epoch, values by name)
            Epochs count from 1.
        """
        for epoch, values in metrics:
            for curve in self._points.values():
                for later in [known for known in curve if known >= epoch]:
                    del curve[later]
            for name, value in values.items():
                if name in self._lines and math.isfinite(value):
                    self._points.setdefault(name, {})[epoch] = value
        if metrics:
            for name, line in self._lines.items():
                epochs, values = self.curve(name)
                line.setData(epochs, values, symbol="o" if len(epochs) <= _SYMBOLS_UP_TO else None)

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """Return epochs and values of a curve as they are shown."""
        points = self._points.get(name, {})
        return list(points), list(points.values())

    def show_all(self) -> None:
        """Zoom out to all epochs."""
        self.losses.enableAutoRange()
        self.scores.enableAutoRange(axis="x")
        self.scores.setYRange(0, 1, padding=0.04)

    def set_colours(self, background: str, text: str) -> None:
        """Fit the plots to a theme; both are colour names such as ``"#262930"``."""
        self.setBackground(background)
        pen = pg.mkPen(text, width=1)
        for plot, looks in ((self.losses, _LOSSES), (self.scores, _SCORES)):
            for side in ("left", "bottom"):
                axis = plot.getAxis(side)
                axis.setPen(pen)
                axis.setTextPen(pen)
            plot.setTitle(_legend(looks), color=text, size="9pt")

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

    def _add_plot(self, row: int, title: str, looks: Sequence[_Look]) -> Any:
        plot = self.addPlot(row=row, col=0, enableMenu=False)
        plot.setLabel("left", title)
        plot.getAxis("left").setWidth(_AXIS_WIDTH)
        plot.titleLabel.setMaximumHeight(18)
        plot.showGrid(x=True, y=True, alpha=0.15)
        for look in looks:
            style = Qt.PenStyle.DashLine if look.dashed else Qt.PenStyle.SolidLine
            self._lines[look.name] = plot.plot(
                [],
                [],
                pen=pg.mkPen(look.colour, width=2, style=style),
                symbol="o",
                symbolSize=4,
                symbolPen=None,
                symbolBrush=look.colour,
            )
        return plot


def _legend(looks: Sequence[_Look]) -> str:
    return "&nbsp;&nbsp;&nbsp;".join(
        f'<span style="color:{look.colour}"><b>{"╌╌" if look.dashed else "──"}</b></span> {look.words}'
        for look in looks
    )
