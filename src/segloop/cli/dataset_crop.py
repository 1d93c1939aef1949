"""``segloop dataset crop``."""

from __future__ import annotations

from pathlib import Path

import click

from segloop.cli.arguments import (
    axes_option,
    json_option,
    named_segmentations,
    pair_option,
    print_data,
)
from segloop.cli.output import say


@click.command()
@click.argument("out", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--raw", required=True, metavar="DIR_OR_GLOB", help="Raw images.")
@click.option(
    "--seg",
    "segmentations",
    multiple=True,
    metavar="[NAME=]DIR_OR_GLOB",
    help="Label images, paired by file stem; several times for several of the same images.",
)
@click.option(
    "--size", type=click.IntRange(min=16), default=512, show_default=True, help="Height and width in pixels."
)
@click.option("--slices", type=click.IntRange(min=1), help="Slices of a crop of a stack; all if absent.")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Crops of an image, at random.",
)
@click.option("--grid", is_flag=True, help="Cover each image by crops, instead of random ones.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random places.")
@axes_option
@pair_option
@json_option
def crop(
    out: Path,
    raw: str,
    segmentations: tuple[str, ...],
    size: int,
    slices: int | None,
    count: int,
    grid: bool,
    seed: int,
    axes: str,
    rule: str | None,
    as_json: bool,
) -> int:
    """Cut crops out of images, and write them into FOLDER, to label a part of each image instead of all.

    Crops of an image do not overlap, unless they cover it (--grid). Their names end in their place. With
    --seg, crops of the segmentations are written too.

    \b
    Examples:
      segloop dataset crop crops --raw slides --size 512 --count 4
      segloop dataset create nuclei --raw crops/raw --blank --group-by "(.+)_z\\d+_y\\d+_x\\d+$"
      segloop dataset crop parts --raw stacks --seg masks --size 256 --slices 32 --grid
    """
    from segloop.cli.progress import progress_shown
    from segloop.core.wording import counted
    from segloop.curation.cropping import GROUP_PATTERN, RAW, CropSize, crop_images

    with progress_shown() as context:
        crops = crop_images(
            raw,
            out,
            named_segmentations(segmentations),
            size=CropSize(size, slices or 0, 0 if grid else count),
            rule=rule or "",
            axes=axes,
            seed=seed,
            context=context,
        )
    for sentence in crops.problems:
        say(f"Warning: {sentence}", err=True)
    data = {
        "folder": str(crops.folder),
        "crops": [str(file) for file in crops.files],
        "group_by": GROUP_PATTERN,
        "problems": crops.problems,
    }
    lines = [
        f"Wrote {counted(len(crops.files), 'crop')} into {crops.folder / RAW}.",
        f'Keep the crops of an image in one split: create the dataset with --group-by "{GROUP_PATTERN}".',
    ]
    print_data(data, lines, as_json)
    return 1 if crops.problems else 0
