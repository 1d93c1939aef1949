from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.config.train import NormalisationConfig, TrainConfig
from segloop.core.context import Context
from segloop.targets import make_target
from segloop.training.material import share_out
from segloop.training.prepare import prepare
from segloop.training.survey import survey

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]


def shared_out(
    dataset: CuratedDataset, cache: Path, plan: Mapping[str, Any] | None = None
) -> tuple[list[str], list[str], list[str]]:
    """Return the ids to learn from, those to validate on, and what was said."""
    found = survey(dataset, TrainConfig(), Context())
    headers = [*found.train, *found.val]
    samples = prepare(
        dataset, headers, make_target("instance"), NormalisationConfig(), cache, Context(), pytest.fail
    )
    said: list[str] = []
    material = share_out(found, samples, plan or {}, said.append)
    return [sample.id for sample in material.train], [sample.id for sample in material.val], said


def group(dataset: CuratedDataset, **groups: Sequence[str]) -> None:
    for name, members in groups.items():
        for sample_id in members:
            dataset.save(dataset.sample(sample_id).edit(group=name), "group")


def test_the_splits_of_the_dataset_are_kept(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    names = list(nuclei)

    assert shared_out(make_dataset(nuclei), tmp_path / "cache") == (names[:-1], names[-1:], [])


def test_a_group_is_borrowed_whole(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, names = make_dataset(nuclei, val=[]), list(nuclei)
    group(dataset, a=names[::2], b=names[1::2])

    train, val, said = shared_out(dataset, tmp_path / "cache")

    assert [train, val] in ([names[::2], names[1::2]], [names[1::2], names[::2]])
    assert said == ["No validation sample can be used: 3 of the training samples validate instead."]


def test_a_single_group_is_not_torn_apart(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset, names = make_dataset(nuclei, val=[]), list(nuclei)
    group(dataset, a=names)

    train, val, said = shared_out(dataset, tmp_path / "cache")

    assert (train, val) == (names, [])
    assert "no samples left to validate on" in said[0]


def test_what_was_shared_out_before_stays_and_new_samples_are_learnt_from(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset, names = make_dataset(nuclei, val=[]), list(nuclei)
    plan = {"train_samples": names[2:5], "val_samples": names[:2]}

    train, val, said = shared_out(dataset, tmp_path / "cache", plan)

    assert (train, val, said) == (names[2:], names[:2], [])


def test_a_new_sample_of_a_group_that_validates_is_not_learnt_from(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset, names = make_dataset(nuclei, val=[]), list(nuclei)
    group(dataset, a=[names[0], names[-1]])
    plan = {"train_samples": names[1:5], "val_samples": names[:1]}

    train, val, _ = shared_out(dataset, tmp_path / "cache", plan)

    assert (train, val) == (names[1:5], [names[0], names[-1]])


def test_a_new_sample_that_the_dataset_holds_aside_is_not_learnt_from(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset, names = make_dataset(nuclei), list(nuclei)
    plan = {"train_samples": names[1:5], "val_samples": names[:1]}

    train, val, _ = shared_out(dataset, tmp_path / "cache", plan)

    assert (train, sorted(val)) == (names[1:5], sorted([names[0], names[-1]]))


def test_a_new_sample_of_a_group_that_was_learnt_from_does_not_validate(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    names = list(nuclei)
    dataset = make_dataset(nuclei, val=names[4:])
    group(dataset, a=names[4:])
    plan = {"train_samples": names[1:5], "val_samples": names[:1]}

    train, val, _ = shared_out(dataset, tmp_path / "cache", plan)

    assert (train, val) == (names[1:], names[:1])


def test_what_was_learnt_from_never_validates_later(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset, names = make_dataset(nuclei, val=[]), list(nuclei)
    plan = {"train_samples": names[1:], "val_samples": names[:1]}
    dataset.save(dataset.sample(names[0]).edit(verdict=Verdict.rejected), "reject")
    dataset.save(dataset.sample(names[1]).edit(split="val"), "split")

    train, val, said = shared_out(dataset, tmp_path / "cache", plan)

    assert (sorted(train), val) == (names[1:], [])
    assert "no samples left to validate on" in said[0]
