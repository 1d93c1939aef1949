"""``segloop dataset``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from segloop.cli.arguments import (
    axes_option,
    blank_option,
    chosen_segmentations,
    json_option,
    pair_option,
    print_data,
    print_pairing,
    seg_option,
)
from segloop.cli.dataset_changes import add, relocate, split
from segloop.cli.dataset_corrections import corrections
from segloop.cli.dataset_crop import crop
from segloop.cli.dataset_export import export
from segloop.cli.dataset_import import import_
from segloop.cli.dataset_stats import stats
from segloop.cli.output import say


@click.group()
def dataset() -> None:
    """Create, change and check curated datasets."""


@dataset.command()
@click.argument("path", metavar="DATASET", type=click.Path(path_type=Path))
@click.option("--raw", required=True, metavar="DIR_OR_GLOB", help="Raw images.")
@seg_option
@blank_option
@click.option("--seg2", "second", metavar="DIR_OR_GLOB", help="Same as a second --seg.")
@click.option("--channel", default="", metavar="NAME_OR_INDEX", help="Channel to use; all if absent.")
@click.option(
    "--val", type=click.FloatRange(0, 0.9), default=0.2, show_default=True, help="Fraction for validation."
)
@click.option(
    "--test",
    type=click.FloatRange(0, 0.9),
    default=0.0,
    show_default=True,
    help="Fraction for the final test.",
)
@click.option(
    "--group-by",
    metavar="REGEX",
    help="Regular expression on the file stem: images with the same first group stay in one split.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the split.")
@click.option(
    "--label-kind",
    type=click.Choice(["instances", "semantic"]),
    help="Whether labels number objects or name classes; guessed from the labels if absent.",
)
@click.option(
    "--undecided", is_flag=True, help="Leave all samples undecided; by default every pair is accepted."
)
@axes_option
@pair_option
@click.option("--dry-run", is_flag=True, help="Print which files would be paired and why, and make nothing.")
@json_option
def create(
    path: Path,
    raw: str,
    segmentations: tuple[str, ...],
    blank: bool,
    second: str | None,
    channel: str,
    val: float,
    test: float,
    group_by: str | None,
    seed: int,
    label_kind: Literal["instances", "semantic"] | None,
    undecided: bool,
    axes: str,
    rule: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Create a curated dataset from raw images and their segmentations.

    Raw images and segmentations are paired by name, never by order: names may differ by usual additions such
    as _raw, _mask or _cp_masks. The original files are never changed. Files that can't be paired or used are
    named, and the others are added. Each image needs a segmentation from the first --seg; those of further
    ones are optional. Unnamed segmentations are called seg, seg2, and so on.

    \b
    Examples:
      segloop dataset create nuclei --raw images/raw --seg images/seg --val 0.2 --group-by '(.*)_field'
      segloop dataset create nuclei --raw images/raw --seg cellpose=masks/a --seg stardist=masks/b
      segloop dataset create cells --raw images/raw --seg manual=images/roi-sets
      segloop dataset create cells --raw images --blank
    """
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.cli.progress import progress_shown
    from segloop.core.wording import counted
    from segloop.curation.importing import plan_import
    from segloop.images.pairing import SAME_NAME

    named = chosen_segmentations([*segmentations, *([second] if second else [])], blank)
    planned = plan_import(raw, named, path, rule, axes)
    if dry_run:
        return print_pairing(planned.before_import(), as_json)
    with progress_shown() as context, planned.written(context) as pairing:
        made = CuratedDataset.create(
            path,
            pairing.pairs,
            channel=channel,
            val=val,
            test=test,
            group_by=group_by,
            seed=seed,
            accept_all=not (undecided or blank),
            label_kind="instances" if blank and label_kind is None else label_kind,
            axes=axes,
            context=context,
        )
    problems = [*pairing.problems, *made.creation_problems]
    warnings = list(made.creation_warnings)
    for sentence in [*problems, *warnings]:
        say(f"Warning: {sentence}", err=True)
    splits = {name: len(made.split(name)) for name in ("train", "val", "test")}
    data = {
        "dataset": str(made.path),
        "n_samples": len(made.sample_ids),
        **splits,
        "problems": problems,
        "warnings": warnings,
    }
    lines = [
        f"Created {made.path} with {len(made.sample_ids)} samples"
        + (
            ", all undecided."
            if undecided or blank
            else f": {splits['train']} train, {splits['val']} val, {splits['test']} test."
        ),
        *planned.notes,
        *(f"{counted(n, 'pair')} by {found}." for found, n in pairing.rules().items() if found != SAME_NAME),
    ]
    print_data(data, lines, as_json)
    return 1 if problems else 0


@dataset.command()
@click.argument("path", metavar="DATASET", type=click.Path(path_type=Path))
@json_option
def check(path: Path, as_json: bool) -> int:
    """List the problems of DATASET, sample by sample, and its statistics.

    \b
    Example:
      segloop dataset check nuclei
    """
    from segloop.app.checking import check_dataset
    from segloop.cli.progress import progress_shown

    with progress_shown() as context:
        data, lines = check_dataset(path, context)
    print_data(data, lines, as_json)
    return 1 if data["problems"] else 0


for _verb in (add, crop, import_, split, relocate, corrections, export, stats):
    dataset.add_command(_verb)
