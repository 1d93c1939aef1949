"""Taking over the samples of another dataset, with what was decided, drawn and corrected there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from segloop.artifacts.dataset.dataset_reader import DatasetReader
from segloop.artifacts.dataset.manifest import DatasetIndex, Sample
from segloop.artifacts.dataset.new_samples import unique_ids
from segloop.artifacts.dataset.references import short
from segloop.artifacts.dataset.relocation import References
from segloop.artifacts.dataset.store import LABELS_FOLDER, require_own
from segloop.artifacts.dataset.summary import SampleSummary
from segloop.core.atomic import atomic_path, remove
from segloop.core.context import Context
from segloop.core.errors import DatasetError, SegloopError
from segloop.core.file_errors import writing
from segloop.core.file_names import free_name


def require_alike(index: DatasetIndex, other: DatasetReader) -> None:
    """Raise `DatasetError` if labels, or axes of images, mean something else in another dataset."""
    if other.label_kind != index.label_kind:
        kinds = {"instances": "number objects", "semantic": "name classes"}
        raise DatasetError(
            f"The labels of {other.name} {kinds[other.label_kind]}, and those of {index.name} "
            f"{kinds[index.label_kind]}: datasets can be joined only if their labels mean the same."
        )
    if other.index.axes != index.axes:
        raise DatasetError(
            f"The images of {other.name} are read with the axes {other.index.axes or 'that they name'}, and "
            f"those of {index.name} with {index.axes or 'those that they name'}: save the images of one of "
            "them with named axes, such as OME-TIFF, and create its dataset again."
        )


def usable_samples(
    other: DatasetReader, channels: Sequence[str], context: Context
) -> tuple[list[Sample], list[str]]:
    """Return the samples of another dataset that have some channels, and a sentence for each of the others.

    Raises
    ------
    Cancelled
        If asked to stop in between.
    """
    from segloop.images.recipe import resolve_channels

    usable, problems = [], []
    for sample_id in context.track(other.sample_ids, len(other.sample_ids), "Examining the images"):
        try:
            sample = other.sample(sample_id)
            missing = other.missing_files(sample)
            if missing:
                raise DatasetError(
                    f"{missing[0]} is missing: find the moved files of {other.name} first, then add it again."
                )
            resolve_channels(other.raw(sample), channels)
            usable.append(sample)
        except SegloopError as error:
            problems.append(f"Sample {sample_id} was left out: {error}")
    return usable, problems


def taken_over(
    samples: Sequence[Sample],
    other: DatasetReader,
    folder: Path,
    index: DatasetIndex,
    present: Sequence[SampleSummary],
) -> list[Sample]:
    """Return samples of another dataset as they will be in this one.

    They keep their split. Groups are the same ones if both datasets find them by the same pattern: then they
    follow the split that the group has here. Otherwise a group whose name is taken gets another name.

    Parameters
    ----------
    samples : sequence of Sample
        Of the other dataset.
    other : DatasetReader
        The other dataset.
    folder : Path
        Of this dataset, absolute.
    index : DatasetIndex
        Of this dataset.
    present : sequence of SampleSummary
        Its samples.
    """
    labels = folder / LABELS_FOLDER
    # An addition that was killed may have left labels behind.
    left = [each.name for each in labels.iterdir()] if labels.is_dir() else []
    ids = unique_ids([sample.id for sample in samples], [*index.samples, *left])
    splits = {summary.group: summary.split for summary in present}
    same_groups = index.group_by is not None and index.group_by == other.index.group_by
    names: dict[str, str] = {}
    for group in dict.fromkeys(sample.group for sample in samples):
        used = {*splits, *names.values()}
        taken = bool(group) and group in used and not same_groups
        names[group] = free_name(f"{other.name}/{group}", used.__contains__) if taken else group
    references = References(other.path, other.index.home)
    return [
        references.rebased(sample, folder).edit(
            id=sample_id,
            group=names[sample.group],
            split=splits.get(names[sample.group], sample.split) if sample.group else sample.split,
        )
        for sample_id, sample in zip(ids, samples, strict=True)
    ]


@contextmanager
def copied_labels(
    other: Path, folder: Path, samples: Sequence[tuple[Sample, Sample]], context: Context
) -> Iterator[None]:
    """Copy the corrected labels of samples; if the body fails, the copies are removed.

    Parameters
    ----------
    other, folder : Path
        The datasets to copy from and to.
    samples : sequence of (Sample, Sample)
        As they are there, and as they will be here.
    context : Context
        Progress and cancel.

    Raises
    ------
    DatasetError
        If a file can't be read or written, or is a link.
    Cancelled
        If asked to stop in between.
    """
    corrected = [
        (before, after) for before, after in samples if any(each.versions for each in before.segmentations)
    ]
    copied: list[Path] = []
    try:
        for before, after in context.track(corrected, len(corrected), "Copying corrected labels"):
            target = folder / LABELS_FOLDER / after.id
            with writing(target, DatasetError):
                target.parent.mkdir(exist_ok=True)
                with atomic_path(target, exclusive=True) as partial:
                    _copy(other / LABELS_FOLDER / before.id, partial)
            copied.append(target)
        yield
    except BaseException:
        for target in copied:
            remove(target)
        raise


def _copy(source: Path, target: Path) -> None:
    for place, folders, files in os.walk(source):
        here = Path(place)
        for each in (here, *(here / name for name in (*folders, *files))):
            require_own(each)
        there = target / here.relative_to(source)
        there.mkdir()
        for name in files:
            shutil.copyfile(here / name, there / name)


def already_there(name: str, samples: Sequence[Sample]) -> list[str]:
    """Return a sentence for each sample whose image a dataset has already."""
    return [f"{short(sample.raw.path)} is in {name} already: nothing was changed." for sample in samples]
