"""``segloop helper``: the warm process behind the Prediction dock."""

from __future__ import annotations

import sys

import click


@click.command(hidden=True)
def helper() -> None:
    """Execute the prediction jobs whose folders are named on standard input, one a line, until it closes."""
    from segloop.prediction.helper import serve

    serve(sys.stdin)
