"""What several verbs share: telling overrides from paths, printing data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from segloop.cli.output import say
from segloop.core.paths import exists

if TYPE_CHECKING:
    from segloop.images.pairing import Pairing

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
seg_option = click.option(
    "--seg",
    "segmentations",
    multiple=True,
    metavar="[NAME=]DIR_OR_GLOB",
    help="Segmentations, paired by file stem: label images, ROI sets of ImageJ (.zip, .roi), files of COCO "
    "or labelme (.json), and what installed packages import; several times for several of the same images.",
)

blank_option = click.option(
    "--blank", is_flag=True, help="Begin without segmentations: draw all labels in the Curation dock."
)


def chosen_segmentations(segmentations: Sequence[str], blank: bool) -> dict[str, str]:
    """Return sources by the name of the segmentation, an empty one for ``--blank``.

    Raises
    ------
    click.UsageError
        If neither or both are given.
    """
    from segloop.artifacts.dataset.segmentation import default_name

    if bool(segmentations) == blank:
        raise click.UsageError(
            "Name the segmentations with --seg, or begin without any with --blank; not both."
            if blank
            else "Name the segmentations with --seg, or begin without any with --blank."
        )
    return {default_name(1): ""} if blank else named_segmentations(segmentations)


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


def print_pairing(pairing: Pairing, as_json: bool) -> int:
    """Print which files would be paired and why; return the exit status."""
    rows = [dict(zip(("raw", "seg", "rule"), row, strict=True)) for row in pairing.rows()]
    print_data({"pairs": rows, "problems": list(pairing.problems)}, pairing.table(), as_json)
    return 1 if pairing.problems else 0


def named_segmentations(values: Sequence[str]) -> dict[str, str]:
    """Return folders or globs by the name of their segmentation, as ``--seg`` gives them.

    Raises
    ------
    click.BadParameter
        If a name can't be one, or two are the same.
    """
    from segloop.artifacts.dataset.segmentation import default_name, require_safe_name

    named: dict[str, str] = {}
    for number, value in enumerate(values, 1):
        name, equals, source = value.partition("=")
        # A folder whose own name contains "=" is meant as it stands.
        if not equals or any(separator in name for separator in "/\\") or exists(value):
            name, source = default_name(number), value
        try:
            require_safe_name(name, "the name of a segmentation")
        except ValueError as error:
            raise click.BadParameter(f"{error}.", param_hint="--seg") from error
        if name.casefold() in (other.casefold() for other in named):
            raise click.BadParameter(f"Two segmentations are named {name}: rename one.", param_hint="--seg")
        named[name] = source
    return named
