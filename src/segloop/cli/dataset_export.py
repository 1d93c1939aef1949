"""``segloop dataset export``: a curated dataset for another tool."""

from __future__ import annotations

from pathlib import Path

import click

from segloop.cli.arguments import json_option, print_data
from segloop.cli.output import say
from segloop.curation.export import FORMATS


@click.command()
@click.argument("path", metavar="DATASET", type=click.Path(path_type=Path))
@click.option("--to", type=click.Choice(list(FORMATS)), required=True, help="The format.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="New folder to write.")
@click.option(
    "--into-images",
    is_flag=True,
    help="With --to ome-zarr, instead of --out: write the labels into the OME-Zarr images themselves.",
)
@click.option("--name", default="truth", show_default=True, help="With --into-images: name of the labels.")
@click.option("--replace", is_flag=True, help="With --into-images: replace labels of that name.")
@click.option(
    "--split",
    "splits",
    type=click.Choice(["train", "val", "test"]),
    multiple=True,
    help="Only this split; several times for several.",
)
@json_option
def export(
    path: Path,
    to: str,
    out: Path | None,
    into_images: bool,
    name: str,
    replace: bool,
    splits: tuple[str, ...],
    as_json: bool,
) -> int:
    """Write the accepted samples of DATASET in the format of another tool.

    The labels are the ground truth: with corrections, merged and excluded regions applied.

    \b
    pairs      raw and labels folders, a mask of the valid pixels, and dataset.csv
    cellpose   train and test folders with <name>_masks.tif
    stardist   images and masks folders for each split
    nnunet     imagesTr, labelsTr and dataset.json (objects become one class)
    coco       images and annotations for each split (2D)
    ome-zarr   OME-Zarr images with the labels inside

    \b
    Example:
      segloop dataset export nuclei --to cellpose --out nuclei-cellpose
      segloop dataset export nuclei --to ome-zarr --into-images --name nuclei
    """
    from segloop.cli.progress import progress_shown
    from segloop.core.wording import counted
    from segloop.curation.exporting import export_dataset

    splits = splits or ("train", "val", "test")
    if into_images:
        if to != "ome-zarr" or out is not None:
            raise click.UsageError("--into-images goes with --to ome-zarr, and without --out.")
        return _write_into_images(path, name, replace, splits, as_json)
    if out is None:
        raise click.UsageError("Name the new folder with --out.")
    with progress_shown() as context:
        exported = export_dataset(path, to, out, splits, context)
    for sentence in (*exported.problems, *exported.notes):
        say(f"Warning: {sentence}", err=True)
    data = {
        "folder": str(exported.folder),
        "samples": list(exported.sample_ids),
        "problems": list(exported.problems),
        "notes": list(exported.notes),
    }
    done = f"Wrote {counted(len(exported.sample_ids), 'sample')} to {exported.folder}."
    print_data(data, [done], as_json)
    return 1 if exported.problems else 0


def _write_into_images(path: Path, name: str, replace: bool, splits: tuple[str, ...], as_json: bool) -> int:
    from segloop.cli.progress import progress_shown
    from segloop.core.wording import counted
    from segloop.curation.labels_into_images import write_into_images

    with progress_shown() as context:
        written = write_into_images(path, name, splits, replace=replace, context=context)
    for sentence in written.problems:
        say(f"Warning: {sentence}", err=True)
    data = {"images": [str(image) for image in written.images], "problems": list(written.problems)}
    done = f"Wrote the labels {name} into {counted(len(written.images), 'image')}."
    print_data(data, [done], as_json)
    return 1 if written.problems else 0
