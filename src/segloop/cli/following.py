"""Showing a job's events at the terminal while it works, and turning Ctrl+C into a stop request."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from segloop.artifacts.job.events import JobEvent, MessageEvent, MetricsEvent, ProgressEvent, StateEvent
from segloop.artifacts.job.job import JobFolder
from segloop.cli.progress import new_bar, show
from segloop.core.errors import SegloopError


@contextmanager
def follow(folder: Path) -> Iterator[None]:
    """Show messages and a progress bar from the events of ``folder`` until the block ends.

    The first Ctrl+C (or SIGTERM) asks the job to stop and keep what it has; a second one interrupts it.
    """
    job = JobFolder(folder)
    offset = job.events(0)[1] if folder.is_dir() else 0
    over = threading.Event()
    raised: list[str] = []
    printer = threading.Thread(target=_print_events, args=(job, offset, over, raised), daemon=True)
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: FrameType | None) -> None:
        if job.stop_requested() or not folder.is_dir():
            raise KeyboardInterrupt
        click.echo("\nStopping; press Ctrl+C again to end at once.", err=True)
        job.request_stop()

    if threading.current_thread() is threading.main_thread():
        for number in previous:
            signal.signal(number, on_signal)
    printer.start()
    try:
        yield
    except SegloopError as error:
        raised.append(str(error))
        raise
    finally:
        over.set()
        printer.join()
        if threading.current_thread() is threading.main_thread():
            for number, handler in previous.items():
                signal.signal(number, handler)


def _print_events(job: JobFolder, offset: int, over: threading.Event, raised: list[str]) -> None:
    bar = new_bar()
    errors: list[MessageEvent] = []  # held back, because the one that ends the job is raised as well
    last = False
    while True:
        events, offset = job.events(offset)
        for event in events:
            if isinstance(event, MessageEvent) and event.level == "error":
                errors.append(event)
                continue
            if not isinstance(event, StateEvent):
                _show_all(errors, bar)
                errors.clear()
            _show(event, bar)
        if last:
            break
        last = over.wait(0.2)
    _show_all([event for event in errors if event.text not in raised], bar)
    bar.close()


def _show_all(events: Sequence[JobEvent], bar: Any) -> None:
    for event in events:
        _show(event, bar)


def _show(event: JobEvent, bar: Any) -> None:
    if isinstance(event, ProgressEvent):
        show(bar, event.progress)
    elif isinstance(event, MessageEvent):
        prefix = "" if event.level == "info" else f"{event.level.capitalize()}: "
        bar.write(prefix + event.text, file=sys.stderr)
    elif isinstance(event, MetricsEvent):
        values = ", ".join(f"{name} {value:.4g}" for name, value in event.values.items())
        bar.write(f"epoch {event.epoch}: {values}", file=sys.stderr)
