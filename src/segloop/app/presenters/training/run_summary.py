"""The runs of a workspace with their states and scores."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from segloop.app.run_length import SHORT_S, seconds_trained
from segloop.app.workspace import Workspace
from segloop.artifacts.job.job import EVENTS_FILE, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.run.kept_model import KeptModel, read_kept_model
from segloop.artifacts.run.run import METRICS_FILE, Run
from segloop.core.context import Context
from segloop.core.errors import SegloopError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunSummary:
    """One run in the list.

    Attributes
    ----------
    path : Path
        Its folder.
    state : JobState
        Its state.
    model : KeptModel or None
        The model that it keeps; None before there is one.
    epochs : int
        Finished epochs.
    seconds : float
        How long it has trained.
    active : float
        When it last wrote anything, in seconds since the epoch, to the minute.
    problem : str
        Why the run can't be read, in one sentence; the other fields are then empty.
    """

    path: Path
    state: JobState
    model: KeptModel | None
    epochs: int
    seconds: float
    active: float
    problem: str = ""

    @property
    def score_text(self) -> str:
        """The score of the model that is kept."""
        if self.problem:
            return "can't be read"
        return self.model.text if self.model is not None else "no model"

    @property
    def is_short(self) -> bool:
        """Whether it ended after so little training that its model is hardly worth using."""
        return self.state.ended and not self.problem and self.seconds < SHORT_S


class RunReader:
    """Summarises runs; a run whose files have not changed is not read again. Any thread may read."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, ...], RunSummary, JobFolder]] = {}
        self._lock = threading.Lock()

    def read(self, workspace: Workspace, context: Context) -> tuple[RunSummary, ...]:
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
        files = (path / EVENTS_FILE, path / METRICS_FILE, path / "model" / "model.json")
        signature = tuple(value for file in files for value in _signature(file))
        known = self._known.get(path)
        job = known[2] if known is not None else JobFolder(path)
        # A process may be killed without a file changing.
        if known is None or known[0] != signature or not known[1].state.ended:
            self._known[path] = (signature, _summarise(path, job), job)
        return self._known[path][1]


def _summarise(path: Path, job: JobFolder) -> RunSummary:
    active = max((_signature(path / name)[0] / 1e9 for name in (EVENTS_FILE, "config.yaml")), default=0.0)
    active = active // 60 * 60
    try:
        run = Run(path)
        epochs = max((curve[-1][0] for curve in run.metrics().values()), default=0)
        seconds = seconds_trained(run)
        return RunSummary(path, job.state(), read_kept_model(path), epochs, seconds, active)
    except SegloopError as error:
        return RunSummary(path, JobState.lost, None, 0, 0.0, active, str(error))
    except Exception as error:  # whatever is wrong with one run, the others are listed
        logger.warning("The run %s can't be read", path, exc_info=True)
        return RunSummary(path, JobState.lost, None, 0, 0.0, active, f"{path} can't be read: {error}")


def _signature(file: Path) -> tuple[int, int]:
    try:
        status = file.lstat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size
