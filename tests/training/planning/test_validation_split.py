from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.artifacts.run.plan import PlannedDevice, TrainingPlan
from segloop.config.train import TrainConfig
from segloop.core.context import Context
from segloop.training.planning.samples import survey
from segloop.training.planning.split import split_samples

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]


def split(
    dataset: CuratedDataset, previous: TrainingPlan | None = None
) -> tuple[list[str], list[str], list[str]]:
    """Return the ids to learn from, those to validate on, and the warnings."""
    found = survey(dataset, TrainConfig(), Context())
    warnings: list[str] = []
    train, val = split_samples(found, found.headers, previous, warnings.append)
    return list(train), list(val), warnings


def plan(train: Sequence[str], val: Sequence[str]) -> TrainingPlan:
    return TrainingPlan(
        target="instance",
        dimensions=2,
        channels=("Channel 0",),
        network={},
        patch_size=(8, 8),
        batch_size=1,
        batches_per_epoch=1,
        device=PlannedDevice(kind="cpu"),
        train_samples=tuple(train),
        val_samples=tuple(val),
    )


def group(dataset: CuratedDataset, **groups: Sequence[str]) -> None:
    for name, members in groups.items():
        for sample_id in members:
            dataset.save(dataset.sample(sample_id).edit(group=name), "group")


def test_the_splits_of_the_dataset_are_kept(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    names = list(nuclei)

    assert split(make_dataset(nuclei)) == (names[:-1], names[-1:], [])


def test_a_group_is_borrowed_whole(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    dataset, names = make_dataset(nuclei, val=[]), list(nuclei)
    group(dataset, a=names[::2], b=names[1::2])

    train, val, said = split(dataset)

    assert [train, val] in ([names[::2], names[1::2]], [names[1::2], names[::2]])
    assert said == ["No validation sample can be used: 3 of the training samples validate instead."]


def test_a_single_group_is_not_torn_apart(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    dataset, names = make_dataset(nuclei, val=[]), list(nuclei)
    group(dataset, a=names)

    train, val, said = split(dataset)

    assert (train, val) == (names, [])
    assert "no samples left to validate on" in said[0]


def test_the_split_of_before_stays_and_new_samples_are_learned_from(
    nuclei: Pictures, make_dataset: MakeDataset
) -> None:
    dataset, names = make_dataset(nuclei, val=[]), list(nuclei)
    previous = plan(names[2:5], names[:2])

    train, val, said = split(dataset, previous)

    assert (train, val, said) == (names[2:], names[:2], [])


def test_a_new_sample_of_a_group_that_validates_is_not_learned_from(
    nuclei: Pictures, make_dataset: MakeDataset
) -> None:
    dataset, names = make_dataset(nuclei, val=[]), list(nuclei)
    group(dataset, a=[names[0], names[-1]])
    previous = plan(names[1:5], names[:1])

    train, val, _ = split(dataset, previous)

    assert (train, val) == (names[1:5], [names[0], names[-1]])


def test_a_new_sample_that_the_dataset_holds_aside_is_not_learned_from(
    nuclei: Pictures, make_dataset: MakeDataset
) -> None:
    dataset, names = make_dataset(nuclei), list(nuclei)
    previous = plan(names[1:5], names[:1])

    train, val, _ = split(dataset, previous)

    assert (train, sorted(val)) == (names[1:5], sorted([names[0], names[-1]]))


def test_a_new_sample_of_a_group_that_was_learned_from_does_not_validate(
    nuclei: Pictures, make_dataset: MakeDataset
) -> None:
    names = list(nuclei)
    dataset = make_dataset(nuclei, val=names[4:])
    group(dataset, a=names[4:])
    previous = plan(names[1:5], names[:1])

    train, val, _ = split(dataset, previous)

    assert (train, val) == (names[1:], names[:1])


def test_what_was_learned_from_never_validates_later(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    dataset, names = make_dataset(nuclei, val=[]), list(nuclei)
    previous = plan(names[1:], names[:1])
    dataset.save(dataset.sample(names[0]).edit(verdict=Verdict.rejected), "reject")
    dataset.save(dataset.sample(names[1]).edit(split="val"), "split")

    train, val, said = split(dataset, previous)

    assert (sorted(train), val) == (names[1:], [])
    assert "no samples left to validate on" in said[0]
