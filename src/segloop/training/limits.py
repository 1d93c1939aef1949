"""What can end a training, and whether a run that is continued has anything left to do."""

from __future__ import annotations

import math
from typing import Literal

from segloop.artifacts.job.events import StateEvent
from segloop.artifacts.run.run import Run
from segloop.config.train import StopConfig
from segloop.core.errors import RunError
from segloop.core.wording import counted

EndedBy = Literal["time", "steps", "epochs", "patience", "stop"]
"""What ended a training."""

LIMITS = {"time": "max_minutes", "steps": "max_steps", "epochs": "max_epochs", "patience": "patience"}
"""The field of `StopConfig` behind what ended a training."""


def require_more(run: Run, old: StopConfig, new: StopConfig, *, finished: bool) -> None:
    """Refuse limits that a run has reached already.

    A run that did not finish may keep its own limits: what is left to do after its last step is then done.

    Parameters
    ----------
    run : Run
        The run that is continued.
    old, new : StopConfig
        Its limits so far, and those to continue with.
    finished : bool
        Whether one of the old limits ended it.

    Raises
    ------
    RunError
        Naming the settings to raise.
    """
    curves = run.metrics()
    epochs, seconds = curves.get("seconds", [(0, 0.0)])[-1]
    steps = int(curves.get("step", [(0, 0.0)])[-1][1])
    reached: dict[str, float] = {"max_minutes": seconds / 60, "max_steps": steps, "max_epochs": epochs}
    last = run.job.last(StateEvent)
    if finished and last is not None and last.ended_by in LIMITS:
        name = LIMITS[last.ended_by]
        reached[name] = _limit(old, name)
    names = [
        f"stop.{name}"
        for name, value in reached.items()
        if _limit(new, name) <= value and (finished or _limit(new, name) != _limit(old, name))
    ]
    if names:
        raise RunError(
            f"The run {run.path} has finished {counted(steps, 'step')} in {counted(epochs, 'epoch')} and "
            f"{seconds / 60:.1f} minutes: raise {' and '.join(names)} to train it for longer."
        )


def _limit(stop: StopConfig, name: str) -> float:
    """Return a limit, infinite where 0 means that there is none."""
    return float(getattr(stop, name)) or math.inf
