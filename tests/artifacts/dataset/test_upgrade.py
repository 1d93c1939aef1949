"""Datasets of older versions: they open, nothing is rewritten before an edit, and undo reaches back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Sample, Verdict
from segloop.artifacts.dataset.segmentation import CorrectedCopy, FileSource, PredictionSource
from segloop.core.errors import DatasetError

HERE = Path(__file__).parent


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    return Path(shutil.copytree(HERE / "dataset_v1", tmp_path / "v1"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_dataset_of_version_1_opens_with_named_segmentations(first_version: Path) -> None:
    dataset = CuratedDataset.open(first_version)
    sample = dataset.sample("plate1__a01")
    assert (dataset.name, dataset.label_kind, dataset.channels) == ("old nuclei", "instances", ("DAPI",))
    assert dataset.pixel_size_um == (None, 0.25, 0.25)
    assert (sample.verdict, sample.base, sample.split) == (Verdict.accepted, "seg2", "val")
    assert [each.source for each in sample.segmentations] == [
        FileSource(image={"path": "../seg/plate1/a01.tif"}),
        FileSource(image={"path": "../cellpose/plate1/a01.tif"}),
    ]
    assert [(region.shape, region.segmentation) for region in sample.regions] == [
        ("ellipse", ""),
        ("path", "seg"),
    ]


def test_reading_version_1_rewrites_nothing(first_version: Path) -> None:
    before = contents(first_version)
    dataset = CuratedDataset.open(first_version)
    assert dataset.counts().accepted == 1
    dataset.journal()
    assert contents(first_version) == before


def test_the_journal_of_version_1_is_undone_and_redone(first_version: Path) -> None:
    dataset = CuratedDataset.open(first_version)
    accepted = dataset.sample("plate1__a01")
    (entry,) = dataset.journal()
    assert (entry.changes[0].before, entry.changes[0].after) == (
        {"verdict": "undecided"},
        {"verdict": "accepted"},
    )
    assert dataset.undo() == (accepted.edit(verdict=Verdict.undecided),)
    assert CuratedDataset.open(first_version).redo() == (accepted,)


def test_the_first_edit_upgrades_the_index_and_only_the_sample_that_is_edited(first_version: Path) -> None:
    index = json.loads((first_version / "dataset.json").read_text("utf-8"))
    index["samples"].append("other")
    (first_version / "dataset.json").write_text(json.dumps(index), "utf-8")
    old = json.loads((first_version / "samples" / "plate1__a01.json").read_text("utf-8"))
    other = first_version / "samples" / "other.json"
    other.write_text(json.dumps({**old, "id": "other"}), "utf-8")
    before = other.read_bytes()

    dataset = CuratedDataset.open(first_version)
    dataset.save(dataset.sample("plate1__a01").edit(note="new"), "note")

    assert json.loads((first_version / "dataset.json").read_text("utf-8"))["version"] == 3
    edited = json.loads((first_version / "samples" / "plate1__a01.json").read_text("utf-8"))
    assert (edited["version"], edited["note"]) == (3, "new")
    assert other.read_bytes() == before
    again = CuratedDataset.open(first_version)
    assert again.sample("other").base == "seg2"
    assert [*again.undo(), *again.undo()] == [
        again.sample("plate1__a01").edit(verdict="accepted"),
        again.sample("plate1__a01"),
    ]


@pytest.mark.parametrize(
    "change", [{"base": "both"}, {"regions": 7}, {"regions": ["r"]}, {"seg": {"path": ""}}, {"colour": "red"}]
)
def test_a_damaged_sample_of_version_1_is_reported(first_version: Path, change: dict) -> None:
    file = first_version / "samples" / "plate1__a01.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **change}), "utf-8")
    with pytest.raises(DatasetError, match=r"plate1__a01\.json can't be read .* restore it from a copy"):
        CuratedDataset.open(first_version).sample("plate1__a01")


def test_a_dataset_of_version_2_opens(tmp_path: Path) -> None:
    """The old file of this version; when the version rises, it must still open."""
    shutil.copytree(HERE / "dataset_v2", tmp_path / "v2")
    dataset = CuratedDataset.open(tmp_path / "v2")
    sample = dataset.sample("a01")
    assert isinstance(sample, Sample)
    assert (dataset.name, sample.verdict, sample.base, sample.split) == (
        "nuclei",
        Verdict.accepted,
        "corrected",
        "val",
    )
    assert [type(each.source) for each in sample.segmentations] == [
        FileSource,
        PredictionSource,
        CorrectedCopy,
    ]
    assert [region.segmentation for region in sample.regions] == ["", "manual"]
    labels = dataset.labels(sample)
    assert labels.shape == (1, 6, 8)
    assert labels[0, 2, 2:5].tolist() == [1, 1, 7]
    (before,) = dataset.undo()
    assert before.segmentation("corrected").versions == ()
