"""Showing a job's events at the terminal while it runs, and turning Ctrl+C into a stop request."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from segloop.app.job_watcher import JobFollower, JobUpdate, JobWatcher
from segloop.app.jobs import Job
from segloop.app.repeating import ThreadRepeater
from segloop.artifacts.job.events import JobEvent, MessageEvent, MetricsEvent, ProgressEvent, StateEvent
from segloop.artifacts.job.job import JobFolder
from segloop.cli.output import say
from segloop.cli.progress import new_bar, show
from segloop.core.errors import SegloopError
from segloop.core.paths import is_folder
from segloop.core.wording import printable

_INTERVAL_S = 0.2


@contextmanager
def follow(folder: Path) -> Iterator[None]:
    """Show messages and a progress bar from the events of ``folder`` until the block ends.

    The first Ctrl+C (or SIGTERM) asks the job to stop and keep what it has; a second one interrupts it.
    """
    job = JobFolder(folder)
    _, offset = job.events() if is_folder(folder) else ([], 0)
    printer = _EventPrinter()
    watcher = JobWatcher(ThreadRepeater(_INTERVAL_S))
    watcher.updated.connect(printer.on_update)
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: FrameType | None) -> None:
        if job.stop_requested() or not is_folder(folder):
            raise KeyboardInterrupt
        say("\nStopping; press Ctrl+C again to end at once.", err=True)
        job.request_stop()

    if threading.current_thread() is threading.main_thread():
        for number in previous:
            signal.signal(number, on_signal)
    # The folder may still hold the final state of an earlier job, which must not end the watching.
    watcher.watch(JobFollower(Job(folder), since=offset), until_ended=False)
    raised = ""
    try:
        yield
    except SegloopError as error:
        raised = str(error)
        raise
    finally:
        watcher.finish()
        printer.close(raised)
        if threading.current_thread() is threading.main_thread():
            for number, handler in previous.items():
                signal.signal(number, handler)


class _EventPrinter:
    """Prints events to standard error."""

    def __init__(self) -> None:
        self._bar = new_bar()
        self._errors: list[
            MessageEvent
        ] = []  # held back, because the one that ends the job is raised as well

    def on_update(self, update: JobUpdate) -> None:
        for event in update.events:
            if isinstance(event, MessageEvent) and event.level == "error":
                self._errors.append(event)
                continue
            if not isinstance(event, StateEvent):
                self._print_errors()
            self._print(event)

    def close(self, raised: str) -> None:
        """Print the errors held back, except the one that was raised, and remove the bar."""
        self._errors = [event for event in self._errors if event.text != raised]
        self._print_errors()
        self._bar.close()

    def _print_errors(self) -> None:
        for event in self._errors:
            self._print(event)
        self._errors.clear()

    def _print(self, event: JobEvent) -> None:
        if isinstance(event, ProgressEvent):
            show(self._bar, event.progress)
        elif isinstance(event, MessageEvent):
            prefix = "" if event.level == "info" else f"{event.level.capitalize()}: "
            self._bar.write(printable(prefix + event.text), file=sys.stderr)
        elif isinstance(event, MetricsEvent):
            values = ", ".join(f"{name} {value:.4g}" for name, value in event.values.items())
            self._bar.write(f"epoch {event.epoch}: {values}", file=sys.stderr)
