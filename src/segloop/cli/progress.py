"""The progress bar at the terminal, the same for every verb."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from segloop.core.context import Context, Progress, time_left
from segloop.core.wording import printable


@contextmanager
def progress_shown() -> Iterator[Context]:
    """Provide a context whose progress is shown, at a terminal only, until the block ends."""
    bar = new_bar()
    try:
        yield Context(report=lambda progress: show(bar, progress))
    finally:
        bar.close()


def new_bar() -> Any:
    """Return an empty bar, which writes nothing unless standard error is a terminal."""
    from tqdm import tqdm

    return tqdm(
        total=100.0,
        disable=not sys.stderr.isatty(),
        bar_format="{desc} {percentage:3.0f}%|{bar}| {postfix}",
        leave=False,
        file=sys.stderr,
    )


def show(bar: Any, progress: Progress) -> None:
    """Draw a bar again."""
    bar.n = 100 * progress.fraction
    bar.set_description_str(printable(progress.message), refresh=False)
    bar.set_postfix_str(time_left(progress.seconds_left), refresh=False)
    bar.refresh()
