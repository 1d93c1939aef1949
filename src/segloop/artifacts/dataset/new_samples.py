"""How pairs of files become samples of a dataset: their ids, groups and splits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from segloop.artifacts.dataset.candidates import (
    Candidate,
    common_channels,
    guess_label_kind,
    typical_pixel_size,
)
from segloop.artifacts.dataset.manifest import DatasetIndex, LabelKind, Sample, Verdict
from segloop.artifacts.dataset.references import to_reference
from segloop.artifacts.dataset.segmentation import ImageRef, Segmentation
from segloop.artifacts.dataset.sources import source_of
from segloop.artifacts.dataset.split import assign_splits
from segloop.artifacts.dataset.summary import SampleSummary
from segloop.core.errors import DatasetError
from segloop.core.file_names import free_name, plain_file_name
from segloop.core.user_patterns import TooSlowError, compiled, search


def new_index(
    folder: Path,
    candidates: Sequence[Candidate],
    *,
    channel: str,
    val: float,
    test: float,
    group_by: str | None,
    seed: int,
    name: str | None,
    label_kind: LabelKind | None,
    axes: str = "",
) -> DatasetIndex:
    """Return the index of a new dataset, without samples yet; parameters as in `CuratedDataset.create`."""
    return DatasetIndex(
        name=name or folder.name,
        label_kind=label_kind or guess_label_kind(candidates),
        channels=common_channels(candidates, channel),
        pixel_size_um=typical_pixel_size(candidates),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        home=folder.as_posix(),
        channel=channel,
        axes=axes,
        seed=seed,
        val=val,
        test=test,
        group_by=group_by,
    )


def new_samples(
    candidates: Sequence[Candidate],
    folder: Path,
    index: DatasetIndex,
    present: Sequence[SampleSummary],
    accept: bool,
) -> list[Sample]:
    """Return samples for candidates.

    Parameters
    ----------
    candidates : sequence of Candidate
        In the order of the samples.
    folder : Path
        The dataset's folder, absolute.
    index : DatasetIndex
        Says how to group and split.
    present : sequence of SampleSummary
        The samples that the dataset has already; they keep their ids and splits.
    accept : bool
        Whether the new samples are accepted instead of undecided.
    """
    ids = unique_ids([candidate.pair.stem for candidate in candidates], index.samples)
    groups = [group_of(candidate.pair.stem, index.group_by) for candidate in candidates]
    splits = assign_splits(
        [summary.group for summary in present] + groups,
        index.val,
        index.test,
        index.seed,
        fixed={summary.group: summary.split for summary in present},
    )[len(present) :]

    return [
        Sample(
            id=sample_id,
            raw=ImageRef(path=to_reference(candidate.pair.raw, folder), channel=index.channel),
            segmentations=tuple(
                Segmentation(name=name, source=source_of(path, folder))
                for name, path in candidate.pair.segmentations.items()
            ),
            verdict=Verdict.accepted if accept else Verdict.undecided,
            split=split,
            group=group,
        )
        for sample_id, group, split, candidate in zip(ids, groups, splits, candidates, strict=True)
    ]


def require_sensible(val: float, test: float, group_by: str | None) -> None:
    """Raise `DatasetError` if the fractions or the pattern are invalid."""
    if not (val >= 0 and test >= 0 and val + test < 1):
        raise DatasetError(
            f"Validation ({val}) and test ({test}) fractions must be at least 0 and together less than 1."
        )
    group_of("", group_by)


def unique_ids(stems: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Return a unique file name for each stem, ignoring case; none of them is in ``taken``.

    Subfolders are kept (``sub/stem`` becomes ``sub__stem``), what can't stand in a file name becomes ``_``.
    """
    used = {identifier.casefold() for identifier in taken}
    ids = []
    for stem in stems:
        joined = "__".join(part for part in re.split(r"[\\/]", stem) if part)
        plain = plain_file_name(joined, "sample", "_")
        identifier = free_name(plain, lambda name: name.casefold() in used, "_")
        used.add(identifier.casefold())
        ids.append(identifier)
    return ids


def group_of(stem: str, pattern: str | None) -> str:
    """Return the part of a stem that names its group; the whole stem where the pattern doesn't occur.

    Parameters
    ----------
    stem : str
        Relative subfolder and stem of the raw image.
    pattern : str or None
        Regular expression; the group is its first parenthesis, or the whole match if it has none. None puts
        each sample into a group of its own.

    Raises
    ------
    DatasetError
        If the pattern isn't a regular expression, or matching takes too long.
    """
    if pattern is None:
        return stem
    try:
        compiled_pattern = compiled(pattern)
    except ValueError as error:
        raise DatasetError(f"{pattern!r} to group by is not a regular expression ({error}).") from error
    try:
        match = search(compiled_pattern, stem)
    except TooSlowError as error:
        raise DatasetError(f"The pattern {pattern!r} to group by {error}") from error
    if match is None:
        return stem
    return str((match.group(1) if compiled_pattern.groups else match.group(0)) or stem)
