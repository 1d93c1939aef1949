"""``segloop run-task``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("run-task")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
def run_task(folder: Path) -> int:
    """Execute the task that FOLDER/task.json describes, as the docks do.

    A run, and the folder .segloop of a prediction, hold such a file. It can be executed again, also on
    another computer that has the same paths, for example by a scheduler.

    \b
    Example:
      segloop run-task predictions/.segloop
    """
    from segloop.app.tasks import execute
    from segloop.cli.following import follow

    with follow(folder):
        result = execute(folder)
    return 1 if result.problems else 0
