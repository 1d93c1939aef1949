"""Images that were moved are found again, in real datasets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.relocation import find_moved
from segloop.cli.command import run
from segloop.core.errors import DatasetError
from segloop.images.pairing import pair_by_stem
from segloop.images.write import write_image

STEMS = ("a", "b", "c")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Folder with ``plate/raw``, ``plate/seg`` and ``plate/other``; files of one stem differ by folder."""
    for value, kind in enumerate(("raw", "seg", "other"), 1):
        for number, stem in enumerate(STEMS):
            pixels = np.full((8, 9), 10 * value + number, np.uint8)
            pixels[0] = 0
            write_image(tmp_path / "study" / "plate" / kind / f"{stem}.tif", pixels, axes="YX")
    return tmp_path / "study"


@pytest.fixture
def dataset(study: Path, tmp_path: Path) -> CuratedDataset:
    plate = study / "plate"
    pairs = pair_by_stem(plate / "raw", plate / "seg", {"other": plate / "other"}).pairs
    return CuratedDataset.create(tmp_path / "elsewhere" / "far" / "away" / "from" / "them" / "dataset", pairs)


def values(dataset: CuratedDataset) -> list[list[int]]:
    """Return the highest value of each raw image and segmentation."""
    return [
        [
            int(np.asarray(dataset.raw(sample).data).max()),
            *(int(dataset.labels(sample, name).max()) for name in sample.segmentation_names),
        ]
        for sample in map(dataset.sample, dataset.sample_ids)
    ]


def test_all_files_are_found_below_the_folder_that_was_moved(dataset, study: Path, tmp_path: Path) -> None:
    before = values(dataset)
    shutil.move(study / "plate", tmp_path / "new" / "disk" / "plate7")
    with pytest.raises(DatasetError, match="missing"):
        values(dataset)

    moved = dataset.relocate(tmp_path / "new" / "disk" / "plate7")

    assert (moved.old, moved.missing) == (study / "plate", ())
    assert len(moved.found) == 9
    assert values(CuratedDataset.open(dataset.path)) == before

    dataset.undo()
    with pytest.raises(DatasetError, match="missing"):
        values(CuratedDataset.open(dataset.path))


def test_a_folder_above_is_as_good(dataset, study: Path, tmp_path: Path) -> None:
    before = values(dataset)
    shutil.move(study, tmp_path / "renamed")
    moved = dataset.relocate(tmp_path / "renamed")
    assert moved.old == study
    assert values(dataset) == before


def test_files_of_one_name_in_several_folders_are_not_mixed_up(dataset, study: Path, tmp_path: Path) -> None:
    """Of a single folder, only its own files are found: raw images are never taken for labels."""
    before = values(dataset)
    shutil.move(study / "plate", tmp_path / "new")
    moved = dataset.relocate(tmp_path / "new" / "seg")
    assert moved.old == study / "plate" / "seg"
    assert len(moved.found) == 3
    dataset.relocate(tmp_path / "new")
    assert values(dataset) == before


def test_where_it_is_not_certain_nothing_is_taken(dataset, study: Path, tmp_path: Path) -> None:
    shutil.move(study / "plate" / "seg", tmp_path / "labels")
    shutil.move(study / "plate", tmp_path / "new")
    moved = dataset.relocate(tmp_path / "labels")
    assert (moved.old, moved.found, len(moved.missing)) == (None, {}, 9)


def test_what_is_still_missing_is_named_and_the_rest_found(dataset, study: Path, tmp_path: Path) -> None:
    shutil.move(study / "plate", tmp_path / "new")
    (tmp_path / "new" / "raw" / "b.tif").unlink()
    moved = dataset.relocate(tmp_path / "new")
    assert moved.missing == (study / "plate" / "raw" / "b.tif",)
    assert len(moved.found) == 8


def test_nothing_changes_where_nothing_is_missing_or_found(dataset, study: Path, tmp_path: Path) -> None:
    journal = dataset.path / "journal.jsonl"
    before = journal.read_bytes() if journal.exists() else b""
    assert dataset.relocate(tmp_path).found == {}
    shutil.move(study, tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    assert len(dataset.relocate(tmp_path / "empty").missing) == 9
    assert (journal.read_bytes() if journal.exists() else b"") == before
    with pytest.raises(DatasetError, match="no folder"):
        dataset.relocate(tmp_path / "nowhere")


def test_corrected_labels_stay(dataset, study: Path, tmp_path: Path) -> None:
    labels = dataset.labels(dataset.sample("a"))
    labels[0, 2, 2] = 77
    dataset.correct_labels("a", "seg", labels)
    shutil.move(study / "plate", tmp_path / "new")
    dataset.relocate(tmp_path / "new")
    assert np.array_equal(dataset.labels(dataset.sample("a")), labels)


def test_the_lowest_of_equal_folders_counts(tmp_path: Path) -> None:
    (tmp_path / "new" / "x").mkdir(parents=True)
    (tmp_path / "new" / "x" / "f.tif").touch()
    moved = find_moved([tmp_path / "old" / "x" / "f.tif"], tmp_path / "new")
    assert (moved.old, moved.found) == (
        tmp_path / "old",
        {tmp_path / "old" / "x" / "f.tif": tmp_path / "new" / "x" / "f.tif"},
    )


def test_the_command_says_what_was_found(
    dataset, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(study / "plate", tmp_path / "new")
    (tmp_path / "new" / "raw" / "b.tif").unlink()
    assert run(["dataset", "relocate", str(dataset.path), str(tmp_path / "new"), "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert (len(data["found"]), data["missing"]) == (8, [str(study / "plate" / "raw" / "b.tif")])
    (tmp_path / "new" / "raw" / "b.tif").write_bytes((tmp_path / "new" / "raw" / "a.tif").read_bytes())
    assert run(["dataset", "relocate", str(dataset.path), str(tmp_path / "new")]) == 0
    assert (
        f"1 file found: what was in {study / 'plate'} is in {tmp_path / 'new'} now."
        in capsys.readouterr().out
    )
    assert run(["dataset", "relocate", str(dataset.path), str(tmp_path / "new")]) == 0
    assert "No file is missing." in capsys.readouterr().out
