"""Waiting for other processes, suspending and ending them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import psutil

_POLL_S = 0.05


def other_process(pid: int | None) -> psutil.Process:
    """Return another process than this one, which psutil would take None for."""
    assert pid is not None, "there is no process"
    assert pid != os.getpid()
    return psutil.Process(pid)


def kill(pid: int | None) -> None:
    """Do what ``kill -9`` does to another process."""
    other_process(pid).kill()


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Look again and again, as the docks do."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(_POLL_S)
