"""What several verbs share: telling overrides from paths, printing data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import click

from segloop.cli.output import say
from segloop.core.paths import exists

_OVERRIDE = re.compile(r"^[+~]{0,2}[A-Za-z_][\w./@]*=")

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
axes_option = click.option(
    "--axes",
    default="",
    metavar="AXES",
    help="Axes of TIFFs that do not name them, in the order stored, such as YXC or TYX.",
)
pair_option = click.option(
    "--pair",
    "rule",
    metavar="RAW=SEG",
    help="Rule for pairing, such as '*_raw=*_mask'; start it with 're:' for regular expressions. By "
    "default, files are paired by name.",
)


def split_overrides(arguments: Iterable[str]) -> tuple[list[str], list[str]]:
    """Part positional arguments into (plain ones, Hydra overrides such as ``network.size=large``)."""
    plain: list[str] = []
    overrides: list[str] = []
    for argument in arguments:
        is_override = _OVERRIDE.match(argument) is not None and not exists(argument)
        (overrides if is_override else plain).append(argument)
    return plain, overrides


def print_data(data: Any, lines: Iterable[str], as_json: bool) -> None:
    """Print ``data`` as JSON, or else the readable ``lines``."""
    say(json.dumps(data, indent=2) if as_json else "\n".join(lines))
