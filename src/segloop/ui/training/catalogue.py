"""The runs of a workspace with their states and scores; free of Qt."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from segloop.app.workspace import Workspace
from segloop.artifacts.job.job import EVENTS_FILE, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.run.run import METRICS_FILE, Run
from segloop.core.context import Context

_SCORES = (("val_ap50", "AP50"), ("val_dice", "Dice"))


@dataclass(frozen=True)
class RunSummary:
    """One run in a list.

    Attributes
    ----------
    path : Path
        Its folder.
    state : JobState
        How it stands.
    measure : str
        What the score is: AP50 or Dice; empty where nothing was validated.
    score : float
        The best in validation, 0 to 1; -1 where nothing was validated.
    epochs : int
        Finished epochs.
    active : float
        When it last said anything, in seconds since the epoch, to the minute.
    """

    path: Path
    state: JobState
    measure: str
    score: float
    epochs: int
    active: float


class RunCatalogue:
    """Summarises runs; one whose files have not changed since is not read again. Any thread may look."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, ...], RunSummary, JobFolder]] = {}
        self._lock = threading.Lock()

    def look(self, workspace: Workspace, context: Context) -> tuple[RunSummary, ...]:
        """Return the summaries of the runs of a workspace, newest first."""
        with self._lock:
            found = []
            paths = workspace.runs()
            for path in paths:
                context.check()
                found.append(self._summary(path))
            self._known = {path: self._known[path] for path in paths}
            return tuple(found)

    def _summary(self, path: Path) -> RunSummary:
        signature = (*_signature(path / EVENTS_FILE), *_signature(path / METRICS_FILE))
        known = self._known.get(path)
        job = known[2] if known is not None else JobFolder(path)
        # A process may be killed without a file changing.
        if known is None or known[0] != signature or not known[1].state.ended:
            self._known[path] = (signature, _summarise(path, job), job)
        return self._known[path][1]


def _summarise(path: Path, job: JobFolder) -> RunSummary:
    curves = Run(path).metrics()
    measure, score = "", -1.0
    for name, words in _SCORES:
        if name in curves:
            measure, score = words, max(value for _, value in curves[name])
            break
    epochs = max((curve[-1][0] for curve in curves.values()), default=0)
    active = max((_modified(path / name) for name in (EVENTS_FILE, "config.yaml")), default=0.0)
    return RunSummary(path, job.state(), measure, score, epochs, active // 60 * 60)


def _signature(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _modified(file: Path) -> float:
    return _signature(file)[0] / 1e9
