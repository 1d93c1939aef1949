"""Making a dataset out of pairs of files, and examining pairs that are added to one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from segloop.artifacts.dataset.candidates import Candidate, examine_pairs, remarks, with_channels
from segloop.artifacts.dataset.manifest import DatasetIndex, LabelKind, Sample
from segloop.artifacts.dataset.new_samples import new_index, new_samples, require_sensible
from segloop.artifacts.dataset.store import require_free, write_new
from segloop.core.context import Context
from segloop.core.errors import DatasetError
from segloop.images.pairing import Pair


def create_files(
    folder: Path,
    pairs: Sequence[Pair],
    *,
    channel: str,
    val: float,
    test: float,
    group_by: str | None,
    seed: int,
    name: str | None,
    accept_all: bool,
    label_kind: LabelKind | None,
    axes: str,
    context: Context,
    decide: Callable[[Sample, Pair], Sample] | None = None,
) -> tuple[DatasetIndex, Sequence[str], Sequence[str]]:
    """Write a new dataset, completely or not at all; parameters and errors as in `CuratedDataset.create`.

    Parameters
    ----------
    decide : callable, optional
        Given each new sample and the pair it is made of, returns the sample with what was decided about it
        elsewhere.

    Returns
    -------
    index : DatasetIndex
    problems : sequence of str
        A sentence for each pair that was left out.
    warnings : sequence of str
        Sentences about the pairs that were used.
    """
    require_free(folder)
    require_sensible(val, test, group_by)
    candidates, problems = examine_pairs(pairs, channel, context, axes)
    if not candidates:
        raise DatasetError(
            f"None of the {len(pairs)} pairs can be used for {folder.name}; the first: {problems[0]}"
            if problems
            else f"There are no pairs of files for {folder.name}: choose images and segmentations."
        )
    empty = new_index(
        folder,
        candidates,
        channel=channel,
        val=val,
        test=test,
        group_by=group_by,
        seed=seed,
        name=name,
        label_kind=label_kind,
        axes=axes,
    )
    samples = new_samples(candidates, folder, empty, (), accept_all)
    if decide is not None:
        samples = [decide(sample, each.pair) for sample, each in zip(samples, candidates, strict=True)]
    index = empty.with_samples(samples)
    write_new(folder, index, samples)
    return index, problems, remarks(candidates, axes)


def examine_more(
    pairs: Sequence[Pair], index: DatasetIndex, context: Context
) -> tuple[list[Candidate], list[str]]:
    """Return the pairs that can be added to a dataset, and a sentence for each of the others."""
    candidates, unusable = examine_pairs(pairs, index.channel, context, index.axes)
    candidates, odd = with_channels(candidates, index.channels)
    return candidates, [*unusable, *odd]
