"""Writing the ground truth of a dataset into its own OME-Zarr images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Sample
from segloop.core.context import Context
from segloop.core.errors import DatasetError, SegloopError
from segloop.curation.exporting import accepted_samples
from segloop.images.ome_zarr import image_folders, is_zarr
from segloop.images.ome_zarr_labels import add_labels


@dataclass(frozen=True)
class Embedded:
    """What was written.

    Attributes
    ----------
    images : tuple of Path
        The images that have labels now.
    problems : tuple of str
        A sentence for each sample that was left out.
    """

    images: tuple[Path, ...]
    problems: tuple[str, ...]


def write_into_images(
    path: str | os.PathLike[str],
    name: str = "truth",
    splits: Sequence[str] = ("train", "val", "test"),
    *,
    replace: bool = False,
    context: Context | None = None,
) -> Embedded:
    """Write the ground truth of accepted samples into their images, which must be OME-Zarr.

    The pixels of the images stay as they are. Where pixels are excluded, a mask of those that count is
    written too, named after the labels with ``-valid``.

    Parameters
    ----------
    path : path-like
        The dataset.
    name : str, optional
        Of the labels.
    splits : sequence of str, optional
        Of which splits; all by default.
    replace : bool, optional
        Whether labels of this name are replaced; otherwise such an image is left out.
    context : Context, optional
        Progress and cancel.

    Raises
    ------
    DatasetError
        If there is no such dataset or accepted sample, the name can't be that of a folder, or no image can be
        written to.
    Cancelled
        If the context says so; images that are complete keep their labels.
    """
    from segloop.artifacts.dataset.segmentation import require_safe_name

    context = context or Context()
    try:
        require_safe_name(name, "the name of labels")
    except ValueError as error:
        raise DatasetError(f"{error}.") from error
    dataset = CuratedDataset.open(path)
    chosen = accepted_samples(dataset, splits)
    images: list[Path] = []
    problems: list[str] = []
    for sample_id in context.track(chosen, len(chosen), "Writing labels"):
        try:
            images.append(_write(dataset, dataset.sample(sample_id), name, replace))
        except SegloopError as error:
            problems.append(str(error))
    if not images:
        raise DatasetError(problems[0])
    return Embedded(tuple(images), tuple(problems))


def _write(dataset: CuratedDataset, sample: Sample, name: str, replace: bool) -> Path:
    folder = dataset.resolve(sample.raw)
    image = dataset.raw(sample)
    if not is_zarr(folder):
        raise DatasetError(
            f"{folder} is no OME-Zarr image, so labels can't be written into it: export copies of the images "
            "with --to ome-zarr and --out."
        )
    if sample.raw.scene or image_folders(folder) or len(image.scenes) > 1:
        raise DatasetError(f"{folder} holds several images: make a dataset of single images in it.")
    if image.n_timepoints > 1:
        raise DatasetError(
            f"{folder} has {image.n_timepoints} time points, and labels of the first one only: save this one "
            "as an image of its own."
        )
    truth = dataset.ground_truth(sample)
    labels: dict[str, Any] = {name: (truth.labels * truth.valid).astype(np.uint32)}
    if not truth.valid.all():
        labels[f"{name}-valid"] = truth.valid.astype(np.uint8)
    add_labels(folder, labels, image.pixel_size_um, replace=replace)
    return folder
