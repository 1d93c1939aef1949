"""``segloop compare``."""

from __future__ import annotations

from pathlib import Path

import click

from segloop.cli.arguments import json_option, print_data
from segloop.cli.output import say


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="RUN_OR_MODEL...")
@click.option(
    "--dataset", required=True, type=click.Path(path_type=Path), help="Curated dataset to score on."
)
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for scores and predictions."
)
@json_option
def compare(models: tuple[str, ...], dataset: Path, split: str, out: Path, as_json: bool) -> int:
    """Score several runs or models on the same images.

    \b
    Example:
      segloop compare run1 run2 --dataset nuclei --split val --out comparison
    """
    from segloop.app.comparing import compare as compare_models
    from segloop.cli.progress import progress_shown

    with progress_shown() as context:
        result = compare_models(models, dataset, out=out, split=split, context=context)
    for problem in result.problems:
        say(f"Warning: {problem}", err=True)
    print_data(result.metrics, [*result.table(), f"Scores: {out / 'metrics.json'}"], as_json)
    return 1 if result.problems else 0
