"""Watching a training: its curves, its log, its plan, and whether it has a model."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from segloop.app.job_watcher import JobFollower, JobUpdate
from segloop.app.jobs import Job
from segloop.artifacts.job.events import JobEvent, MessageEvent, MetricsEvent, StateEvent
from segloop.artifacts.job.state import JobState
from segloop.artifacts.run.kept_model import KeptModel, read_kept_model
from segloop.artifacts.run.run import Run
from segloop.core.context import Progress
from segloop.core.errors import RunError

MAX_LINES = 500
"""Number of lines of the log in one update, the newest ones."""

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
class RunUpdate(JobUpdate):
    """A training as it is now, and what is new since the last update.

    Attributes
    ----------
    metrics : tuple of (epoch, values by name)
        Epochs that are new, in the order they were reported; an epoch reported again replaces the earlier
        one and those after it.
    lines : tuple of str
        New lines of the log, with the time of day.
    plan : tuple of str
        What was chosen automatically, with reasons; empty before that.
    model : KeptModel or None
        The model to predict with; None before there is one.
    """

    metrics: tuple[tuple[int, Mapping[str, float]], ...] = ()
    lines: tuple[str, ...] = ()
    plan: tuple[str, ...] = ()
    model: KeptModel | None = None

    @property
    def timed_progress(self) -> Progress | None:
        """The newest progress, with the time since the present attempt started in its message."""
        progress = self.progress
        if progress is None or self.state.ended or self.started is None:
            return progress
        minutes, seconds = divmod(int(max(0.0, time.time() - self.started)), 60)
        return replace(progress, message=f"{progress.message}, {minutes}:{seconds:02} min")


class RunFollower(JobFollower):
    """Reads what is new in a run; see `JobFollower`.

    Parameters
    ----------
    job : Job
        The run's job.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._run = Run(job.path)
        self._plan: tuple[str, ...] = ()

    def look(self) -> RunUpdate:
        """Return the state of the run and what is new; reads the disk."""
        update = super().look()
        if any(event.state in (JobState.waiting, JobState.running) for event in update.events_of(StateEvent)):
            self._plan = ()
        lines = tuple(line for event in update.events if (line := _line(event)))
        return RunUpdate(
            **{each.name: getattr(update, each.name) for each in fields(JobUpdate)},
            metrics=tuple((event.epoch, event.values) for event in update.events_of(MetricsEvent)),
            lines=lines[-MAX_LINES:],
            plan=self._read_plan(),
            model=read_kept_model(self._run.path),
        )

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
    # Other targets have metrics of their own.
    others = {name: name.removeprefix("val_") for name in values if name.startswith("val_")}
    words_of = _METRIC_WORDS | others | _METRIC_WORDS
    return ", ".join(
        f"{words} {values[name]:.3f}"
        for name, words in words_of.items()
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
