"""Writing a curated dataset for another tool, completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Sample, Verdict
from segloop.artifacts.dataset.references import absolute
from segloop.core.atomic import atomic_path
from segloop.core.context import Context
from segloop.core.errors import DatasetError, SegloopError
from segloop.core.file_errors import writing
from segloop.curation.export import FORMATS, layout_of
from segloop.curation.export.layout import ExportedSample


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    folder : Path
        Where.
    sample_ids : tuple of str
        Of the samples that were written.
    problems : tuple of str
        A sentence for each sample that could not be written.
    notes : tuple of str
        What the format lacks.
    """

    folder: Path
    sample_ids: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def export_dataset(
    path: str | os.PathLike[str],
    to: str,
    out: str | os.PathLike[str],
    splits: Sequence[str] = ("train", "val", "test"),
    context: Context | None = None,
) -> Exported:
    """Write the accepted samples of a dataset in the format of another tool.

    Parameters
    ----------
    path : path-like
        The dataset.
    to : str
        Name of the format, see `segloop.curation.export.FORMATS`.
    out : path-like
        New folder.
    splits : sequence of str, optional
        Which splits to write; all by default.
    context : Context, optional
        Progress and cancel.

    Raises
    ------
    DatasetError
        If there is no such dataset or format, the folder is taken or can't be written, or no sample can be
        written.
    Cancelled
        If the context says so; nothing is left behind.
    """
    context = context or Context()
    if to not in FORMATS:
        raise DatasetError(f"There is no format {to}: choose one of {', '.join(FORMATS)}.")
    dataset = CuratedDataset.open(path)
    folder = absolute(out)
    if folder.exists():
        raise DatasetError(f"{folder} exists already: choose a new folder.")
    chosen = accepted_samples(dataset, splits)
    written, problems = [], []
    with writing(folder, DatasetError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder, exclusive=True) as partial:
            partial.mkdir()
            layout = layout_of(to)(partial, dataset.name, dataset.label_kind, dataset.channels)
            for sample_id in context.track(chosen, len(chosen), "Exporting"):
                try:
                    layout.write(_read(dataset, dataset.sample(sample_id)))
                    written.append(sample_id)
                except SegloopError as error:
                    problems.append(str(error))
            if not written:
                raise DatasetError(problems[0])
            layout.finish()
    return Exported(folder, tuple(written), tuple(problems), tuple(layout.notes))


def accepted_samples(dataset: CuratedDataset, splits: Sequence[str]) -> list[str]:
    """Return the ids of the accepted samples of some splits.

    Raises
    ------
    DatasetError
        If there is none.
    """
    chosen = [
        summary.id
        for summary in dataset.summaries()
        if summary.verdict is Verdict.accepted and summary.split in splits
    ]
    if not chosen:
        raise DatasetError(
            f"{dataset.name} has no accepted sample in {', '.join(splits)}: accept samples in Curation first."
        )
    return chosen


def _read(dataset: CuratedDataset, sample: Sample) -> ExportedSample:
    image = dataset.raw(sample)
    truth = dataset.ground_truth(sample)
    if truth.labels.shape != image.shape[2:]:
        raise DatasetError(f"The labels of {sample.id} differ in size from its image: replace one of them.")
    channels = [image.channel_index(channel) for channel in dataset.channels] or list(range(image.n_channels))
    return ExportedSample(
        id=sample.id,
        split=sample.split,
        group=sample.group,
        note=sample.note,
        image=image,
        channels=tuple(channels),
        labels=(truth.labels * truth.valid).astype(truth.labels.dtype),
        valid=truth.valid,
    )
