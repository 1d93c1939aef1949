"""Progress of parts within a whole."""

from __future__ import annotations

from segloop.core.context import Context, Progress


def part_of(context: Context, number: int, count: int, share: float = 1.0) -> Context:
    """Return a context for one of ``count`` equal parts of a larger action.

    Its progress from 0 to 1 becomes progress of ``context`` through part ``number``, or through the first
    ``share`` of that part. It is cancelled when ``context`` is.
    """

    def report(progress: Progress) -> None:
        context.progress(number + progress.fraction * share, count, progress.message)

    return Context(report=report, cancelled=context.cancelled)
