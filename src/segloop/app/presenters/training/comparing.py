"""Comparing models in the Training dock: which, the job, the outcome, and an image to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from psygnal import Signal

from segloop.app.app import App
from segloop.app.comparisons import (
    ComparedPixels,
    ComparedSample,
    StoredComparison,
    find_comparison,
    folder_of,
    read_comparison,
    read_sample,
    start_comparison,
)
from segloop.app.job_watcher import JobUpdate, JobWatcher
from segloop.app.jobs import Job
from segloop.app.presenters.background import Background, Memory
from segloop.app.presenters.messages import Messages
from segloop.app.repeating import Repeater
from segloop.artifacts.job.events import MessageEvent
from segloop.artifacts.job.state import JobState
from segloop.core.context import Context, Progress

CHOSEN_KEY, SHOWN_KEY = "training.compared_models", "training.comparison"
"""Where the workspace remembers the models, and the newest comparison by the name of its folder."""

STARTING = "Starting a process for the comparison"


class Comparing:
    """State and commands of *Compare models*.

    Parameters
    ----------
    app : App
        Starts the job.
    background : Background
        Start it, and read its outcome.
    memory : Memory
        Keeps the choice of models, and which comparison was the last, for each workspace.
    repeater : Repeater
        Looks at the job again and again.
    messages : Messages
        Errors and warnings.

    Attributes
    ----------
    models : mapping of str to Path
        To choose from.
    chosen : set of str
        Their names.
    split : str
        ``"val"`` or ``"test"``: on which images.
    busy : bool
        Whether a comparison runs.
    result : StoredComparison or None
        The comparison on screen.
    """

    models_changed = Signal()
    """`models` or `chosen` are others."""
    changed = Signal()
    """`busy`, `split` or `result` is another one."""
    progressed = Signal(Progress)
    sample_read = Signal(ComparedPixels)
    """The image that the user asked for."""

    def __init__(
        self, app: App, background: Background, memory: Memory, repeater: Repeater, messages: Messages
    ) -> None:
        self._app, self._background, self._memory, self._messages = app, background, memory, messages
        self._watcher = JobWatcher(repeater)
        self._watcher.updated.connect(self._on_update)
        self._cancelling = False
        self.models: Mapping[str, Path] = {}
        self.chosen: set[str] = set()
        self.split = "val"
        self.busy = False
        self.result: StoredComparison | None = None

    def close(self) -> None:
        """Stop watching; a comparison goes on."""
        self._watcher.release()

    def open_workspace(self) -> None:
        """Show the newest comparison of another workspace."""
        self.close()
        for lane in ("compare", "compared image"):
            self._background.drop(lane)
        self.busy, self.result = False, None
        self.chosen = set(self._memory.recall(CHOSEN_KEY, []))
        self.changed.emit()
        if last := self._memory.recall(SHOWN_KEY, ""):
            self._background.run(_find, self._app, last, lane="compare", on_result=self._on_found)

    def set_models(self, models: Mapping[str, Path]) -> None:
        """Offer models; those that are gone are no longer chosen, and at first two are."""
        self.models = models
        kept = {name for name in self.chosen if name in models}
        self.chosen = kept or set(list(models)[:1] + list(models)[-1:])
        self.models_changed.emit()

    def choose(self, name: str, chosen: bool) -> None:
        """Compare a model, or not."""
        (self.chosen.add if chosen else self.chosen.discard)(name)
        self._memory.remember(CHOSEN_KEY, sorted(self.chosen))
        self.changed.emit()

    def set_split(self, split: str) -> None:
        """Choose the images: ``"val"`` or ``"test"``."""
        self.split = split
        self.changed.emit()

    @property
    def can_start(self) -> bool:
        """Whether a model is chosen and no comparison runs."""
        return bool(self.chosen) and not self.busy

    def start(self, dataset: str) -> None:
        """Compare the chosen models on a dataset."""
        if not self.can_start:
            return
        if not dataset:
            self._messages.error("Choose a dataset first: models are compared on its accepted samples.")
            return
        self.busy, self._cancelling = True, False
        self.changed.emit()
        self.progressed.emit(Progress(0, 0, STARTING))
        chosen = [path for name, path in self.models.items() if name in self.chosen]
        self._background.run(
            _start,
            self._app,
            chosen,
            dataset,
            self.split,
            lane="compare",
            on_result=self._on_started,
            on_error=self._on_error,
        )

    def cancel(self) -> None:
        """Stop the comparison that runs."""
        self._cancelling = True
        if self._watcher.job is not None:
            # Looking at a job that does not react ends it.
            self._background.run(
                _stop, self._watcher.job, lane="stop comparison", on_error=self._messages.error
            )

    def show_sample(self, sample: ComparedSample) -> None:
        """Read an image with what each model made of it."""
        if self.result is not None:
            self._background.run(
                read_sample,
                self.result,
                sample,
                lane="compared image",
                on_result=self.sample_read.emit,
                on_error=self._messages.error,
            )

    def _on_found(self, found: Job | StoredComparison | None) -> None:
        if isinstance(found, StoredComparison):
            self._on_result(found)
        elif found is not None:
            self.busy, self._cancelling = True, False
            self.changed.emit()
            self._watcher.watch(found)

    def _on_started(self, job: Job) -> None:
        self._memory.remember(SHOWN_KEY, folder_of(job).name)
        self._watcher.watch(job)
        if self._cancelling:
            self.cancel()

    def _on_error(self, error: Exception) -> None:
        self.busy = False
        self.changed.emit()
        self._messages.error(error)

    def _on_update(self, update: JobUpdate) -> None:
        if not self._cancelling and update.progress is not None:
            self.progressed.emit(update.progress)
        if not update.state.ended:
            return
        job = self._watcher.job
        self._watcher.release()
        if update.state is JobState.finished and job is not None:
            self._background.run(
                _read, folder_of(job), lane="compare", on_result=self._on_result, on_error=self._on_error
            )
            self._say_problems(job)
            return
        self.busy = False
        self.changed.emit()
        if not self._cancelling:
            self._messages.error(update.failure or "The comparison ended without finishing: try again.")

    def _say_problems(self, job: Job) -> None:
        problems = [
            event.text
            for event in job.folder.events()[0]
            if isinstance(event, MessageEvent) and event.level == "error"
        ]
        if problems:
            more = f" And {len(problems) - 1} more, see the report." if len(problems) > 1 else ""
            self._messages.warning(problems[0] + more)

    def _on_result(self, result: StoredComparison) -> None:
        self.busy, self.result = False, result
        self.changed.emit()


def _start(app: App, models: Sequence[Path], dataset: str, split: str, context: Context) -> Job:
    return start_comparison(models, dataset, split, app.workspace)


def _read(folder: Path, context: Context) -> StoredComparison:
    return read_comparison(folder)


def _find(app: App, name: str, context: Context) -> Job | StoredComparison | None:
    return find_comparison(app.workspace, name)


def _stop(job: Job, context: Context) -> None:
    job.stop()
