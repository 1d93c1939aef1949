"""How long a run has trained, and whether that was too short for a useful model."""

from __future__ import annotations

from pathlib import Path

from segloop.artifacts.job.job import JobFolder
from segloop.artifacts.run.run import Run
from segloop.core.errors import SegloopError

SHORT_S = 60.0
"""A training shorter than this is said to be short, in seconds."""


def duration_text(seconds: float) -> str:
    """Return how long something took, such as ``"10 s"`` or ``"4 min"``."""
    return f"{seconds:.0f} s" if seconds < SHORT_S else f"{seconds / 60:.0f} min"


def seconds_trained(run: Run) -> float:
    """Return how long a run has trained, in seconds."""
    return run.metrics().get("seconds", [(0, 0.0)])[-1][1]


def short_training(path: Path) -> str:
    """Return how long a run has trained if it ended after so little that its model is hardly worth using.

    Parameters
    ----------
    path : Path
        A run, or a model.

    Returns
    -------
    str
        Such as ``"10 s"``; empty for a longer training, one that goes on, and a model that is no run.
    """
    try:
        if not Run.is_run(path) or not JobFolder(path).state().ended:
            return ""
        seconds = seconds_trained(Run(path))
    except SegloopError:  # a damaged run; choosing its model says what is wrong
        return ""
    return duration_text(seconds) if seconds < SHORT_S else ""


def with_short_training(name: str, path: Path) -> str:
    """Return the name of a model in a list, which says if its training was short."""
    brief = short_training(path)
    return f"{name}, trained for {brief}" if brief else name
