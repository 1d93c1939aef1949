"""The values of a training over its epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from segloop.artifacts.run.score_names import reported_scores


class Curves:
    """Values by name and epoch, as the plot shows them."""

    def __init__(self) -> None:
        self._points: dict[str, dict[int, float]] = {}
        self._score_names: Mapping[str, str] = {}
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

    def name_scores(self, names: Mapping[str, str]) -> None:
        """Give scores short names, the one that decides first; others are shown by the names they have."""
        self._score_names = names

    def scores(self) -> dict[str, str]:
        """Return the short names of the scores that were reported, by the names of their curves."""
        return reported_scores(self._points, self._score_names)

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """Return epochs and values of a curve."""
        points = self._points.get(name, {})
        return list(points), list(points.values())
