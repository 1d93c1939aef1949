"""``segloop dataset add``, ``split`` and ``relocate``: change a dataset that is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from segloop.cli.arguments import (
    blank_option,
    chosen_segmentations,
    json_option,
    pair_option,
    print_data,
    print_pairing,
    seg_option,
)
from segloop.cli.output import say

if TYPE_CHECKING:
    from segloop.curation.adding import Added


@click.command()
@click.argument("path", metavar="DATASET", type=click.Path(path_type=Path))
@click.option("--raw", default="", metavar="DIR_OR_GLOB", help="Raw images.")
@click.option(
    "--dataset",
    "other",
    type=click.Path(path_type=Path),
    help="Instead of files, another dataset: its samples with all that was decided and corrected.",
)
@seg_option
@blank_option
@click.option("--accept", is_flag=True, help="Accept the new samples; by default they are undecided.")
@pair_option
@click.option("--dry-run", is_flag=True, help="Print which files would be paired and why, and add nothing.")
@json_option
def add(
    path: Path,
    raw: str,
    other: Path | None,
    segmentations: tuple[str, ...],
    blank: bool,
    accept: bool,
    rule: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Add samples to a curated dataset.

    Raw images and segmentations are paired as by "segloop dataset create"; segmentations may be a folder with
    predictions. Samples that are there stay as they are, and so does their split; new ones are split in the
    same proportions, and follow their group.

    \b
    Examples:
      segloop dataset add nuclei --raw more/raw --seg more/seg --accept
      segloop dataset add nuclei --raw new-images --seg nuclei-2d=predictions
      segloop dataset add nuclei --dataset other-nuclei
    """
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.cli.progress import progress_shown
    from segloop.curation.adding import add_planned, add_samples_of, plan_addition
    from segloop.curation.creating import Folders

    if bool(raw) == (other is not None):
        raise click.UsageError("Name the images with --raw, or another dataset with --dataset.")
    if other is not None:
        if segmentations or blank or accept or rule or dry_run:
            raise click.UsageError("With --dataset, only --json can be used: all comes from the dataset.")
        with progress_shown() as context:
            return _print_added(add_samples_of(path, other, context), as_json)
    dataset = CuratedDataset.open(path)
    planned = plan_addition(
        dataset, Folders(raw, chosen_segmentations(segmentations, blank), rule=rule or "")
    )
    if dry_run:
        return print_pairing(planned.before_import(), as_json)
    with progress_shown() as context:
        return _print_added(add_planned(dataset, planned, accept=accept, context=context), as_json)


def _print_added(done: Added, as_json: bool) -> int:
    from segloop.core.wording import counted

    dataset = done.dataset
    added, problems = list(done.sample_ids), list(done.problems)
    for sentence in problems:
        say(f"Warning: {sentence}", err=True)
    data = {
        "dataset": str(dataset.path),
        "n_samples": len(dataset.sample_ids),
        "added": added,
        "problems": problems,
    }
    lines = [
        f"Added {counted(len(added), 'sample')} to {dataset.path}, which has {len(dataset.sample_ids)} now."
    ]
    print_data(data, [*lines, *done.notes], as_json)
    return 1 if problems else 0


@click.command()
@click.argument("path", metavar="DATASET", type=click.Path(path_type=Path))
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@json_option
def relocate(path: Path, folder: Path, as_json: bool) -> int:
    """Find the images of a curated dataset again after they were moved.

    Files that are missing are looked for below FOLDER, where they kept their places among each other. In the
    Curation dock, one undo takes all back.

    \b
    Example:
      segloop dataset relocate nuclei /mnt/new/plate7
    """
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.core.wording import counted

    moved = CuratedDataset.open(path).relocate(folder)
    lines = [f"Still missing: {file}" for file in moved.missing]
    if moved.found:
        lines.append(
            f"{counted(len(moved.found), 'file')} found: what was in {moved.old} is in {moved.new} now."
        )
    elif moved.missing:
        lines.append(f"None of them is below {folder}.")
    else:
        lines.append("No file is missing.")
    data = {
        "old": None if moved.old is None else str(moved.old),
        "new": None if moved.new is None else str(moved.new),
        "found": {str(before): str(after) for before, after in moved.found.items()},
        "missing": [str(file) for file in moved.missing],
    }
    print_data(data, lines, as_json)
    return 1 if moved.missing else 0


@click.command()
@click.argument("path", metavar="DATASET", type=click.Path(path_type=Path))
@click.argument("sample_ids", metavar="SAMPLE...", nargs=-1)
@click.option("--to", "split", type=click.Choice(["train", "val", "test"]), help="Where to move them.")
@json_option
def split(
    path: Path, sample_ids: tuple[str, ...], split: Literal["train", "val", "test"] | None, as_json: bool
) -> int:
    """Show the split of a curated dataset, or move samples to another one.

    All samples of a group move together.

    \b
    Examples:
      segloop dataset split nuclei
      segloop dataset split nuclei 001 002 --to val
    """
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.core.wording import counted

    if bool(sample_ids) != (split is not None):
        raise click.UsageError("Name the samples to move, and where with --to; or neither, to see the split.")
    dataset = CuratedDataset.open(path)
    moved: list[str] = []
    for sample_id in sample_ids:
        if split is not None:
            moved += [sample.id for sample in dataset.set_split(sample_id, split)]
    splits: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for summary in dataset.summaries():
        splits[summary.split].append(summary.id)
    lines = [f"Moved {counted(len(moved), 'sample')} to {split}."] if split else []
    lines += [f"{name}: {counted(len(ids), 'sample')}" for name, ids in splits.items()]
    print_data({"moved": moved, **splits}, lines, as_json)
    return 0
