"""The run on screen: what can be said of it and done with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segloop.app.presenters.messages import Message
from segloop.app.presenters.training.curves import Curves
from segloop.app.run_follower import STATE_WORDS, RunUpdate
from segloop.artifacts.job.state import JobState
from segloop.core.context import Progress

_RESUMABLE = (JobState.stopped, JobState.failed, JobState.lost)
_BUSY = {
    JobState.waiting: "Starting: loading torch takes up to half a minute",
    JobState.running: "Reading the images",
    JobState.stopping: "Stopping: the best model so far is kept",
}


class ShownRun:
    """A run, brought up to date by `update`.

    Parameters
    ----------
    path : Path
        Its folder.
    starting : bool
        Whether its training was started just now, so that it counts as active until its folder was looked at.

    Attributes
    ----------
    latest : RunUpdate or None
        None before the first look at the folder.
    curves : Curves
    stop_asked : bool
        Whether the user wants it to stop.
    """

    def __init__(self, path: Path, starting: bool = False) -> None:
        self.path = path
        self.starting = starting
        self.latest: RunUpdate | None = None
        self.curves = Curves()
        self.stop_asked = False

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.path.name

    @property
    def state(self) -> JobState | None:
        """Its state; None before the first look."""
        return self.latest.state if self.latest is not None else None

    @property
    def active(self) -> bool:
        """Whether it is being trained."""
        return self.starting if self.latest is None else not self.latest.state.ended

    @property
    def stopping(self) -> bool:
        """Whether it is about to stop."""
        return self.stop_asked or self.state is JobState.stopping

    @property
    def can_resume(self) -> bool:
        """Whether it can go on where it ended."""
        return self.state in _RESUMABLE

    @property
    def can_train_longer(self) -> bool:
        """Whether it is finished, and can be given more time."""
        return self.state is JobState.finished

    @property
    def can_predict(self) -> bool:
        """Whether it has a model."""
        return self.latest is not None and self.latest.model is not None

    @property
    def status(self) -> str:
        """State and score of the model that is kept, such as ``"training, model of epoch 3: AP50 0.74"``."""
        if self.latest is None:
            return ""
        words = STATE_WORDS[self.latest.state]
        model = self.latest.model
        return f"{words}, model of epoch {model.epoch}: {model.text}" if model is not None else words

    @property
    def plan(self) -> Sequence[str]:
        """What was chosen automatically, one sentence each; empty before that."""
        return self.latest.plan if self.latest is not None else ()

    @property
    def progress(self) -> Progress | None:
        """How far it is; None unless it is being trained."""
        if self.latest is None or not self.active:
            return None
        state = JobState.stopping if self.stop_asked else self.latest.state
        timed = self.latest.timed_progress
        if state is JobState.stopping or timed is None:
            # Not a busy bar, which would have the whole window painted again and again.
            return Progress(0, 1, self.latest.waiting_for or _BUSY[state])
        return timed

    def update(self, update: RunUpdate) -> Message | None:
        """Take note of what is new; return what the user should be told about it.

        Of a run that had ended before it was shown, only what needs a remedy is reported.
        """
        before, self.latest = self.latest, update
        self.curves.add(update.metrics)
        self.curves.name_scores(update.score_names)
        if update.state.ended:
            self.stop_asked = False
        if before is not None and before.state is update.state:
            return None
        if update.state is JobState.lost:
            return Message("error", update.failure or f"{self.name} ended unexpectedly.", "Resume")
        if update.state is JobState.failed:
            return Message("error", update.failure or f"{self.name} failed: its log says why.")
        if before is None:
            return None
        if update.state is JobState.finished:
            return Message("info", f"{self.name} is trained.", "Predict with it")
        if update.state is JobState.stopped:
            kept = "its best model so far is kept" if update.model is not None else "it has no model yet"
            return Message("info", f"{self.name} is stopped; {kept}.", "Resume")
        return None
