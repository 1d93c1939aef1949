"""Crops of images and their segmentations, and the dataset that is made of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tifffile import imread

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.core.context import Context
from segloop.core.errors import Cancelled, ImageError
from segloop.curation.cropping import GROUP_PATTERN, Crops, CropSize, crop_images, places_of
from segloop.images.pairing import pair_by_stem
from segloop.images.read import open_image
from segloop.images.write import write_image

SHAPE = (6, 90, 130)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two stacks of two channels with labels, one in a subfolder."""
    rng = np.random.default_rng(0)
    for stem in ("a", "sub/b"):
        pixels = rng.integers(0, 4000, (2, *SHAPE)).astype(np.uint16)
        names, size = ["DAPI", "actin"], (2.0, 0.5, 0.5)
        write_image(
            tmp_path / "images" / f"{stem}.ome.tif",
            pixels,
            axes="CZYX",
            channel_names=names,
            pixel_size_um=size,
        )
        labels = rng.integers(0, 9, SHAPE).astype(np.uint16)
        write_image(tmp_path / "masks" / f"{stem}.tif", labels, axes="ZYX")
    return tmp_path


def labelled(folder: Path, size: CropSize) -> Crops:
    """Crop the images and their labels."""
    return crop_images(str(folder / "images"), folder / "crops", {"seg": str(folder / "masks")}, size=size)


def place(name: str) -> tuple[int, int, int]:
    z, y, x = name.removesuffix(".ome.tif").split("_")[-3:]
    return int(z[1:]), int(y[1:]), int(x[1:])


def test_crops_are_parts_of_the_images_with_all_that_is_known_of_these(folder: Path) -> None:
    crops = crop_images(
        str(folder / "images"), folder / "crops", {"seg": str(folder / "masks")}, size=CropSize(32, 4)
    )
    assert len(crops.files) == 8
    assert crops.problems == []
    for file in crops.files:
        image = open_image(file)
        relative = file.relative_to(folder / "crops" / "raw")
        z, y, x = place(file.name)
        part = (slice(z, z + 4), slice(y, y + 32), slice(x, x + 32))
        stem = relative.name.split("_z")[0]
        whole = open_image(folder / "images" / relative.parent / f"{stem}.ome.tif")
        assert np.array_equal(image.load()[0], whole.load()[0][(slice(None), *part)])
        assert image.channel_names == ("DAPI", "actin")
        assert image.pixel_size_um == (2.0, 0.5, 0.5)
        labels = imread(folder / "masks" / relative.parent / f"{stem}.tif")
        assert np.array_equal(imread(folder / "crops" / "seg" / relative), labels[part])


def test_a_dataset_of_crops_keeps_those_of_an_image_together(folder: Path) -> None:
    crop_images(
        str(folder / "images"), folder / "crops", {"seg": str(folder / "masks")}, size=CropSize(32, 4)
    )
    pairing = pair_by_stem(folder / "crops" / "raw", folder / "crops" / "seg")
    assert pairing.problems == ()
    made = CuratedDataset.create(folder / "dataset", pairing.pairs, group_by=GROUP_PATTERN, val=0.5)
    splits = {
        sample.group: {each.split for each in made.samples() if each.group == sample.group}
        for sample in made.samples()
    }
    assert sorted(splits) == ["a", "sub/b"]
    assert sorted(splits.values(), key=str) == [{"train"}, {"val"}]


def test_the_same_seed_gives_the_same_crops(folder: Path) -> None:
    names = [
        [
            file.name
            for file in crop_images(str(folder / "images"), folder / name, size=CropSize(16), seed=seed).files
        ]
        for name, seed in (("one", 1), ("two", 1), ("three", 2))
    ]
    assert names[0] == names[1]
    assert names[0] != names[2]


SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(st.tuples(SIZES, SIZES, SIZES), st.integers(0, 6), st.integers(0, 99))
def test_crops_lie_inside_and_random_ones_apart_and_a_grid_covers_all(sizes, count: int, seed: int) -> None:
    shape, size = tuple(max(each) for each in sizes), tuple(min(each) for each in sizes)
    seen = np.zeros(shape, np.uint8)
    for corner in places_of(shape, size, count, np.random.default_rng(seed)):
        assert all(0 <= at <= whole - part for at, whole, part in zip(corner, shape, size, strict=True))
        seen[tuple(slice(at, at + part) for at, part in zip(corner, size, strict=True))] += 1
    if count:
        assert seen.max() == 1
        cells = np.prod([whole // part for whole, part in zip(shape, size, strict=True)])
        assert seen.sum() == np.prod(size) * min(count, cells)
    else:
        assert seen.min() == 1


def test_a_small_image_is_one_crop(folder: Path) -> None:
    crops = crop_images(str(folder / "images" / "a.ome.tif"), folder / "crops", size=CropSize(512))
    assert [file.name for file in crops.files] == ["a_z0_y0_x0.ome.tif"]
    assert open_image(crops.files[0]).shape == open_image(folder / "images" / "a.ome.tif").shape


def test_what_cannot_be_cropped_is_left_out(folder: Path) -> None:
    write_image(folder / "masks" / "a.tif", np.zeros((6, 90, 129), np.uint8), axes="ZYX")
    crops = crop_images(
        str(folder / "images"), folder / "crops", {"seg": str(folder / "masks")}, size=CropSize(32)
    )
    assert {file.parent.name for file in crops.files} == {"sub"}
    (problem,) = crops.problems
    assert "a.tif has (6, 90, 129)" in problem


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("full", "not an empty folder"),
        ("name", "can't be named raw"),
        ("none", "does not exist"),
        ("damaged", "could be cropped"),
    ],
)
def test_bad_input_is_one_sentence(folder: Path, broken: str, said: str) -> None:
    raw, segmentations = str(folder / "images"), {}
    if broken == "full":
        (folder / "crops").mkdir()
        (folder / "crops" / "mine.txt").write_text("kept")
    elif broken == "name":
        segmentations = {"Raw": str(folder / "masks")}
    elif broken == "none":
        shutil.rmtree(folder / "images")
    else:
        for file in (folder / "images").rglob("*.tif"):
            file.write_bytes(file.read_bytes()[:300])
    said = {
        "full": "not an empty folder",
        "name": "can't be named raw",
        "none": "images",
        "damaged": "could be cropped",
    }
    with pytest.raises(ImageError, match=said[broken]):
        crop_images(raw, folder / "crops", segmentations)


def test_it_can_be_cancelled(folder: Path) -> None:
    asked = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 4

    with pytest.raises(Cancelled):
        crop_images(
            str(folder / "images"), folder / "crops", size=CropSize(16), context=Context(cancelled=cancelled)
        )
    assert all(open_image(file).load().any() for file in (folder / "crops").rglob("*.tif"))
