"""``segloop dataset import``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from segloop.cli.arguments import axes_option, json_option, print_data
from segloop.cli.output import say


@click.command("import")
@click.argument("path", metavar="DATASET", type=click.Path(path_type=Path))
@click.argument("source", metavar="TABLES", type=click.Path(path_type=Path))
@click.option("--channel", default="", metavar="NAME_OR_INDEX", help="Channel to use; all if absent.")
@click.option(
    "--label-kind",
    type=click.Choice(["instances", "semantic"]),
    help="Whether labels number objects or name classes; guessed from the labels if absent.",
)
@axes_option
@json_option
def import_(
    path: Path,
    source: Path,
    channel: str,
    label_kind: Literal["instances", "semantic"] | None,
    axes: str,
    as_json: bool,
) -> int:
    """Create a curated dataset of what was curated with the Allen Cell Segmenter ML plugin.

    TABLES is the folder of the plugin's experiment, or one of its tables (train.csv, val.csv, test.csv). The
    samples keep their split, their base and their merge and exclude regions, which can be edited. Image files
    are not copied.

    \b
    Example:
      segloop dataset import nuclei experiments/nuclei
    """
    from segloop.cli.progress import progress_shown
    from segloop.core.wording import counted
    from segloop.curation.allen_tables import import_tables

    with progress_shown() as context:
        made, problems = import_tables(
            path, source, channel=channel, label_kind=label_kind, axes=axes, context=context
        )
    for sentence in problems:
        say(f"Warning: {sentence}", err=True)
    samples = [made.sample(each) for each in made.sample_ids]
    splits = {name: len(made.split(name)) for name in ("train", "val", "test")}
    regions = sum(len(sample.regions) for sample in samples)
    data = {
        "dataset": str(made.path),
        "n_samples": len(samples),
        **splits,
        "n_regions": regions,
        "problems": list(problems),
    }
    lines = [
        f"Created {made.path} with {counted(len(samples), 'sample')} and {counted(regions, 'region')}: "
        f"{splits['train']} train, {splits['val']} val, {splits['test']} test."
    ]
    print_data(data, lines, as_json)
    return 1 if problems else 0
