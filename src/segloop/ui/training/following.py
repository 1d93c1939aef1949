"""Following one run by its folder, an increment at a time; free of Qt."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from segloop.app.jobs import Job
from segloop.artifacts.job.events import JobEvent, MessageEvent, MetricsEvent, ProgressEvent, StateEvent
from segloop.artifacts.job.state import JobState
from segloop.artifacts.run.run import Run
from segloop.core.context import Context, Progress
from segloop.core.errors import RunError

MOST_LINES = 500
"""How many lines of the log are shown of a run that is looked at for the first time."""

STATE_WORDS = {
    JobState.waiting: "starting",
    JobState.running: "training",
    JobState.stopping: "stopping",
    JobState.finished: "finished",
    JobState.stopped: "stopped",
    JobState.failed: "failed",
    JobState.lost: "ended unexpectedly",
}

_METRIC_WORDS = {
    "train_loss": "training loss",
    "val_loss": "validation loss",
    "val_dice": "Dice",
    "val_ap50": "AP50",
}


@dataclass(frozen=True)
class RunNews:
    """What has become of a run since the last look.

    Attributes
    ----------
    state : JobState
        How it stands.
    progress : Progress or None
        The newest of this attempt, None before there is one.
    metrics : tuple of (epoch, values by name)
        New epochs, in the order they were told; an epoch told again takes back those after it.
    lines : tuple of str
        New lines of the log.
    plan : tuple of str
        What was chosen automatically, with reasons; empty before that.
    failure : str
        Why it failed or was lost, in one sentence.
    ended_by : str
        What ended it: time, epochs, patience or stop.
    has_model : bool
        Whether there is a model to predict with.
    """

    state: JobState
    progress: Progress | None
    metrics: tuple[tuple[int, Mapping[str, float]], ...]
    lines: tuple[str, ...]
    plan: tuple[str, ...]
    failure: str
    ended_by: str
    has_model: bool


class RunFollower:
    """Reads what a run has told since the last look. Looks must follow one another; any thread may look.

    Parameters
    ----------
    job : Job
        The run's job.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.path = job.path
        self._run = Run(job.path)
        self._offset = 0
        self._begun: float | None = None
        self._progress: Progress | None = None
        self._plan: tuple[str, ...] = ()

    def look(self, context: Context | None = None) -> RunNews:
        """Return the news; the first time, all that was ever told."""
        state = self.job.state()
        events, self._offset = self.job.folder.events(self._offset)
        metrics: list[tuple[int, Mapping[str, float]]] = []
        lines: list[str] = []
        for event in events:
            if isinstance(event, StateEvent):
                self._note_state(event)
            elif isinstance(event, ProgressEvent):
                self._progress = event.progress
            elif isinstance(event, MetricsEvent):
                metrics.append((event.epoch, event.values))
            if text := _line(event):
                lines.append(text)
        last = self.job.folder.last(StateEvent)
        return RunNews(
            state=state,
            progress=self._told(state),
            metrics=tuple(metrics),
            lines=tuple(lines[-MOST_LINES:]),
            plan=self._read_plan(),
            failure=self.job.failure() if state in (JobState.failed, JobState.lost) else "",
            ended_by=last.ended_by if last is not None else "",
            has_model=(self._run.model_dir / "model.json").is_file(),
        )

    def _note_state(self, event: StateEvent) -> None:
        if event.state in (JobState.waiting, JobState.running):
            self._progress = None
            self._plan = ()
            self._begun = event.time

    def _told(self, state: JobState) -> Progress | None:
        """Return the newest progress, with the time gone since this attempt began."""
        now = self._progress
        if now is None or state.ended or self._begun is None:
            return now
        minutes, seconds = divmod(int(max(0.0, time.time() - self._begun)), 60)
        return Progress(now.done, now.total, f"{now.message}, {minutes}:{seconds:02} min", now.seconds_left)

    def _read_plan(self) -> tuple[str, ...]:
        if not self._plan:
            try:
                plan = self._run.plan
                self._plan = plan.notes if plan is not None else ()
            except RunError as error:
                self._plan = (str(error),)
        return self._plan


def describe(values: Mapping[str, float]) -> str:
    """Return the values of an epoch in words, such as ``"training loss 0.41, Dice 0.90"``."""
    return ", ".join(
        f"{words} {values[name]:.3f}"
        for name, words in _METRIC_WORDS.items()
        if name in values and math.isfinite(values[name])
    )


def _line(event: JobEvent) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(event.time))
    if isinstance(event, MessageEvent):
        return f"{clock} {event.text}"
    if isinstance(event, MetricsEvent):
        return f"{clock} Epoch {event.epoch}: {describe(event.values)}"
    if isinstance(event, StateEvent):
        return f"{clock} {STATE_WORDS[event.state].capitalize()}"
    return ""
