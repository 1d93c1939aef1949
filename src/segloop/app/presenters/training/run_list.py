"""The list of runs of the workspace, kept up to date."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from psygnal import Signal

from segloop.app.presenters.background import Background, Clock
from segloop.app.presenters.training.run_summary import RunReader, RunSummary
from segloop.app.workspace import Workspace

logger = logging.getLogger(__name__)

_LANE = "list"
_INTERVAL_S = 3.0


class RunList:
    """Reads the runs every few seconds; reads never overlap, however slow the disk is.

    Parameters
    ----------
    background : Background
        Do the reading.
    clock : Clock
        Waits between two reads.

    Attributes
    ----------
    runs : sequence of RunSummary
        Newest first.
    reader : RunReader
    """

    changed = Signal()

    def __init__(self, background: Background, clock: Clock) -> None:
        self._background = background
        self._timer = clock.timer(_INTERVAL_S, self.read)
        self._workspace: Workspace | None = None
        self.runs: Sequence[RunSummary] = ()
        self.reader = RunReader()

    def open_workspace(self, workspace: Workspace) -> None:
        """List another workspace, beginning with the next `read` or `set_runs`."""
        self.stop()
        self._workspace, self.reader, self.runs = workspace, RunReader(), ()
        self.changed.emit()

    def stop(self) -> None:
        """Read no more."""
        self._timer.stop()
        self._background.drop(_LANE)

    def read(self) -> None:
        """Read the runs now."""
        self._timer.stop()
        if self._workspace is not None:
            self._background.run(
                self.reader.read,
                self._workspace,
                lane=_LANE,
                on_result=self.set_runs,
                on_error=self._on_error,
            )

    def set_runs(self, runs: Sequence[RunSummary]) -> None:
        """Take over runs that were read, and go on reading after a while."""
        self.runs = runs
        self.changed.emit()
        self._timer.start()

    def _on_error(self, error: Exception) -> None:
        logger.warning("The runs can't be listed: %s", error)
        self._timer.start()
