"""What the command says."""

from __future__ import annotations

import click

from segloop.core.wording import printable


def say(text: str, *, err: bool = False) -> None:
    """Print a text that may hold names of files, whatever these contain."""
    click.echo(printable(text), err=err)
