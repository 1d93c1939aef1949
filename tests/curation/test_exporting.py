"""Curated datasets for other tools: each format read back by what it is for, or by its own description."""

from __future__ import annotations

import csv
import json
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import regionprops
from tifffile import imread

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Region
from segloop.cli.command import run
from segloop.core.context import Cancelled, Context
from segloop.core.errors import DatasetError
from segloop.curation.export import FORMATS
from segloop.curation.export.coco import run_lengths
from segloop.curation.exporting import export_dataset
from segloop.images.labels import read_labels
from segloop.images.listing import image_files
from segloop.images.pairing import Pair, pair_by_stem
from segloop.images.read import open_image
from segloop.images.write import write_image

EXCLUDED = Region(id="r", kind="exclude", shape="rectangle", vertices=[(0, 0), (0, 8), (8, 8), (8, 0)])


def make(folder: Path, n_slices: int = 1, kind: str = "instances") -> CuratedDataset:
    """Three images of two channels: one for each split, of which the first has an excluded corner."""
    rng = np.random.default_rng(0)
    pairs = []
    for stem in "abc":
        labels = np.zeros((n_slices, 30, 40), np.uint16)
        labels[:, 2:12, 2:12], labels[:, 15:25, 5:15], labels[:, 3:20, 20:35] = 1, 2, 3
        raw = rng.integers(0, 200, (2, n_slices, 30, 40)).astype(np.uint16)
        size = (2.0, 0.5, 0.5)
        names = ["DAPI", "GFP"]
        paths = [
            write_image(
                folder / "raw" / f"{stem}.ome.tif",
                raw,
                axes="CZYX",
                channel_names=names,
                pixel_size_um=size,
            ),
            write_image(folder / "seg" / f"{stem}.ome.tif", labels, axes="ZYX", pixel_size_um=size),
        ]
        pairs.append(Pair(stem, *paths))
    dataset = CuratedDataset.create(folder / "cells", pairs, val=0, accept_all=True, label_kind=kind)
    for sample_id, split in zip("abc", ("train", "val", "test"), strict=True):
        dataset.set_split(sample_id, split)
    dataset.edit("a", lambda now: now.edit(regions=[EXCLUDED], note="corner"), "exclude")
    return dataset


@pytest.fixture
def cells(tmp_path: Path) -> CuratedDataset:
    return make(tmp_path)


def truth(dataset: CuratedDataset, sample_id: str) -> np.ndarray:
    found = dataset.ground_truth(dataset.sample(sample_id))
    return np.where(found.valid, found.labels, 0)


def raw(dataset: CuratedDataset, sample_id: str) -> np.ndarray:
    return dataset.raw(dataset.sample(sample_id)).load()[0]


@pytest.mark.parametrize("n_slices", [1, 4])
def test_pairs_become_the_same_dataset_again(tmp_path: Path, n_slices: int) -> None:
    cells = make(tmp_path, n_slices)
    exported = export_dataset(cells.path, "pairs", tmp_path / "out")
    assert (exported.sample_ids, exported.problems) == (("a", "b", "c"), ())
    pairs = pair_by_stem(tmp_path / "out" / "raw", tmp_path / "out" / "labels").pairs
    again = CuratedDataset.create(tmp_path / "again", pairs, accept_all=True)
    for sample_id in "abc":
        assert np.array_equal(truth(again, sample_id), truth(cells, sample_id))
        assert np.array_equal(raw(again, sample_id), raw(cells, sample_id))
    assert again.raw(again.sample("a")).channel_names == ("DAPI", "GFP")
    valid = imread(tmp_path / "out" / "valid" / "a.tif")
    assert np.array_equal(valid.reshape(n_slices, 30, 40) > 0, cells.ground_truth(cells.sample("a")).valid)
    with (tmp_path / "out" / "dataset.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["sample"], row["split"], row["valid"], row["note"]) for row in rows] == [
        ("a", "train", "valid/a.tif", "corner"),
        ("b", "val", "", ""),
        ("c", "test", "", ""),
    ]
    assert all((tmp_path / "out" / row["raw"]).is_file() for row in rows)


def test_cellpose_finds_masks_beside_images(cells: CuratedDataset, tmp_path: Path) -> None:
    exported = export_dataset(cells.path, "cellpose", tmp_path / "out")
    for folder, sample_id in (("train", "a"), ("test", "b"), ("held_out", "c")):
        masks = imread(tmp_path / "out" / folder / f"{sample_id}_masks.tif")
        assert masks.dtype == np.uint16
        assert np.array_equal(masks, truth(cells, sample_id)[0])
        assert imread(tmp_path / "out" / folder / f"{sample_id}.tif").shape == (2, 30, 40)
    assert "no excluded pixels" in exported.notes[0]


def test_stardist_finds_images_and_masks_of_one_name(cells: CuratedDataset, tmp_path: Path) -> None:
    export_dataset(cells.path, "stardist", tmp_path / "out")
    for folder, sample_id in (("train", "a"), ("val", "b"), ("test", "c")):
        masks = imread(tmp_path / "out" / folder / "masks" / f"{sample_id}.tif")
        assert np.array_equal(masks, truth(cells, sample_id)[0])
        assert (tmp_path / "out" / folder / "images" / f"{sample_id}.tif").is_file()


@pytest.mark.parametrize("tool", ["cellpose", "stardist"])
def test_tools_for_objects_refuse_classes(tmp_path: Path, tool: str) -> None:
    classes = make(tmp_path, kind="semantic")
    with pytest.raises(DatasetError, match="name classes: export them with --to pairs or nnunet"):
        export_dataset(classes.path, tool, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("n_slices", [1, 4])
@pytest.mark.parametrize("kind", ["instances", "semantic"])
def test_nnunet_has_its_folders_and_its_label_to_ignore(tmp_path: Path, n_slices: int, kind: str) -> None:
    cells = make(tmp_path, n_slices, kind)
    export_dataset(cells.path, "nnunet", tmp_path / "out")
    root = tmp_path / "out" / "Dataset501_cells"
    content = json.loads((root / "dataset.json").read_text("utf-8"))
    assert content["channel_names"] == {"0": "DAPI", "1": "GFP"}
    assert (content["numTraining"], content["file_ending"]) == (2, ".tif")
    classes = {"foreground": 1} if kind == "instances" else {f"class {n}": n for n in (1, 2, 3)}
    ignored = len(classes) + 1
    assert content["labels"] == {"background": 0, **classes, "ignore": ignored}
    valid = cells.ground_truth(cells.sample("a")).valid
    expected = truth(cells, "a") if kind == "semantic" else truth(cells, "a") > 0
    labels = imread(root / "labelsTr" / "a.tif").reshape(expected.shape)
    assert np.array_equal(labels, np.where(valid, expected, ignored))
    for channel in (0, 1):
        pixels = imread(root / "imagesTr" / f"b_000{channel}.tif").reshape(expected.shape)
        assert np.array_equal(pixels, raw(cells, "b")[channel])
    assert (root / "imagesTs" / "c_0001.tif").is_file()
    spacing = root / "imagesTr" / "a.json"
    if n_slices > 1:
        assert json.loads(spacing.read_text("utf-8")) == {"spacing": [2.0, 0.5, 0.5]}
    else:
        assert not spacing.exists()


def unpacked(segmentation: dict) -> np.ndarray:
    """Return the mask that run lengths down the columns describe."""
    height, width = segmentation["size"]
    flat = np.zeros(height * width, bool)
    ends = list(accumulate(segmentation["counts"]))
    for start, end in zip(ends[::2], ends[1::2], strict=False):
        flat[start:end] = True
    return flat.reshape(width, height).T


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_run_lengths_hold_any_mask(mask: np.ndarray) -> None:
    counts = run_lengths(mask)
    assert sum(counts) == mask.size
    assert np.array_equal(unpacked({"size": mask.shape, "counts": counts}), mask)


def test_coco_holds_masks_boxes_and_areas(cells: CuratedDataset, tmp_path: Path) -> None:
    export_dataset(cells.path, "coco", tmp_path / "out")
    content = json.loads((tmp_path / "out" / "annotations" / "train.json").read_text("utf-8"))
    (image,) = content["images"]
    assert (image["width"], image["height"]) == (40, 30)
    assert (tmp_path / "out" / "train" / image["file_name"]).is_file()
    objects = [each for each in content["annotations"] if not each["iscrowd"]]
    expected = regionprops(truth(cells, "a")[0])
    assert len(objects) == len(expected) == 3
    for found, region in zip(objects, expected, strict=True):
        top, left, bottom, right = region.bbox
        assert found["bbox"] == [left, top, right - left, bottom - top]
        assert found["area"] == region.area
        assert np.array_equal(unpacked(found["segmentation"]), truth(cells, "a")[0] == region.label)
    (ignored,) = [each for each in content["annotations"] if each["iscrowd"]]
    valid = cells.ground_truth(cells.sample("a")).valid[0]
    assert np.array_equal(unpacked(ignored["segmentation"]), ~valid)
    assert content["categories"] == [{"id": 1, "name": "object"}]


def test_stacks_are_refused_by_coco_and_nothing_is_left(tmp_path: Path) -> None:
    stacks = make(tmp_path, 4)
    with pytest.raises(DatasetError, match="a is a stack, which the format of COCO can't hold"):
        export_dataset(stacks.path, "coco", tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize("n_slices", [1, 4])
def test_ome_zarr_images_hold_their_labels(tmp_path: Path, n_slices: int) -> None:
    cells = make(tmp_path, n_slices)
    export_dataset(cells.path, "ome-zarr", tmp_path / "out")
    path = tmp_path / "out" / "train" / "a.ome.zarr"
    image = open_image(path)
    assert np.array_equal(image.load()[0], raw(cells, "a"))
    assert (image.channel_names, image.pixel_size_um) == (("DAPI", "GFP"), (2.0, 0.5, 0.5))
    assert np.array_equal(read_labels(path / "labels" / "truth"), truth(cells, "a"))
    valid = cells.ground_truth(cells.sample("a")).valid
    assert np.array_equal(read_labels(path / "labels" / "valid") > 0, valid)
    assert not (tmp_path / "out" / "val" / "b.ome.zarr" / "labels" / "valid").exists()
    assert [file.name for file in image_files(tmp_path / "out" / "val")] == ["b.ome.zarr"]


def test_only_accepted_samples_of_the_split_are_written(cells: CuratedDataset, tmp_path: Path) -> None:
    cells.edit("b", lambda now: now.edit(verdict="rejected"), "reject")
    assert export_dataset(cells.path, "pairs", tmp_path / "all").sample_ids == ("a", "c")
    assert export_dataset(cells.path, "pairs", tmp_path / "test", ["test"]).sample_ids == ("c",)
    with pytest.raises(DatasetError, match="has no accepted sample in val"):
        export_dataset(cells.path, "pairs", tmp_path / "val", ["val"])


@pytest.mark.parametrize("to", FORMATS)
def test_corrections_are_part_of_what_is_written(cells: CuratedDataset, tmp_path: Path, to: str) -> None:
    corrected = np.zeros((1, 30, 40), np.uint16)
    corrected[:, 20:28, 20:38] = 1
    cells.correct_labels("b", "seg", corrected)
    out = export_dataset(cells.path, to, tmp_path / "out").folder
    if to == "coco":
        (found,) = json.loads((out / "annotations" / "val.json").read_text("utf-8"))["annotations"]
        assert found["bbox"] == [20, 20, 18, 8]
        return
    files = {
        "pairs": out / "labels" / "b.tif",
        "cellpose": out / "test" / "b_masks.tif",
        "stardist": out / "val" / "masks" / "b.tif",
        "nnunet": out / "Dataset501_cells" / "labelsTr" / "b.tif",
        "ome-zarr": out / "val" / "b.ome.zarr" / "labels" / "truth",
    }
    assert np.array_equal(read_labels(files[to]), corrected)


def test_a_sample_that_can_not_be_read_is_named_and_the_others_are_written(
    cells: CuratedDataset, tmp_path: Path
) -> None:
    (tmp_path / "raw" / "b.ome.tif").unlink()
    exported = export_dataset(cells.path, "stardist", tmp_path / "out")
    assert exported.sample_ids == ("a", "c")
    assert "b.ome.tif" in exported.problems[0]


def test_a_folder_that_is_there_is_not_touched(cells: CuratedDataset, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(DatasetError, match="exists already: choose a new folder"):
        export_dataset(cells.path, "pairs", tmp_path / "out")
    with pytest.raises(DatasetError, match="There is no format labelme: choose one of pairs"):
        export_dataset(cells.path, "labelme", tmp_path / "other")


def test_a_cancelled_export_leaves_nothing(cells: CuratedDataset, tmp_path: Path) -> None:
    reported = []
    context = Context(reported.append, lambda: len(reported) > 2)
    with pytest.raises(Cancelled):
        export_dataset(cells.path, "pairs", tmp_path / "out", context=context)
    assert not list(tmp_path.glob("*out*"))


def test_the_command_line_writes_and_says_where(
    cells: CuratedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["dataset", "export", str(cells.path), "--to", "cellpose", "--out", str(tmp_path / "out")]
    assert run([*arguments, "--split", "train", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["samples"] == ["a"]
    assert "Warning: Cellpose knows no excluded pixels" in said.err
    assert run(arguments) == 1
    assert "exists already" in capsys.readouterr().err
