"""``segloop helper``: the process behind the Prediction dock."""

from __future__ import annotations

import sys

import click


@click.command(hidden=True)
def helper() -> None:
    """Execute the jobs whose folders are named on standard input, one a line, until it closes."""
    from segloop.app.helper_server import answers_to_stdout, serve

    with answers_to_stdout() as answer:
        serve(sys.stdin, answer)
