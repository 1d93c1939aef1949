"""Adding the samples of one dataset to another."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tifffile import imread

from segloop.artifacts.dataset import joining
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.label_changes import LabelChange
from segloop.artifacts.dataset.manifest import Region, Verdict
from segloop.core.atomic import write_text
from segloop.core.context import Context
from segloop.core.errors import Cancelled, DatasetError
from segloop.images.pairing import pair_by_stem
from segloop.images.write import write_image

CORNERS = ((10.0, 10.0), (10.0, 60.0), (60.0, 60.0), (60.0, 10.0))


@pytest.fixture
def images(sample_nuclei: Path, tmp_path: Path) -> Path:
    """Two folders of images, with three files each, of which two are named alike."""
    for folder, names in {"one": ("000", "002", "015"), "two": ("000", "015", "020")}.items():
        for part in ("raw", "seg"):
            (tmp_path / folder / part).mkdir(parents=True)
            files = sorted((sample_nuclei / part).glob("*.tif"))
            for name, file in zip(names, files if folder == "one" else files[3:], strict=False):
                shutil.copy(file, tmp_path / folder / part / f"{name}.tif")
    return tmp_path


def create(images: Path, name: str, **options) -> CuratedDataset:
    pairing = pair_by_stem(images / name / "raw", images / name / "seg")
    return CuratedDataset.create(images / "datasets" / name, pairing.pairs, **options)


@pytest.fixture
def one(images: Path) -> CuratedDataset:
    return create(images, "one")


@pytest.fixture
def two(images: Path) -> CuratedDataset:
    """One in which something of each kind was done."""
    dataset = create(images, "two", val=0.4)
    dataset.add_segmentation("000", "other", images / "two" / "seg" / "000.tif")
    dataset.copy_segmentation("000", "copy", "seg")
    stroke(dataset, "000", "seg", 30)
    stroke(dataset, "000", "seg", 50)
    dataset.undo()
    stroke(dataset, "000", "copy", 70)
    labels = dataset.labels(dataset.sample("015"))
    dataset.correct_labels("015", "seg", np.where(labels == 1, 0, labels), "one away")
    merge = Region(
        id="b", kind="merge", segmentation="other", cut="object", shape="polygon", vertices=CORNERS
    )
    exclude = Region(id="a", kind="exclude", shape="polygon", vertices=CORNERS)
    dataset.edit(
        "000", lambda sample: sample.edit(regions=(exclude, merge), note="look", base="copy"), "draw"
    )
    dataset.edit("000", lambda sample: sample.edit(verdict=Verdict.accepted), "accept")
    dataset.edit("020", lambda sample: sample.edit(verdict=Verdict.rejected), "reject")
    return dataset


def stroke(dataset: CuratedDataset, sample_id: str, name: str, y: int) -> None:
    before = dataset.labels(dataset.sample(sample_id), name)
    after = before.astype(np.uint32)
    after[0, y : y + 4, 20:30] = 999
    dataset.change_labels(sample_id, name, LabelChange.between(before, after))


def test_samples_come_with_all_that_was_done(one: CuratedDataset, two: CuratedDataset) -> None:
    before = [one.sample(each) for each in one.sample_ids]
    assert one.add_dataset(two.path) == ()
    assert one.sample_ids == ("000", "002", "015", "000_2", "015_2", "020")
    opened = CuratedDataset.open(one.path)
    assert [opened.sample(each.id) for each in before] == before
    for old, new in zip(two.samples(), map(opened.sample, opened.sample_ids[3:]), strict=True):
        assert new.edit(id=old.id, group=old.group, raw=old.raw, segmentations=old.segmentations) == old
        assert opened.resolve(new.raw) == two.resolve(old.raw)
        for segmentation in old.segmentations:
            for version in (0, *(each.number for each in segmentation.versions)):
                expected = two.labels(old, segmentation.name, version)
                assert np.array_equal(opened.labels(new, segmentation.name, version), expected)
        truth, expected = opened.ground_truth(new), two.ground_truth(old)
        assert np.array_equal(truth.labels, expected.labels)
        assert np.array_equal(truth.valid, expected.valid)


def test_the_datasets_are_independent_afterwards(one: CuratedDataset, two: CuratedDataset) -> None:
    one.add_dataset(two.path)
    theirs, ours = two.labels(two.sample("000"), "seg"), one.labels(one.sample("000_2"), "seg")
    stroke(one, "000_2", "seg", 90)
    assert np.array_equal(two.labels(two.sample("000"), "seg"), theirs)
    stroke(two, "000", "seg", 110)
    shutil.rmtree(two.path)
    one.undo()
    assert np.array_equal(CuratedDataset.open(one.path).labels(one.sample("000_2"), "seg"), ours)


def test_groups_of_two_datasets_are_told_apart(one: CuratedDataset, two: CuratedDataset) -> None:
    """Otherwise equally named files of two experiments would have to share their split."""
    one.add_dataset(two.path)
    groups = [sample.group for sample in one.samples()]
    assert groups == ["000", "002", "015", "two/000", "two/015", "020"]


def test_samples_without_a_group_keep_their_split(one: CuratedDataset, two: CuratedDataset) -> None:
    for dataset, split in ((one, "train"), (two, "test")):
        for sample_id in dataset.sample_ids:
            dataset.set_split(sample_id, split)
            write_text(
                dataset.path / "samples" / f"{sample_id}.json",
                dataset.sample(sample_id).model_copy(update={"group": ""}).model_dump_json(),
            )
    one = CuratedDataset.open(one.path)
    one.add_dataset(two.path)
    assert [one.sample(each).split for each in one.sample_ids] == ["train"] * 3 + ["test"] * 3


def test_groups_that_are_the_same_share_their_split(images: Path) -> None:
    pattern = r"^(\d)"  # all of them: a group cannot be in two splits
    one, two = (
        create(images, "one", group_by=pattern, val=0.0),
        create(images, "two", group_by=pattern, val=0.0),
    )
    two.set_split("000", "val")
    one.add_dataset(two.path)
    assert {sample.split for sample in one.samples()} == {"train"}
    assert {sample.group for sample in one.samples()} == {"0"}


def test_what_is_there_already_is_left_alone(one: CuratedDataset, two: CuratedDataset) -> None:
    one.add_dataset(two.path)
    before = one.sample("000_2")
    two.edit("000", lambda sample: sample.edit(note="later"), "note")
    problems = one.add_dataset(two.path)
    assert len(problems) == 3
    assert "000.tif is in one already: nothing was changed." in problems[0]
    assert len(one.sample_ids) == 6
    assert one.sample("000_2") == before


def test_a_sample_with_a_missing_file_is_left_out(one: CuratedDataset, two: CuratedDataset, images) -> None:
    (images / "two" / "raw" / "015.tif").unlink()
    (problem,) = one.add_dataset(two.path)
    assert "015" in problem
    assert "find the moved files of two first" in problem
    assert one.sample_ids == ("000", "002", "015", "000_2", "020")


def test_a_sample_without_the_channel_is_left_out(one: CuratedDataset, images) -> None:
    raw = images / "two" / "raw" / "000.tif"
    pixels = imread(raw)
    raw.unlink()
    write_image(raw.with_suffix(".ome.tif"), pixels, axes="YX", channel_names=["red"])
    assert one.channels == ("Channel 0",)
    (problem,) = one.add_dataset(create(images, "two").path)
    assert "no channel Channel 0" in problem
    assert one.sample_ids == ("000", "002", "015", "015_2", "020")


def test_labels_of_another_kind_are_refused(one: CuratedDataset, images) -> None:
    classes = create(images, "two", label_kind="semantic")
    with pytest.raises(DatasetError, match="name classes, and those of one number objects"):
        one.add_dataset(classes.path)


def test_a_dataset_is_not_added_to_itself(one: CuratedDataset) -> None:
    with pytest.raises(DatasetError, match="added to itself"):
        one.add_dataset(one.path)


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("at", range(6))
def test_when_copying_fails_nothing_is_added(one, two, at: int, monkeypatch) -> None:
    before, copied = files(one.path), []

    def copyfile(source, target):
        copied.append(source)
        if len(copied) > at:
            raise OSError(28, "No space left on device")
        return original(source, target)

    original = joining.shutil.copyfile
    monkeypatch.setattr(joining.shutil, "copyfile", copyfile)
    with pytest.raises(DatasetError, match="full"):
        one.add_dataset(two.path)
    monkeypatch.undo()
    assert files(one.path) == before
    assert one.add_dataset(two.path) == ()


def test_when_it_is_cancelled_nothing_is_added(one: CuratedDataset, two: CuratedDataset) -> None:
    before, asked = files(one.path), []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 4  # of three samples that are examined, and two that are copied

    with pytest.raises(Cancelled):
        one.add_dataset(two.path, context=Context(cancelled=cancelled))
    assert files(one.path) == before


def test_labels_that_a_killed_addition_left_are_not_taken(one: CuratedDataset, two: CuratedDataset) -> None:
    (one.path / "labels" / "000_2").mkdir(parents=True)
    one.add_dataset(two.path)
    assert "000_3" in one.sample_ids


def test_a_link_in_a_strangers_dataset_is_refused(one: CuratedDataset, two: CuratedDataset, tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (two.path / "labels" / "000" / "seg" / "1" / "more").symlink_to(secret)
    before = files(one.path)
    with pytest.raises(DatasetError, match="is a link"):
        one.add_dataset(two.path)
    assert files(one.path) == before
