"""The results on screen: growing while they are predicted, then decoded anew as thresholds move."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from segloop.artifacts.job.events import JobEvent, OutputEvent, ProgressEvent
from segloop.config.predict import OutputKind
from segloop.core.context import Context
from segloop.prediction.kept import KeptPrediction, Shown
from segloop.targets import NoParameters, ParameterSet
from segloop.ui.prediction.result_layers import ResultLayers
from segloop.ui.workers import Workers

if TYPE_CHECKING:
    from napari.viewer import Viewer

_REFRESH_MS = 500
_GROW_AFTER_S = 1.5
"""What is finished sooner is not worth showing while it grows."""

_DECODE_DELAY_MS = 30


@dataclass(eq=False)
class Result:
    """One image's result.

    Attributes
    ----------
    display : ResultLayers
        Its layers.
    input : str
        How the job's events name the image.
    record : Path
        Where its record will be.
    folder : Path or None
        Scratch folder of its job; None where its files are the user's.
    source_path : str
        File behind the source layer; empty if it was never saved.
    growing : dict of OutputKind to Path
        Outputs that are still being written.
    kept : KeptPrediction or None
        Once it is finished.
    shown : Shown or None
        What the layers show.
    """

    display: ResultLayers
    input: str
    record: Path
    folder: Path | None = None
    source_path: str = ""
    growing: dict[OutputKind, Path] = field(default_factory=dict)
    kept: KeptPrediction | None = None
    shown: Shown | None = None


class Results(QObject):
    """All results that the sliders act on.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where they are shown.
    workers : Workers
        Do the reading and decoding.
    """

    changed = Signal()
    """There are other results, or they show something else."""

    failed = Signal(object)
    """A result could not be read or decoded."""

    adopted = Signal(object)
    """A prediction from disk is shown, with these parameters."""

    painted = Signal(str)
    """The user painted on a result layer; it is the user's own now."""

    def __init__(self, viewer: Viewer, workers: Workers) -> None:
        super().__init__(workers)
        self._viewer = viewer
        self._workers = workers
        self._results: list[Result] = []
        self._coming: list[Result] = []
        self._kinds: tuple[OutputKind, ...] = ()
        self._thresholds: ParameterSet | None = None
        self._decoding = False
        self._stale = False
        self._grow_due = False
        self._begun = 0.0
        self._later: deque[Callable[[], None]] = deque()
        self._later_timer = QTimer(self, singleShot=True, interval=0)
        self._later_timer.timeout.connect(self._do_next)
        self._decode_timer = QTimer(self, singleShot=True, interval=_DECODE_DELAY_MS)
        self._decode_timer.timeout.connect(self._decode)
        self._grow_timer = QTimer(self, singleShot=True, interval=_REFRESH_MS)
        self._grow_timer.timeout.connect(self._grow_again)
        viewer.layers.events.removed.connect(self._on_removed)

    def finished(self) -> list[Result]:
        """Return the results that are on screen and finished."""
        return [result for result in self._results if result.shown is not None]

    @property
    def updating(self) -> bool:
        """Whether the layers don't show yet what the thresholds say."""
        return self._decoding or self._stale or self._decode_timer.isActive() or bool(self._later)

    def later(self, function: Callable[[], None]) -> None:
        """Call a function in a turn of its own of the event loop."""
        self._later.append(function)
        self._later_timer.start()

    def set_kinds(self, kinds: Sequence[OutputKind]) -> None:
        """Choose what is shown of each result."""
        self._kinds = tuple(kinds)
        for result in self.finished():
            if any(kind not in result.shown.arrays for kind in kinds) and result.kept.can_decode:
                self._decode_timer.start()
            self._display(result)
        self.changed.emit()

    def set_thresholds(self, thresholds: ParameterSet) -> None:
        """Decode the finished results anew, soon; only the newest thresholds count."""
        self._thresholds = thresholds
        if self._decoding:
            self._stale = True
        else:
            self._decode_timer.start()

    def expect(self, results: Sequence[Result], thresholds: ParameterSet) -> None:
        """Take in the news of a job that has started, with the thresholds that it was given."""
        self._coming = list(results)
        self._thresholds = thresholds
        self._begun = time.monotonic()

    def add(self, display: ResultLayers, record: Path) -> None:
        """Show a prediction that is finished already."""
        result = Result(display, "", record)
        self._connect(result)
        self._open(result)

    def on_events(self, events: Sequence[JobEvent]) -> None:
        """Follow the job's news."""
        for event in events:
            if isinstance(event, OutputEvent):
                self._on_output(event)
        progressed = any(isinstance(event, ProgressEvent) for event in events)
        if progressed and any(result.growing for result in self._coming):
            self._grow()

    def forget_coming(self) -> None:
        """Take away what was growing: the job has ended without finishing it."""
        self._workers.drop("grow")
        unfinished = [result for result in self._coming if result not in self._results]
        self._coming = []
        for result in unfinished:
            result.display.remove()
            self._clean(result)

    def close(self) -> None:
        """Leave all layers to the user."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self.forget_coming()
        while self._later:
            self._later.popleft()()
        results, self._results = self._results, []
        still_read = {result.folder for result in results if _is_lazy(result)}
        for result in results:
            result.display.let_go()
            if result.folder not in still_read:
                self._clean(result)

    def _connect(self, result: Result) -> None:
        result.display.painted.connect(self.painted.emit)

    def _on_output(self, event: OutputEvent) -> None:
        result = next((each for each in self._coming if each.input == event.input), None)
        if result is None:
            return
        kind = OutputKind(event.output_kind)
        if event.partial:
            result.growing[kind] = Path(event.path)
            return
        result.growing.clear()
        if result not in self._results:
            self._connect(result)
            self._open(result)

    # While a job works.

    def _grow(self) -> None:
        if time.monotonic() - self._begun < _GROW_AFTER_S:
            return
        if self._grow_timer.isActive():
            self._grow_due = True
            return
        self._grow_timer.start()
        wanted = [
            (result, {kind: path for kind, path in result.growing.items() if kind in self._kinds})
            for result in self._coming
            if result.growing and result.kept is None and self._older(result) is None
        ]
        self._workers.run(_open_growing, wanted, lane="grow", on_result=self._on_grown, on_error=_ignore)

    def _grow_again(self) -> None:
        if self._grow_due:
            self._grow_due = False
            self._grow()

    def _on_grown(self, answers: list[tuple[Result, dict[OutputKind, Any]]]) -> None:
        for result, arrays in answers:
            if result.growing and result in self._coming and result not in self._results:
                maps = ("foreground",) if OutputKind.probability in arrays else ()
                result.display.show(Shown(arrays, maps, NoParameters(), ""), list(arrays))

    # Once a result is whole.

    def _open(self, result: Result) -> None:
        self._results.append(result)
        self._workers.run(
            _open_result,
            result.record,
            lane=f"open {id(result)}",
            on_result=lambda answer: self._on_opened(result, *answer),
            on_error=lambda error: self._on_not_opened(result, error),
        )

    def _on_opened(self, result: Result, kept: KeptPrediction, shown: Shown) -> None:
        result.kept, result.shown = kept, shown
        self._replace_older(result)
        self._display(result)
        if result.folder is None:
            self.adopted.emit(shown.parameters)
        elif shown.parameters != self._thresholds and self._thresholds is not None:
            self.set_thresholds(self._thresholds)
        self.changed.emit()

    def _on_not_opened(self, result: Result, error: Exception) -> None:
        self._results.remove(result)
        result.display.remove()
        self._clean(result)
        self.failed.emit(error)

    def _replace_older(self, newer: Result) -> None:
        older = self._older(newer)
        if older is not None:
            self._results.remove(older)
            newer.display.adopt(older.display)
            self._clean(older)

    def _older(self, newer: Result) -> Result | None:
        """Return the finished result of the same source, which stays until the new one is whole."""
        source = newer.display.source
        others = (each for each in self.finished() if each is not newer)
        return next((each for each in others if source is not None and each.display.source is source), None)

    def _do_next(self) -> None:
        function = self._later.popleft()
        if self._later:
            self._later_timer.start()
        function()

    def _display(self, result: Result) -> None:
        kinds = [kind for kind in self._kinds if kind in result.shown.arrays]
        result.display.show(result.shown, kinds or list(result.shown.arrays)[:1])

    def _decode(self) -> None:
        wanted = [result for result in self.finished() if result.kept.can_decode]
        self._stale = False
        if not wanted or self._thresholds is None:
            return
        self._decoding = True
        self._workers.run(
            _decode_all,
            [(result, result.kept) for result in wanted],
            self._thresholds,
            lane="decode",
            on_result=self._on_decoded,
            on_error=self._on_not_decoded,
        )
        self.changed.emit()

    def _on_decoded(self, answers: list[tuple[Result, Shown]]) -> None:
        self._decoding = False
        for result, shown in answers:
            if result not in self._results:
                continue
            # The probability itself does not depend on thresholds.
            kept = {kind: array for kind, array in result.shown.arrays.items() if kind not in shown.arrays}
            result.shown = Shown({**kept, **shown.arrays}, shown.maps, shown.parameters, shown.summary)
            missing = [kind for kind in self._kinds if not result.display.shows(kind)]
            result.display.update(result.shown)
            if missing:
                self._display(result)
        if self._stale:
            self._decode_timer.start()
        self.changed.emit()

    def _on_not_decoded(self, error: Exception) -> None:
        self._decoding = False
        self.failed.emit(error)

    def _on_removed(self, event: Any) -> None:
        """Forget results of which the user has taken out every layer."""
        gone = [
            result
            for result in self.finished()
            if result.display.holds(event.value) and result.display.is_empty
        ]
        for result in gone:
            self._results.remove(result)
            self._clean(result)
        if gone:
            self.changed.emit()

    def _clean(self, result: Result) -> None:
        """Remove the scratch folder of a result that nothing refers to any more."""
        folder = result.folder
        others = [each for each in (*self._results, *self._coming) if each is not result]
        if folder is not None and not any(each.folder == folder for each in others):
            self._workers.run(_remove_folder, folder, lane=f"remove {folder}", on_error=_ignore)


def _is_lazy(result: Result) -> bool:
    """Whether layers of a result are read from its files as they are looked at."""
    arrays = result.shown.arrays.values() if result.shown is not None else ()
    return not all(isinstance(array, np.ndarray) for array in arrays)


def _open_growing(
    wanted: list[tuple[Result, dict[OutputKind, Path]]], context: Context
) -> list[tuple[Result, dict[OutputKind, Any]]]:
    found = []
    for result, paths in wanted:
        context.check()
        try:
            stored = {kind: _Forgiving(path) for kind, path in paths.items()}
            # Labels come a whole time point at once, so a single one has nothing to show before its end.
            growing = {
                kind: each for kind, each in stored.items() if kind.value != "labels" or "T" in each.axes
            }
            arrays = {kind: _growing_array(each, kind) for kind, each in growing.items()}
        except (KeyError, OSError, ValueError):  # the job has just taken it away, or replaced it
            continue
        if arrays:
            found.append((result, arrays))
    return found


def _growing_array(stored: _Forgiving, kind: OutputKind) -> Any:
    """Return an output that is being written, as (T, Z, Y, X), or (T, K, Z, Y, X) of a probability."""
    import dask.array as da

    from segloop.images.image import to_tczyx

    # A new name each time, or napari would show the blocks that it has seen before.
    lazy = da.from_array(stored, chunks=stored.chunks, name=False)
    data, _ = to_tczyx(lazy, stored.axes, "a growing output")
    return data if kind is OutputKind.probability else data[:, 0]


class _Forgiving:
    """A Zarr array that reads as zeros where its files are being replaced."""

    def __init__(self, path: Path) -> None:
        import zarr

        self._array = zarr.open_group(str(path), mode="r")["0"]
        self.shape, self.dtype, self.ndim = self._array.shape, self._array.dtype, self._array.ndim
        self.chunks = self._array.chunks
        self.axes = "".join(self._array.metadata.dimension_names).upper()

    def __getitem__(self, key: Any) -> Any:
        try:
            return self._array[key]
        except Exception:
            probe = np.broadcast_to(np.zeros((), self.dtype), self.shape)
            return np.array(probe[key])


def _open_result(record: Path, context: Context) -> tuple[KeptPrediction, Shown]:
    kept = KeptPrediction(record)
    return kept, kept.show(context)


def _decode_all(
    wanted: list[tuple[Result, KeptPrediction]], thresholds: ParameterSet, context: Context
) -> list[tuple[Result, Shown]]:
    return [(result, kept.decode(thresholds, context)) for result, kept in wanted]


def _remove_folder(folder: Path, context: Context) -> None:
    context.check()
    shutil.rmtree(folder, ignore_errors=True)


def _ignore(error: Exception) -> None:
    """What grows is shown again soon, and leftovers are removed at the next start."""
