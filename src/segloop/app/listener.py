"""A callback of Python code that follows a training, and what happens when it fails."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.artifacts.job.job import JobFolder, OnEvent
from segloop.core.errors import Cancelled

if TYPE_CHECKING:
    from segloop.artifacts.job.events import JobEvent

logger = logging.getLogger(__name__)


class Listener:
    """Hands events on; once the callback raises, it is called no more and the job is asked to stop.

    Parameters
    ----------
    on_event : callable
        The callback.
    folder : Path
        The job's folder.
    """

    def __init__(self, on_event: OnEvent, folder: Path) -> None:
        self._on_event = on_event
        self._folder = folder
        self._error: Exception | None = None

    def __call__(self, event: JobEvent) -> None:
        """Hand an event on."""
        if self._error is not None:
            return
        try:
            self._on_event(event)
        except Exception as error:
            self._error = error
            if not isinstance(error, Cancelled):
                logger.exception("The callback failed, so the training stops")
            JobFolder(self._folder).request_stop()

    def reraise(self) -> None:
        """Raise what the callback raised, unless it only asked to stop."""
        if self._error is not None and not isinstance(self._error, Cancelled):
            raise self._error
