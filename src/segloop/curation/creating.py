"""Creating curated datasets from folders, or from layers that may have no file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.labels import smallest_label_type
from segloop.core.atomic import remove
from segloop.core.context import Context
from segloop.core.errors import DatasetError

if TYPE_CHECKING:
    from segloop.curation.importing import PlannedImport
    from segloop.images.pairing import Pair, Pairing

PixelSize = tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class SplitShares:
    """How samples are split.

    Attributes
    ----------
    val, test : float
        Fractions for validation and test, 0 to 0.9.
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
    raw : str
        Folder or glob.
    segmentations : mapping of str to str
        Folders or globs by the name of the segmentation: label images, or what an importer recognises.
        Samples need one of the first; if that is empty, they get blank labels, to be drawn.
    channel : str
        Name or number of the raw channel to use; empty for all.
    axes : str
        What the axes of the raw images mean where the files do not name them, such as ``YXC``; empty guesses.
    rule : str
        A rule for pairing that replaces the usual ones, such as ``*_raw=*_mask``.
    """

    raw: str
    segmentations: Mapping[str, str]
    channel: str = ""
    axes: str = ""
    rule: str = ""

    @property
    def blank(self) -> bool:
        """Whether all labels are to be drawn."""
        return not next(iter(self.segmentations.values()))


@dataclass(frozen=True)
class Plane:
    """A layer's pixels: YX or ZYX, or with RGB samples last."""

    name: str
    data: Any
    rgb: bool = False


@dataclass(frozen=True)
class Layers:
    """One sample from pixels in memory, which are written to files first.

    Attributes
    ----------
    raw : tuple of Plane
        One per channel, all of one shape; or a single RGB one.
    segmentations : mapping of str to Plane
        Labels of the same shape, by the name of the segmentation; at least one.
    pixel_size_um : (z, y, x)
        None where unknown.
    images_dir : Path
        Folder that receives the files; must be new.
    """

    raw: tuple[Plane, ...]
    segmentations: Mapping[str, Plane]
    pixel_size_um: PixelSize
    images_dir: Path


def create_from_folders(
    path: Path, source: Folders, split: SplitShares, context: Context | None = None
) -> tuple[CuratedDataset, tuple[str, ...]]:
    """Create a dataset from the files that can be paired.

    Returns
    -------
    dataset : CuratedDataset
    problems : tuple of str
        A sentence for each import, for each file that was left out, and for what is noteworthy about the
        others.

    Raises
    ------
    SegloopError
        If nothing can be paired, a channel doesn't exist, or the folder is taken or not writable.
    """
    pairing = pair_folders(source)
    made, problems = create_from_pairs(path, pairing.pairs, source, split, context)
    return made, (*pairing.problems, *problems)


def pair_folders(source: Folders) -> Pairing:
    """Pair the files in folders by their names, see `segloop.images.pairing.pair_by_stem`.

    What an importer recognises is paired too; `create_from_pairs` makes label images of it.

    Raises
    ------
    SegloopError
        If a folder is not chosen or missing, nothing can be paired, or the rule is wrong.
    """
    return plan_folders(source).before_import()


def plan_folders(
    source: Folders, dataset: Path = Path("dataset"), imported: Path | None = None
) -> PlannedImport:
    """Pair the files in folders, and plan what is to be imported for a dataset.

    Parameters
    ----------
    source : Folders
        The folders.
    dataset : Path
        Folder of the dataset.
    imported : Path, optional
        New folder for imported label images; by default ``<dataset>-imported`` beside the dataset.

    Raises
    ------
    SegloopError
        If a folder is not chosen or missing, nothing can be paired, or the rule is wrong.
    """
    from segloop.curation.importing import plan_import

    if not source.raw:
        raise DatasetError("No folder with the raw images is chosen: choose one.")
    return plan_import(source.raw, source.segmentations, dataset, source.rule or None, source.axes, imported)


def create_from_pairs(
    path: Path, pairs: Sequence[Pair], source: Folders, split: SplitShares, context: Context | None = None
) -> tuple[CuratedDataset, tuple[str, ...]]:
    """Create a dataset from pairs of the files in folders; see `create_from_folders`.

    Returns
    -------
    dataset : CuratedDataset
    problems : tuple of str
        A sentence for each import, for each pair that could not be used, and for what is noteworthy about the
        others.
    """
    from segloop.curation.importing import PlannedImport, needs_import

    context = context or Context()
    foreign = needs_import(source.segmentations.values())
    planned = plan_folders(source, path).only(pairs) if foreign else PlannedImport.of_label_images(pairs)
    with planned.written(context) as pairing:
        made = CuratedDataset.create(
            path,
            pairing.pairs,
            channel=source.channel,
            val=split.val,
            test=split.test,
            group_by=split.group_by or None,
            label_kind="instances" if source.blank else None,
            axes=source.axes,
            context=context,
        )
    said = (*planned.notes, *pairing.problems, *made.creation_problems, *made.creation_warnings)
    return made, said


def create_from_layers(
    path: Path, source: Layers, split: SplitShares, context: Context | None = None
) -> tuple[CuratedDataset, tuple[str, ...]]:
    """Write the layers to files, then create a dataset from them; see `create_from_folders`.

    Raises
    ------
    SegloopError
        If a layer has too many dimensions, the shapes differ, or a file can't be written.
    """
    with written_layers(source, path.name) as files:
        return create_from_folders(path, files, split, context)


@contextmanager
def written_layers(source: Layers, stem: str) -> Iterator[Folders]:
    """Write the layers of a sample to files, which are removed again if the block fails.

    Parameters
    ----------
    source : Layers
        The layers.
    stem : str
        Name of the files without their ending.

    Raises
    ------
    SegloopError
        If a layer has too many dimensions, the shapes differ, or a file can't be written.
    """
    from segloop.images.write import write_image

    raw, axes, names = _stack(source.raw)
    file = f"{stem}.ome.tif"
    raw_folder = source.images_dir / "raw"
    folders = {name: source.images_dir / "segmentations" / name for name in source.segmentations}
    spatial = axes.replace("C", "")
    for plane in source.segmentations.values():
        size = tuple(length for length, axis in zip(raw.shape, axes, strict=True) if axis != "C")
        if tuple(plane.data.shape) != size:
            raise DatasetError(
                f"Layer {plane.name} has the shape {tuple(plane.data.shape)}, but the raw image has {size}: "
                "choose labels that belong to this image."
            )
    try:
        write_image(
            raw_folder / file, raw, axes=axes, channel_names=names, pixel_size_um=source.pixel_size_um
        )
        for name, plane in source.segmentations.items():
            pixels = smallest_label_type(plane.data, f"Layer {plane.name}")
            write_image(folders[name] / file, pixels, axes=spatial, pixel_size_um=source.pixel_size_um)
        yield Folders(str(raw_folder), {name: str(folder) for name, folder in folders.items()})
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
            f"Layer {first.name} has {np.ndim(first.data)} dimensions: choose a layer that is a "
            "plane or a stack (split time points and channels into layers first)."
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
