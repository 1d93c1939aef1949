"""The states of a job."""

from __future__ import annotations

from enum import Enum


class JobState(Enum):
    """State of a job; ``lost`` means that its process ended without writing a final state."""

    waiting = "waiting"
    running = "running"
    stopping = "stopping"
    finished = "finished"
    stopped = "stopped"
    failed = "failed"
    lost = "lost"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens unless the job is started again."""
        return self in _ENDED


_ENDED = frozenset({JobState.finished, JobState.stopped, JobState.failed, JobState.lost})
