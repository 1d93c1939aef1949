"""Cutting crops out of large images, to label a part of each instead of all of it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segloop.core.context import Context
from segloop.core.errors import ImageError, SegloopError
from segloop.images.image import Image
from segloop.images.labels import open_labels
from segloop.images.pairing import pair_by_stem, stems_of
from segloop.images.read import open_image
from segloop.images.write import write_image

RAW = "raw"
"""Name of the folder with the crops of the raw images; those of segmentations are named after them."""

GROUP_PATTERN = r"(.+)_z\d+_y\d+_x\d+$"
"""What a dataset groups its samples by, so that all crops of an image are in one split."""

Place = tuple[int, int, int]


@dataclass(frozen=True)
class CropSize:
    """How large crops are, and how many.

    Attributes
    ----------
    yx : int
        Height and width in pixels; where an image is smaller, all of it.
    z : int
        Slices; 0 for all.
    count : int
        Crops per image, at random places that do not overlap; 0 covers the whole image by a grid, whose last
        row and column overlap with those before them.
    """

    yx: int = 512
    z: int = 0
    count: int = 4


@dataclass
class Crops:
    """What was written.

    Attributes
    ----------
    folder : Path
        Holds a folder of raw images, and one for each segmentation.
    files : list of Path
        The crops of the raw images.
    problems : list of str
        A sentence for each image that was left out.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def crop_images(
    raw: str,
    out: Path,
    segmentations: Mapping[str, str] | None = None,
    *,
    size: CropSize = CropSize(),
    rule: str = "",
    axes: str = "",
    seed: int = 0,
    context: Context | None = None,
) -> Crops:
    """Write crops of images, and of their segmentations, as OME-TIFFs with pixel size and channel names.

    Their names end in their place: ``a01_z0_y512_x1024.ome.tif``. The same images and seed give the same
    crops. No image is read whole; of several time points, the first is taken.

    Parameters
    ----------
    raw : str
        A folder, a pattern or an image.
    out : Path
        A new or empty folder.
    segmentations : mapping of str to str, optional
        Folders or patterns of label images by name; paired with the raw images as for a dataset.
    size : CropSize, optional
        How large, and how many.
    rule, axes : str, optional
        As for a dataset: how to pair, and what the axes of the raw images are.
    seed : int, optional
        For random places.
    context : Context, optional
        Progress and cancel.

    Raises
    ------
    ImageError
        If there are no images, no image can be cropped, ``out`` is not empty, or a crop can't be written.
    Cancelled
        If asked to stop in between; the crops that are complete stay.
    """
    context = context or Context()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ImageError(f"{out} exists and is not an empty folder: choose another one.")
    if any(name.casefold() == RAW for name in segmentations or {}):
        raise ImageError(f"A segmentation can't be named {RAW}, as the folder of the images is: rename it.")
    crops = Crops(out)
    sources = _sources(raw, dict(segmentations or {}), rule, crops.problems)
    for stem, image_path, labels in context.track(sources, len(sources), "Cropping"):
        try:
            _crop(stem, image_path, labels, axes, size, seed, crops, context)
        except SegloopError as error:
            crops.problems.append(str(error))
    if not crops.files:
        raise ImageError(f"No image could be cropped; the first problem: {crops.problems[0]}")
    return crops


def places_of(shape: Sequence[int], size: Sequence[int], count: int, rng: np.random.Generator) -> list[Place]:
    """Return where crops begin, along Z, Y, X.

    Parameters
    ----------
    shape, size : (Z, Y, X)
        Of the image and of a crop, which is not larger.
    count : int
        See `CropSize`.
    rng : numpy.random.Generator
        For random places.
    """
    along: list[list[int]] = []
    for whole, part in zip(shape, size, strict=True):
        if count:
            first = int(rng.integers(whole % part + 1))
            along.append([first + part * number for number in range(whole // part)])
        else:
            starts = np.linspace(0, whole - part, -(-whole // part))
            along.append([round(float(start)) for start in starts])
    cells = [(z, y, x) for z in along[0] for y in along[1] for x in along[2]]
    chosen = sorted(rng.permutation(len(cells))[:count]) if count else range(len(cells))
    return [cells[number] for number in chosen]


def _sources(
    raw: str, segmentations: dict[str, str], rule: str, problems: list[str]
) -> list[tuple[str, Path, dict[str, Path]]]:
    """Return stem, raw image and segmentations of each image."""
    if not segmentations:
        return [(stem, path, {}) for path, stem in stems_of(raw).items()]
    name, *names = segmentations
    others = {each: segmentations[each] for each in names}
    pairing = pair_by_stem(
        raw, segmentations[name], others, name=name, rule=rule or None, report_unused=False
    )
    problems.extend(pairing.problems)
    return [(pair.stem, pair.raw, pair.segmentations) for pair in pairing.pairs]


def _crop(
    stem: str,
    path: Path,
    labels: Mapping[str, Path],
    axes: str,
    size: CropSize,
    seed: int,
    crops: Crops,
    context: Context,
) -> None:
    image = open_image(path, axes=axes or None)
    opened = {name: open_labels(file) for name, file in labels.items()}
    shape = image.shape[2:]
    for name, stack in opened.items():
        if stack.shape != shape:
            raise ImageError(
                f"{labels[name]} has {stack.shape} pixels along Z, Y, X, and {path} {shape}: replace one of "
                "them, or leave it out."
            )
    part = (min(size.z or shape[0], shape[0]), min(size.yx, shape[1]), min(size.yx, shape[2]))
    rng = np.random.default_rng([seed, zlib.crc32(stem.encode())])
    for place in places_of(shape, part, size.count, rng):
        context.check()
        z, y, x = (slice(start, start + length) for start, length in zip(place, part, strict=True))
        name = f"{stem}_z{z.start}_y{y.start}_x{x.start}.ome.tif"
        pixels = image.block(0, range(image.n_channels), z, y, x)
        for folder, stack in opened.items():
            write_image(
                crops.folder / folder / name, stack[z, y, x], axes="ZYX", pixel_size_um=image.pixel_size_um
            )
        crops.files.append(_write_raw(crops.folder / RAW / name, pixels, image))


def _write_raw(path: Path, pixels: np.ndarray, image: Image) -> Path:
    return write_image(
        path, pixels, axes="CZYX", channel_names=image.channel_names, pixel_size_um=image.pixel_size_um
    )
