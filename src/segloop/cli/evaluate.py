"""``segloop evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from segloop.cli.arguments import json_option, pair_option, print_data
from segloop.cli.output import say


@click.command()
@click.argument("predictions", metavar="PREDICTIONS")
@click.argument("truth", metavar="TRUTH")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for the scores and the report."
)
@click.option(
    "--raw", metavar="DIR_OR_GLOB", help="Raw images: shown in the report and scored by the baseline."
)
@click.option(
    "--label-kind",
    type=click.Choice(["instances", "semantic"]),
    help="Whether values number objects or name classes; by default guessed from the labels.",
)
@pair_option
@json_option
def evaluate(
    predictions: str,
    truth: str,
    out: Path,
    raw: str | None,
    label_kind: Literal["instances", "semantic"] | None,
    rule: str | None,
    as_json: bool,
) -> int:
    """Score PREDICTIONS (labels, masks or classes) against TRUTH; files are paired by name.

    Writes metrics.json, metrics.csv (per image) and report.html.

    \b
    Example:
      segloop evaluate predictions/ truth/ --out scores/ --label-kind semantic
    """
    from segloop.app.evaluating import evaluate as evaluate_files
    from segloop.cli.progress import progress_shown

    with progress_shown() as context:
        result = evaluate_files(
            predictions, truth, out=out, raw=raw, label_kind=label_kind, rule=rule, context=context
        )
    for problem in result.problems:
        say(f"Warning: {problem}", err=True)
    print_data(result.metrics, [*result.summary(), f"Report: {out / 'report.html'}"], as_json)
    return 1 if result.problems else 0
