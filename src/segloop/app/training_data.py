"""What Python code can train on: a curated dataset, two folders, or arrays."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.run.run import DATASET_FOLDER, IMAGES_FOLDER, Run
from segloop.core.atomic import remove
from segloop.core.errors import DatasetError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from segloop.artifacts.dataset.manifest import LabelKind

logger = logging.getLogger(__name__)

TrainingData = CuratedDataset | str | os.PathLike[str] | Sequence[Any]


@contextmanager
def dataset_for(
    data: TrainingData,
    labels: str | os.PathLike[str] | Sequence[ArrayLike] | None,
    out: Path,
    *,
    axes: str | None,
    val: float,
    seed: int,
    label_kind: LabelKind | None,
) -> Iterator[Path]:
    """Yield the folder of a dataset; one made for this training is in the run's folder.

    If the run can't be started, nothing of it is left.

    Raises
    ------
    DatasetError, PairingError, ImageError
        If the data can't be used.
    RunError
        If the run's folder is in use.
    """
    if labels is None:
        yield _existing(data)
        return
    Run.require_free(out)
    folder, images = out / DATASET_FOLDER, out / IMAGES_FOLDER
    try:
        if isinstance(labels, str | os.PathLike):
            dataset = _from_folders(data, labels, folder, val, seed, label_kind)
        else:
            from segloop.curation.from_arrays import create_from_arrays

            if isinstance(data, CuratedDataset | str | os.PathLike):
                raise DatasetError("Labels as arrays need images as arrays: pass a list of images.")
            dataset = create_from_arrays(
                folder, data, labels, images_dir=images, axes=axes, val=val, seed=seed, label_kind=label_kind
            )
        for problem in (*dataset.creation_problems, *dataset.creation_warnings):
            logger.warning("%s", problem)
        yield dataset.path
    finally:
        if not Run.is_run(out):
            remove(folder)
            remove(images)


def _existing(data: TrainingData) -> Path:
    if isinstance(data, CuratedDataset):
        return data.path
    if isinstance(data, str | os.PathLike):
        return Path(data)
    raise DatasetError("Images need their labels: pass labels= with one label image for each image.")


def _from_folders(
    data: TrainingData,
    labels: str | os.PathLike[str],
    folder: Path,
    val: float,
    seed: int,
    label_kind: LabelKind | None,
) -> CuratedDataset:
    from segloop.images.pairing import Source, pair_by_stem

    if isinstance(data, CuratedDataset):
        raise DatasetError("A dataset already has its labels: leave out labels=.")
    pairing = pair_by_stem(cast(Source, data), labels)
    for problem in pairing.problems:
        logger.warning("%s", problem)
    return CuratedDataset.create(
        folder, pairing.pairs, val=val, seed=seed, accept_all=True, label_kind=label_kind
    )
