"""A full or failing disk at every step of every change of a dataset: the old state or the new one, whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faults import CODES, FAULTS
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.label_changes import LabelChange
from segloop.artifacts.dataset.manifest import Verdict
from segloop.core.errors import SegloopError
from segloop.images.pairing import Pair

Action = Callable[[CuratedDataset], object]


def edit(dataset: CuratedDataset) -> None:
    region = {"id": "r", "kind": "exclude", "shape": "path", "vertices": [(0, 0), (0, 9), (9, 9)]}
    dataset.edit(
        dataset.sample_ids[0], lambda now: now.edit(regions=[region], verdict=Verdict.accepted), "edit"
    )


def move_a_group(dataset: CuratedDataset) -> None:
    dataset.set_split(dataset.sample_ids[0], "test")


def add(dataset: CuratedDataset) -> None:
    first = dataset.sample(dataset.sample_ids[0])
    assert (
        dataset.add([Pair("added", dataset.path.parent / "added.tif", dataset.label_file(first).path)]) == ()
    )


def add_dataset(dataset: CuratedDataset) -> None:
    """Add a dataset with a corrected sample; it is made once, beside the others."""
    folder = dataset.path.parent
    if not (folder / "another").exists():
        labels = dataset.label_file(dataset.sample(dataset.sample_ids[0])).path
        another = CuratedDataset.create(folder / "another", [Pair("added", folder / "added.tif", labels)])
        correct(another)
        paint(another)
    assert dataset.add_dataset(folder / "another") == ()


def correct(dataset: CuratedDataset) -> None:
    first = dataset.sample(dataset.sample_ids[0])
    dataset.correct_labels(first.id, "seg", np.ones(dataset.labels(first).shape, np.uint8))


def paint(dataset: CuratedDataset) -> None:
    first = dataset.sample(dataset.sample_ids[0])
    before = dataset.labels(first)
    after = before.copy()
    after[0, 10:30, 10:30] = 7
    dataset.change_labels(first.id, "seg", LabelChange.between(before, after), "paint")


def add_segmentation(dataset: CuratedDataset) -> None:
    first = dataset.sample(dataset.sample_ids[0])
    dataset.add_segmentation(first.id, "other", dataset.label_file(first).path)


def undo(dataset: CuratedDataset) -> None:
    dataset.undo()


ACTIONS: list[Action] = [edit, move_a_group, add, add_dataset, add_segmentation, correct, paint, undo]


def state(dataset: CuratedDataset) -> tuple[object, ...]:
    """Return what a dataset says, with the labels that it uses."""
    samples = tuple(dataset.samples())
    first = dataset.labels(samples[0])
    return dataset.sample_ids, tuple(_without_times(sample) for sample in samples), first.tobytes()


def _without_times(sample: object) -> object:
    content = sample.model_dump()
    for segmentation in content["segmentations"]:
        segmentation["versions"] = [(each["number"], each["note"]) for each in segmentation["versions"]]
    return content


def copied(dataset: CuratedDataset, study: Path, number: int) -> CuratedDataset:
    """Return a copy of a dataset, beside it, so that its images are found."""
    return CuratedDataset.open(shutil.copytree(dataset.path, study / f"copy{number}"))


@pytest.mark.parametrize("code", CODES, ids=["disk full", "disk error"])
@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
def test_every_failing_call_leaves_the_old_state_or_the_new_one(
    dataset: CuratedDataset, action: Action, code: int
) -> None:
    study = dataset.path.parent
    shutil.copy(dataset.resolve(dataset.sample(dataset.sample_ids[0]).raw), study / "added.tif")
    dataset.edit(dataset.sample_ids[0], lambda now: now.edit(note="kept"), "note")
    after = copied(dataset, study, 0)
    old = state(after)
    action(after)
    new = state(after)
    assert old != new

    number, refused = 0, 0
    while True:
        number += 1
        victim = copied(dataset, study, number)
        failed = None
        with FAULTS.at(number, code, victim.path):
            try:
                action(victim)
            except SegloopError as error:
                failed = error
        is_over = FAULTS.count < number
        found = state(CuratedDataset.open(victim.path))
        assert found in (old, new), f"call {number}: neither old nor new"
        if failed is None:
            assert found == new, f"call {number}: said to be done, but is not"
        else:
            refused += 1
            assert str(victim.path) in str(failed)
        leftovers = [name for _, _, names in os.walk(victim.path) for name in names if "partial" in name]
        assert leftovers == [], f"call {number}"
        shutil.rmtree(victim.path)
        if is_over:
            break
    assert refused > 2


@pytest.mark.parametrize("code", CODES, ids=["disk full", "disk error"])
def test_a_dataset_is_created_whole_or_not_at_all(dataset: CuratedDataset, code: int) -> None:
    first = dataset.sample(dataset.sample_ids[0])
    pair = Pair("a", dataset.resolve(first.raw), dataset.label_file(first).path)
    folder = dataset.path.parent / "other"
    folder.mkdir()
    number = 0
    while True:
        number += 1
        target = folder / f"new{number}"
        failed = None
        with FAULTS.at(number, code, folder):
            try:
                CuratedDataset.create(target, [pair])
            except SegloopError as error:
                failed = error
        assert target.exists() == (failed is None)
        if failed is not None:
            assert str(target) in str(failed)
        else:
            assert CuratedDataset.open(target).sample_ids == ("a",)
        assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
        if FAULTS.count < number:
            break
    assert number > 5
