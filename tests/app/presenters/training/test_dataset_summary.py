"""What is said of a dataset before training on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from segloop.app.presenters.training.dataset_summary import DatasetReader, DatasetSummary
from segloop.app.sample import make_sample_dataset
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.core.context import Context


def summary(**changes):
    values = {
        "path": Path("d"),
        "train": 120,
        "val": 30,
        "validating": 30,
        "total": 175,
        "undecided": 25,
        "n_slices": 1,
        "channels": ("DAPI",),
        "pixel_size_um": (None, 0.32, 0.32),
        "problem": "",
    }
    return DatasetSummary(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "120 train, 30 val, 2D, DAPI, 0.32 µm/px"),
        ({"n_slices": 40, "pixel_size_um": (2.0, 0.5, 0.5)}, "120 train, 30 val, 3D, DAPI, 2 × 0.5 µm/px"),
        (
            {"channels": ("Channel:0:0",), "pixel_size_um": (None,) * 3},
            "120 train, 30 val, 2D, 1 channel, pixel size unknown",
        ),
        ({"channels": ("a", "b", "c", "d")}, "120 train, 30 val, 2D, 4 channels, 0.32 µm/px"),
        (
            {"train": 0, "val": 0},
            "None of the 175 samples is accepted yet (25 undecided): accept some in the Curation dock.",
        ),
    ],
)
def test_a_dataset_is_summarised_in_a_line(changes, line):
    assert summary(**changes).line == line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"val": 0, "validating": 24}, "24 of the 120 training samples will be used for validation instead"),
        ({"train": 3, "val": 0, "validating": 0}, "too few accepted samples for validation"),
        ({"train": 0, "val": 0, "validating": 0}, ""),
    ],
)
def test_it_says_when_nothing_is_set_aside_for_validation(changes, words):
    note = summary(**changes).validation_note
    assert words in note
    assert bool(words) == bool(note)


@pytest.mark.parametrize(("accepted", "validating"), [(0, 0), (3, 0), (10, 2)])
def test_what_will_validate_is_what_the_training_takes(tmp_path, accepted, validating):
    dataset = CuratedDataset.open(make_sample_dataset(tmp_path / "d", val=0.0, accept_all=False).path)
    for each in dataset.sample_ids[:accepted]:
        dataset.save(dataset.sample(each).edit(verdict=Verdict.accepted), "accept")

    found = DatasetReader().read(dataset.path, Context())

    assert (found.train, found.val, found.validating) == (accepted, 0, validating)


def test_a_dataset_is_read_again_after_an_edit(tmp_path):
    dataset = CuratedDataset.open(make_sample_dataset(tmp_path / "d", accept_all=True).path)
    reader = DatasetReader()
    before = reader.read(dataset.path, Context())
    sample = dataset.sample(dataset.split("train")[0])
    dataset.save(sample.edit(verdict=Verdict.rejected), "reject")
    assert reader.read(dataset.path, Context()).train == before.train - 1
    assert before.n_slices == 1
