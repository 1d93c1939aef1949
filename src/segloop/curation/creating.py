"""New curated datasets out of folders, or out of layers that may have no file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.core.atomic import remove
from segloop.core.context import Context
from segloop.core.errors import DatasetError

PixelSize = tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class Split:
    """How samples are shared out.

    Attributes
    ----------
    val, test : float
        Shares for validation and held aside, 0 to 0.9.
    group_by : str
        Regular expression on the file stem; samples with the same first group stay together. Empty: none.
    """

    val: float = 0.2
    test: float = 0.0
    group_by: str = ""


@dataclass(frozen=True)
class Folders:
    """Raw images and segmentations in folders (or named by globs), paired by file stem.

    Attributes
    ----------
    raw, seg, seg2 : str
        Folders or globs; ``seg2`` may be empty.
    channel : str
        Name or number of the raw channel to use; empty for all.
    """

    raw: str
    seg: str
    seg2: str = ""
    channel: str = ""


@dataclass(frozen=True)
class Plane:
    """A layer's pixels: YX or ZYX, or with RGB samples last."""

    name: str
    data: Any
    rgb: bool = False


@dataclass(frozen=True)
class Layers:
    """One sample made of pixels in memory, which are written to files first.

    Attributes
    ----------
    raw : tuple of Plane
        One per channel, all of one shape; or a single RGB one.
    seg, seg2 : Plane or None
        Labels of the same shape.
    pixel_size_um : (z, y, x)
        None where unknown.
    images_dir : Path
        Folder that receives the files; must be new.
    """

    raw: tuple[Plane, ...]
    seg: Plane
    seg2: Plane | None
    pixel_size_um: PixelSize
    images_dir: Path


def create_from_folders(
    path: Path, source: Folders, split: Split, context: Context | None = None
) -> tuple[CuratedDataset, tuple[str, ...]]:
    """Make a dataset of the files that can be paired.

    Returns
    -------
    dataset : CuratedDataset
    problems : tuple of str
        One sentence for each file that was left out, and what to know about the others.

    Raises
    ------
    SegloopError
        If nothing can be paired, a channel doesn't exist, or the folder is taken or not writable.
    """
    from segloop.images.pairing import pair_by_stem

    for what, folder in (("raw images", source.raw), ("segmentations", source.seg)):
        if not folder:
            raise DatasetError(f"No folder with the {what} is named: choose one.")
    pairing = pair_by_stem(source.raw, source.seg, source.seg2 or None)
    made = CuratedDataset.create(
        path,
        pairing.pairs,
        channel=source.channel,
        val=split.val,
        test=split.test,
        group_by=split.group_by or None,
        context=context or Context(),
    )
    return made, (*pairing.problems, *made.creation_problems, *made.creation_warnings)


def create_from_layers(
    path: Path, source: Layers, split: Split, context: Context | None = None
) -> tuple[CuratedDataset, tuple[str, ...]]:
    """Write the layers to files, then make a dataset of them; see `create_from_folders`.

    Raises
    ------
    SegloopError
        If a layer has too many dimensions, the shapes differ, or a file can't be written.
    """
    from segloop.images.write import write_image

    raw, axes, names = _stack(source.raw)
    stem = f"{path.name}.ome.tif"
    folders = {"raw": source.images_dir / "raw", "seg": source.images_dir / "seg"}
    labels = {"seg": source.seg}
    if source.seg2 is not None:
        folders["seg2"] = source.images_dir / "seg2"
        labels["seg2"] = source.seg2
    spatial = axes.replace("C", "")
    for plane in labels.values():
        size = tuple(length for length, axis in zip(raw.shape, axes, strict=True) if axis != "C")
        if tuple(plane.data.shape) != size:
            raise DatasetError(
                f"Layer {plane.name} has the shape {tuple(plane.data.shape)} and the raw image {size}: "
                "choose labels of the same image."
            )
    try:
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        write_image(
            folders["raw"] / stem, raw, axes=axes, channel_names=names, pixel_size_um=source.pixel_size_um
        )
        for name, plane in labels.items():
            pixels = _small_integers(plane)
            write_image(folders[name] / stem, pixels, axes=spatial, pixel_size_um=source.pixel_size_um)
        files = Folders(str(folders["raw"]), str(folders["seg"]), str(folders.get("seg2", "")))
        return create_from_folders(path, files, split, context)
    except BaseException:
        remove(source.images_dir)
        raise


def _stack(planes: tuple[Plane, ...]) -> tuple[NDArray[Any], str, tuple[str, ...] | None]:
    if not planes:
        raise DatasetError("No raw layer is chosen: tick at least one image layer.")
    first = planes[0]
    spatial = {2: "YX", 3: "ZYX"}.get(np.ndim(first.data) - int(first.rgb))
    if spatial is None:
        raise DatasetError(
            f"Layer {first.name} has {np.ndim(first.data)} dimensions: choose one of a plane or a stack "
            "(split time points and channels into layers first)."
        )
    if len(planes) == 1 and not first.rgb:
        return np.asarray(first.data), spatial, None
    if first.rgb and len(planes) == 1:
        colours = ("red", "green", "blue")
        return np.moveaxis(np.asarray(first.data)[..., :3], -1, 0), f"C{spatial}", colours
    for plane in planes[1:]:
        if plane.rgb or first.rgb or tuple(plane.data.shape) != tuple(first.data.shape):
            raise DatasetError(
                f"Layers {first.name} and {plane.name} can't be channels of one image: "
                "choose layers of the same shape, none of them RGB."
            )
    names = tuple(plane.name for plane in planes)
    return np.stack([np.asarray(plane.data) for plane in planes]), f"C{spatial}", names


def _small_integers(plane: Plane) -> NDArray[Any]:
    """Return labels as 16 or 32 bit unsigned integers, whichever holds all of them."""
    labels = np.asarray(plane.data)
    if labels.dtype.itemsize <= 2 and labels.dtype.kind == "u":
        return labels
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=0))
    if lowest < 0:
        raise DatasetError(
            f"Layer {plane.name} holds values below 0 (down to {lowest}): label the background 0 and objects "
            "from 1."
        )
    if highest >= 2**32:
        raise DatasetError(
            f"Layer {plane.name} holds values up to {highest}, files take labels below {2**32}: number its "
            "objects anew from 1."
        )
    return labels.astype(np.uint16 if highest < 2**16 else np.uint32)
