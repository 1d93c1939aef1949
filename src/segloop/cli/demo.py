"""``segloop demo``."""

from __future__ import annotations

from pathlib import Path

import click

from segloop.cli.arguments import json_option, print_data
from segloop.cli.output import say


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("segloop-demo"),
    show_default=True,
    help="Folder for the results; if it exists, a new name beside it is used.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.05, 60),
    default=30.0,
    show_default=True,
    help="Longest training time; usually training ends earlier, after a fixed number of steps.",
)
@click.option("--gui", is_flag=True, help="Open napari with the docks and the results afterwards.")
@json_option
def demo(out: Path, minutes: float, gui: bool, as_json: bool) -> int:
    """Go once round the loop on bundled real nuclei: curate, train, predict, score.

    \b
    Example:
      segloop demo --out my-demo
    """
    from segloop.app.demo import run_demo
    from segloop.cli.following import follow

    if gui:
        _require_window()
    result = run_demo(out, minutes=minutes, follow=follow, say=lambda text: say(text, err=True))
    print_data(result.metrics, [*result.summary(), f"Report: {result.report}"], as_json)
    if gui:
        from segloop.app.processes import start_window

        return start_window(result.workspace)
    return 0


def _require_window() -> None:
    """Tell what a window lacks before minutes of training."""
    from importlib.util import find_spec

    from segloop.core.errors import SegloopError

    if find_spec("napari") is None or not any(map(find_spec, ("PyQt5", "PyQt6", "PySide6"))):
        raise SegloopError(
            'The window needs napari and Qt: pip install "napari-segloop[all]", or leave --gui out.'
        )
