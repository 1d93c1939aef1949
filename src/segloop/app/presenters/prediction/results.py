"""The results on screen: growing while they are predicted, then decoded again as thresholds move."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from segloop.app.presenters.prediction.decoder import Decoder
from segloop.app.presenters.prediction.growing import open_growing
from segloop.app.presenters.prediction.result import Result, ResultView
from segloop.artifacts.job.events import JobEvent, OutputEvent, ProgressEvent
from segloop.core.context import Context
from segloop.prediction.kept import KeptPrediction, Shown
from segloop.targets import NoParameters, ParameterSet
from segloop.targets.output import PROBABILITY, Output

if TYPE_CHECKING:
    from segloop.app.presenters.background import Background, Clock

_REFRESH_S = 0.5
_GROW_AFTER_S = 1.5
"""What is finished sooner is not worth showing while it grows."""


class Results:
    """All results that the sliders act on.

    Parameters
    ----------
    background : Background
        Do the reading and decoding.
    clock : Clock
        Time.
    """

    changed = Signal()
    """There are other results, they show something else, or they are being updated."""

    failed = Signal(Exception)
    """A result could not be read or decoded."""

    thresholds_read = Signal(object)
    """A prediction from disk is shown, which was made with these `ParameterSet`."""

    painted = Signal(str)
    """The user painted on the layer of this name; it is the user's own now."""

    def __init__(self, background: Background, clock: Clock) -> None:
        self._background = background
        self._clock = clock
        self._results: list[Result] = []
        self._unfinished: list[Result] = []
        self._kinds: tuple[Output, ...] = ()
        self._grow_due = False
        self._started = 0.0
        self._decoder = Decoder(background, clock, self.finished)
        self._decoder.changed.connect(self.changed)
        self._decoder.previewed.connect(self._on_previewed)
        self._decoder.decoded.connect(self._on_decoded)
        self._decoder.failed.connect(self.failed)
        self._grow_timer = clock.timer(_REFRESH_S, self._grow_again)

    def finished(self) -> list[Result]:
        """Return the results that are on screen and finished."""
        return [result for result in self._results if result.shown is not None]

    @property
    def updating(self) -> bool:
        """Whether what is on screen may not show yet what the thresholds say."""
        return self._decoder.updating or any(result.view.pending for result in self._results)

    @property
    def slow(self) -> bool:
        """Whether an update takes long enough to say so."""
        return self._decoder.slow

    def summaries(self) -> list[tuple[str, str]]:
        """Return the name of each finished result's image and what it holds."""
        return [
            (each.view.name, _summary(each, each.shown)) for each in self._results if each.shown is not None
        ]

    def set_kinds(self, kinds: Sequence[Output]) -> None:
        """Choose what is shown of each result."""
        self._kinds = tuple(kinds)
        for result in self.finished():
            shown = result.shown
            if shown is not None and result.can_decode and any(kind not in shown.arrays for kind in kinds):
                self._decoder.request()
            self._display(result)
        self.changed.emit()

    def set_thresholds(self, thresholds: ParameterSet) -> None:
        """Decode the finished results again, soon; only the newest thresholds count."""
        self._decoder.set_thresholds(thresholds)

    def start(self, results: Sequence[Result], thresholds: ParameterSet) -> None:
        """Follow a job that has started, with the thresholds that it was given."""
        self._unfinished = list(results)
        self._decoder.set_thresholds(thresholds, decode=False)
        self._started = self._clock.now()

    def add(self, view: ResultView, record: Path) -> None:
        """Show a prediction that is finished already."""
        result = Result(view, "", record)
        view.painted.connect(self.painted)
        self._open(result)

    def on_events(self, events: Sequence[JobEvent]) -> None:
        """Take in the events of the job."""
        for event in events:
            if isinstance(event, OutputEvent):
                self._on_output(event)
        progressed = any(isinstance(event, ProgressEvent) for event in events)
        if progressed and any(result.growing for result in self._unfinished):
            self._grow()

    def drop_unfinished(self) -> None:
        """Remove what the job has not finished: it has ended."""
        self._background.drop("grow")
        unfinished = [result for result in self._unfinished if result not in self._results]
        self._unfinished = []
        for result in unfinished:
            result.view.remove()
            self._clean(result)

    def on_layer_removed(self, layer: object) -> None:
        """Forget results of which the user has removed every layer."""
        gone = [each for each in self.finished() if each.view.holds(layer) and each.view.is_empty]
        for result in gone:
            self._results.remove(result)
            self._clean(result)
        if gone:
            self.changed.emit()

    def close(self) -> None:
        """Leave all layers to the user."""
        self._decoder.close()
        self._grow_timer.stop()
        self.drop_unfinished()
        results, self._results = self._results, []
        still_read = {result.folder for result in results if result.is_lazy}
        for result in results:
            result.view.let_go()
            if result.folder not in still_read:
                self._clean(result)

    # While a job works.

    def _on_output(self, event: OutputEvent) -> None:
        result = next((each for each in self._unfinished if each.input == event.input), None)
        if result is None:
            return
        if event.partial:
            result.growing[event.output_kind] = Path(event.path)
            return
        result.growing.clear()
        if result not in self._results:
            result.view.painted.connect(self.painted)
            self._open(result)

    def _grow(self) -> None:
        if self._clock.now() - self._started < _GROW_AFTER_S:
            return
        if self._grow_timer.active:
            self._grow_due = True
            return
        self._grow_timer.start()
        wanted = [
            (result, {kind: result.growing[kind.name] for kind in self._kinds if kind.name in result.growing})
            for result in self._unfinished
            if result.growing and result.kept is None and self._older(result) is None
        ]
        self._background.run(open_growing, wanted, lane="grow", on_result=self._on_grown, on_error=_ignore)

    def _grow_again(self) -> None:
        if self._grow_due:
            self._grow_due = False
            self._grow()

    def _on_grown(self, answers: list[tuple[Result, dict[Output, Any]]]) -> None:
        for result, arrays in answers:
            if result.growing and result in self._unfinished and result not in self._results:
                maps = ("foreground",) if PROBABILITY in arrays else ()
                result.view.show(Shown(arrays, maps, NoParameters(), ""), list(arrays))

    # Once a result is finished.

    def _open(self, result: Result) -> None:
        self._results.append(result)
        self._background.run(
            _open_result,
            result.record,
            lane=f"open {id(result)}",
            on_result=lambda answer: self._on_opened(result, *answer),
            on_error=lambda error: self._on_not_opened(result, error),
        )

    def _on_opened(self, result: Result, kept: KeptPrediction, shown: Shown) -> None:
        result.kept, result.shown = kept, shown
        older = self._older(result)
        if older is not None:
            self._results.remove(older)
            result.view.adopt(older.view)
            self._clean(older)
        self._display(result)
        newest = self._decoder.thresholds
        if result.folder is None:
            self.thresholds_read.emit(shown.parameters)
        elif newest is not None and result.follows(newest) and shown.parameters != newest:
            self._decoder.request()
        self.changed.emit()

    def _on_not_opened(self, result: Result, error: Exception) -> None:
        self._results.remove(result)
        result.view.remove()
        self._clean(result)
        self.failed.emit(error)

    def _older(self, newer: Result) -> Result | None:
        """Return the finished result of the same source, which stays until the new one is finished."""
        source = newer.view.source
        others = (each for each in self.finished() if each is not newer)
        return next((each for each in others if source is not None and each.view.source is source), None)

    def _display(self, result: Result) -> None:
        if result.shown is not None:
            kinds = [kind for kind in self._kinds if kind in result.shown.arrays]
            result.view.show(result.shown, kinds or list(result.shown.arrays)[:1])

    def _on_previewed(self, answers: Sequence[tuple[Result, Shown]]) -> None:
        for result, shown in answers:
            if result in self._results:
                result.view.update(shown)

    def _on_decoded(self, answers: Sequence[tuple[Result, Shown]]) -> None:
        for result, shown in answers:
            if result not in self._results or result.shown is None:
                continue
            # The probability itself does not depend on thresholds.
            kept = {kind: array for kind, array in result.shown.arrays.items() if kind not in shown.arrays}
            result.shown = Shown({**kept, **shown.arrays}, shown.maps, shown.parameters, shown.summary)
            missing = [kind for kind in self._kinds if not result.view.shows(kind)]
            result.view.update(result.shown)
            if missing:
                self._display(result)

    def _clean(self, result: Result) -> None:
        """Remove the scratch folder of a result that nothing refers to any more."""
        folder = result.folder
        others = [each for each in (*self._results, *self._unfinished) if each is not result]
        if folder is not None and not any(each.folder == folder for each in others):
            self._background.run(_remove_folder, folder, lane=f"remove {folder}", on_error=_ignore)


def _open_result(record: Path, context: Context) -> tuple[KeptPrediction, Shown]:
    kept = KeptPrediction(record)
    return kept, kept.show(context)


def _remove_folder(folder: Path, context: Context) -> None:
    context.check()
    shutil.rmtree(folder, ignore_errors=True)


def _ignore(error: Exception) -> None:
    """Ignore an error: growing outputs are shown again soon, and leftovers are removed at the next start."""


def _summary(result: Result, shown: Shown) -> str:
    """Return what a result holds, and what was done with the image before."""
    record = result.kept.provenance if result.kept is not None else None
    lines = [shown.summary]
    if record is not None and record.scale != 1 and record.diameter is not None:
        lines.append(
            f"Objects are about {record.diameter:.0f} px wide, so the image was resampled by "
            f"{record.scale:.2f}."
        )
    if record is not None and record.inverted:
        which = f" (channels {', '.join(record.inverted)})" if len(record.channels) > 1 else ""
        lines.append(f"The image was inverted for the model{which}; see Contrast.")
    return "\n".join(lines)
