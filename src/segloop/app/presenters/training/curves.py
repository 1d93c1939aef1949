"""The values of a training over its epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


class Curves:
    """Values by name and epoch, as the plot shows them."""

    def __init__(self) -> None:
        self._points: dict[str, dict[int, float]] = {}
        self._last_epoch = 0

    def add(self, metrics: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Add the values of epochs; an epoch that comes again replaces itself and those after it.

        Parameters
        ----------
        metrics : sequence of (epoch, values by name)
            Epochs count from 1; values that are not finite leave a gap.
        """
        for epoch, values in metrics:
            if epoch <= self._last_epoch:
                self._points = {
                    name: {known: value for known, value in curve.items() if known < epoch}
                    for name, curve in self._points.items()
                }
            self._last_epoch = epoch
            for name, value in values.items():
                if math.isfinite(value):
                    self._points.setdefault(name, {})[epoch] = value

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """Return epochs and values of a curve."""
        points = self._points.get(name, {})
        return list(points), list(points.values())
