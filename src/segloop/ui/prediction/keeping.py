"""What the user does with results: save them, compare them with the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from segloop.app.scoring import score
from segloop.config.predict import OutputKind
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.core.file_names import safe_file_name
from segloop.core.wording import counted
from segloop.prediction.kept import KeptPrediction
from segloop.ui.prediction.ownership import outline_truth
from segloop.ui.prediction.result_panel import ResultPanel
from segloop.ui.prediction.results import Result, Results
from segloop.ui.prediction.runner import Doing, Runner
from segloop.ui.prediction.truth_layers import labels_layers, truth_layers

if TYPE_CHECKING:
    from segloop.targets import ParameterSet
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
        self._layers = page.viewer_app.viewer.layers
        for event in self._layer_events():
            event.connect(self._offer_truths)
        self._offer_truths()

    def save(self, folder: Path, kinds: Sequence[OutputKind]) -> None:
        """Write all results as they show, with these outputs."""
        finished = [result for result in self._results.finished() if result.kept.can_decode]
        others = [each.display.name for each in self._results.finished() if not each.kept.can_decode]
        if not finished:
            self._page.message.show_error(_not_kept(others) if others else "There is no result to save yet.")
            return
        thresholds = finished[0].shown.parameters
        wanted = [(result.kept, result.display.name, result.source_path) for result in finished]
        then = partial(self._on_saved, others)
        self._runner.run(Doing.other, "Saving", save_all, wanted, kinds, thresholds, folder, then=then)

    def score(self, name: str) -> None:
        """Compare the selected result, else the first one, with a labels layer."""
        result = self._selected()
        if result is None or name not in self._layers:
            return
        kind = next((kind for kind in _SCORED if kind in result.shown.arrays), None)
        if kind is None:
            self._page.message.show_error(
                f"`{result.display.name}` shows its probability alone: move a threshold, then score it."
            )
            return
        self._page.workers.run(
            score,
            result.shown.arrays[kind],
            self._layers[name].data,
            kind=kind,
            lane="score",
            on_result=self._panel.show_score,
            on_error=self._page.message.show_error,
        )

    def close(self) -> None:
        """Stop listening to the viewer's layers."""
        for event in self._layer_events():
            event.disconnect(self._offer_truths)

    def _layer_events(self) -> list[Any]:
        events = self._layers.events
        return [events.inserted, events.removed, self._layers.selection.events.active]

    def _selected(self) -> Result | None:
        """Return the result that the user has selected in the layer list, else the first one."""
        finished = self._results.finished()
        active = self._layers.selection.active
        of_active = [each for each in finished if each.display.holds(active) or each.display.source is active]
        return next(iter(of_active or finished), None)

    def _on_results(self) -> None:
        self._offer_truths()
        finished = self._results.finished()
        self._panel.set_summaries([(each.display.name, each.shown.summary) for each in finished])

    def _on_saved(self, others: Sequence[str], written: list[Path]) -> None:
        outputs = [path for path in written if path.suffix != ".json"]
        saved = f"Saved {counted(len(outputs), 'file')} in {written[0].parent}, each with its provenance."
        if others:
            self._page.message.show_warning(f"{saved} {_not_kept(others)}")
        else:
            self._page.message.show_info(saved)

    def _offer_truths(self, _: Any = None) -> None:
        for layer in labels_layers(self._layers):
            outline_truth(layer)
        result = self._selected()
        found = truth_layers(self._layers, result.display) if result is not None else []
        self._panel.set_truths([layer.name for layer in found], others=bool(labels_layers(self._layers)))


def save_all(
    wanted: Sequence[tuple[KeptPrediction, str, str]],
    kinds: Sequence[OutputKind],
    thresholds: ParameterSet,
    folder: Path,
    context: Context,
) -> list[Path]:
    """Save results; on a worker thread.

    Parameters
    ----------
    wanted : sequence of (KeptPrediction, str, str)
        Each with the name of its image and the file behind that.

    Raises
    ------
    SegloopError
        If two would get the same name; nothing is written then.
    """
    written: list[Path] = []
    stems = _stems([(name, source) for _, name, source in wanted])
    for (kept, name, source), stem in zip(wanted, stems, strict=True):
        possible = [kind for kind in kinds if kind in kept.target.outputs] or [kept.target.outputs[0]]
        written += kept.save(folder, stem, possible, thresholds, image=name, source=source, context=context)
    return written


def _stems(wanted: Sequence[tuple[str, str]]) -> list[str]:
    """Return what to call each result: like the file behind it, or like its layer where files are shared."""
    from segloop.images.names import stem_of

    stems = [
        stem_of(Path(source).name) if source else safe_file_name(name, "layer") for name, source in wanted
    ]
    count = Counter(stem.casefold() for stem in stems)
    stems = [
        stem if count[stem.casefold()] == 1 else safe_file_name(name, "layer")
        for stem, (name, _) in zip(stems, wanted, strict=True)
    ]
    count = Counter(stem.casefold() for stem in stems)
    twice = next((stem for stem in stems if count[stem.casefold()] > 1), None)
    if twice is not None:
        raise SegloopError(f"Two results would both be saved as `{twice}`: rename one of the layers.")
    return stems


def _not_kept(names: Sequence[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in names)
    return (
        f"The probability of {listed} was not kept, so it can't be saved: "
        "tick probability under Output and predict again."
    )
