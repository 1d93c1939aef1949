"""``segloop doctor``."""

from __future__ import annotations

import click

from segloop.cli.arguments import json_option, print_data


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Show devices, memory, readers, Qt and versions; what is missing and how to get it.

    \b
    Example:
      segloop doctor
    """
    from segloop.app.doctor import describe, examine

    facts = examine()
    print_data(facts, describe(facts), as_json)
