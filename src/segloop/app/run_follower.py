"""Watching a training: its curves, its log, its plan, and whether it has a model."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from segloop.app.job_watcher import JobFollower, JobUpdate
from segloop.app.jobs import Job
from segloop.artifacts.job.events import JobEvent, MessageEvent, MetricsEvent, StateEvent
from segloop.artifacts.job.state import JobState
from segloop.artifacts.run.kept_model import KeptModel, read_kept_model
from segloop.artifacts.run.run import Run
from segloop.artifacts.run.score_names import LOSSES, reported_scores, score_names_of
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
    score_names : mapping of str to str
        Short names of the scores among the metrics, the one that decides first; empty while none is known.
    """

    metrics: tuple[tuple[int, Mapping[str, float]], ...] = ()
    lines: tuple[str, ...] = ()
    plan: tuple[str, ...] = ()
    model: KeptModel | None = None
    score_names: Mapping[str, str] = field(default_factory=dict)

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
        self._score_names: dict[str, str] = {}

    def look(self) -> RunUpdate:
        """Return the state of the run and what is new; reads the disk."""
        update = super().look()
        if any(event.state in (JobState.waiting, JobState.running) for event in update.events_of(StateEvent)):
            self._plan = ()
        metrics = update.events_of(MetricsEvent)
        names = self._read_score_names() if metrics else self._score_names
        lines = tuple(line for event in update.events if (line := _line(event, names)))
        return RunUpdate(
            **{each.name: getattr(update, each.name) for each in fields(JobUpdate)},
            metrics=tuple((event.epoch, event.values) for event in metrics),
            lines=lines[-MAX_LINES:],
            plan=self._read_plan(),
            model=read_kept_model(self._run.path),
            score_names=names,
        )

    def _read_score_names(self) -> dict[str, str]:
        if not self._score_names:
            self._score_names = score_names_of(self._run)
        return self._score_names

    def _read_plan(self) -> tuple[str, ...]:
        if not self._plan:
            try:
                plan = self._run.plan
                self._plan = plan.notes if plan is not None else ()
            except RunError as error:
                self._plan = (str(error),)
        return self._plan


def describe(values: Mapping[str, float], names: Mapping[str, str]) -> str:
    """Return the values of an epoch in words, such as ``"training loss 0.41, Dice 0.90"``.

    Parameters
    ----------
    values : mapping of str to float
        By the names of ``metrics.csv``.
    names : mapping of str to str
        Short names of the scores.
    """
    return ", ".join(
        f"{words} {values[name]:.3f}"
        for name, words in {**LOSSES, **reported_scores(values, names)}.items()
        if name in values and math.isfinite(values[name])
    )


def _line(event: JobEvent, names: Mapping[str, str]) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(event.time))
    if isinstance(event, MessageEvent):
        return f"{clock} {event.text}"
    if isinstance(event, MetricsEvent):
        return f"{clock} Epoch {event.epoch}: {describe(event.values, names)}"
    if isinstance(event, StateEvent):
        return f"{clock} {STATE_WORDS[event.state].capitalize()}"
    return ""
