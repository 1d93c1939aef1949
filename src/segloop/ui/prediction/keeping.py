"""What the user does with results: save them, compare them with the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from segloop.app.results import score
from segloop.config.predict import OutputKind
from segloop.ui.prediction.geometry import OWN
from segloop.ui.prediction.result_panel import ResultPanel
from segloop.ui.prediction.results import Result, Results, save_all
from segloop.ui.prediction.runner import Doing, Runner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segloop.targets import Thresholds
    from segloop.ui.widgets.page import Page

_SCORED = (OutputKind.labels, OutputKind.classes, OutputKind.mask)


class Keeping(QObject):
    """Saves and scores the results on screen.

    Parameters
    ----------
    page : Page
        The dock; its message line and workers are used.
    panel : ResultPanel
        Shows what there is.
    runner, results
        Those of the dock.
    """

    def __init__(self, page: Page, panel: ResultPanel, runner: Runner, results: Results) -> None:
        super().__init__(page)
        self._page = page
        self._panel = panel
        self._runner = runner
        self._results = results
        panel.score_requested.connect(self.score)
        results.changed.connect(self._on_results)
        self._layers = page.session.viewer.layers
        for event in (self._layers.events.inserted, self._layers.events.removed):
            event.connect(self._offer_truths)
        self._offer_truths()

    def save(self, folder: Path, kinds: Sequence[OutputKind], fallback: Thresholds) -> None:
        """Write all results as they show, with these outputs."""
        finished = [result for result in self._results.finished() if result.kept.can_decode]
        thresholds = finished[0].shown.thresholds if finished else fallback
        wanted = [(result.kept, result.display.name, result.source_path) for result in finished]
        self._runner.run(
            Doing.other, "Saving", save_all, wanted, kinds, thresholds, folder, then=self._on_saved
        )

    def score(self, name: str) -> None:
        """Compare the selected result, else the first one, with a labels layer."""
        finished = self._results.finished()
        active = self._layers.selection.active
        of_active = [each for each in finished if each.display.holds(active) or each.display.source is active]
        result: Result | None = next(iter(of_active or finished), None)
        if result is None or name not in self._layers:
            return
        kind = next(kind for kind in _SCORED if kind in result.shown.arrays)
        self._page.workers.run(
            score,
            result.shown.arrays[kind],
            self._layers[name].data,
            objects=kind is OutputKind.labels,
            lane="score",
            on_result=self._panel.show_score,
            on_error=self._page.message.show_error,
        )

    def close(self) -> None:
        """Listen to the viewer's layers no more."""
        for event in (self._layers.events.inserted, self._layers.events.removed):
            event.disconnect(self._offer_truths)

    def _on_results(self) -> None:
        finished = self._results.finished()
        self._panel.set_summaries([(each.display.name, each.shown.summary) for each in finished])

    def _on_saved(self, written: list[Path]) -> None:
        outputs = [path for path in written if path.suffix != ".json"]
        words = "1 file" if len(outputs) == 1 else f"{len(outputs)} files"
        self._page.message.show_info(f"Saved {words} in {written[0].parent}, each with where it came from.")

    def _offer_truths(self, _: Any = None) -> None:
        from napari.layers import Labels

        self._panel.set_truths(
            [
                layer.name
                for layer in self._layers
                if isinstance(layer, Labels) and layer.metadata.get("segloop") != OWN
            ]
        )
