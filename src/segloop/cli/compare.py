"""``segloop compare``."""

from __future__ import annotations

from pathlib import Path

import click

from segloop.cli.arguments import json_option, print_data, split_overrides
from segloop.cli.output import say


@click.command()
@click.argument("arguments", nargs=-1, required=True, metavar="RUN_OR_MODEL... [threshold.NAME=VALUES]...")
@click.option(
    "--dataset", required=True, type=click.Path(path_type=Path), help="Curated dataset to score on."
)
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for scores and predictions."
)
@click.option(
    "--degraded",
    metavar="NAME[,NAME]",
    default="",
    help="Also score on images with blur, noise, other intensity, other scale: blur,noise,intensity,scale.",
)
@json_option
def compare(
    arguments: tuple[str, ...], dataset: Path, split: str, out: Path, degraded: str, as_json: bool
) -> int:
    """Score several runs or models on the same images, beside two baselines.

    With several values of thresholds, each combination is scored; the network runs once.

    \b
    Examples:
      segloop compare run1 run2 --dataset nuclei --split val --out comparison
      segloop compare run1 threshold.foreground=0.3,0.5,0.7 --dataset nuclei --out comparison
    """
    from segloop.app.comparing import compare as compare_models
    from segloop.cli.progress import progress_shown

    models, overrides = split_overrides(arguments)
    if not models:
        raise click.UsageError("Name at least one run or model.")
    grid = {name: values.split(",") for name, _, values in (each.partition("=") for each in overrides)}
    names = [name.strip() for name in degraded.split(",") if name.strip()]
    with progress_shown() as context:
        result = compare_models(
            models, dataset, out=out, split=split, grid=grid, degraded=names, context=context
        )
    for problem in result.problems:
        say(f"Warning: {problem}", err=True)
    print_data(result.summary, [*result.table(), "", f"Report: {out / 'report.html'}"], as_json)
    return 1 if result.problems else 0
