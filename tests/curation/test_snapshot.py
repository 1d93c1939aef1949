"""Reading samples for display, on real nuclei."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from tifffile import imread, imwrite

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Region
from segloop.core.context import Context
from segloop.core.errors import Cancelled, SegloopError
from segloop.curation.snapshot import PixelCache, contrast_limits, load_snapshot, stripes
from segloop.images.pairing import pair_by_stem


@pytest.fixture
def folder(sample_nuclei, tmp_path):
    for name in ("raw", "seg"):
        (tmp_path / name).mkdir()
        for path in sorted((sample_nuclei / name).glob("*.tif"))[:2]:
            shutil.copy(path, tmp_path / name / path.name)
    return tmp_path


@pytest.fixture
def dataset(folder):
    return CuratedDataset.create(folder / "dataset", pair_by_stem(folder / "raw", folder / "seg").pairs)


def first(dataset):
    return dataset.sample(dataset.sample_ids[0])


def test_a_snapshot_has_the_files_pixels(dataset, folder):
    snapshot = load_snapshot(dataset, first(dataset), PixelCache())
    assert np.array_equal(snapshot.pixels.raw[0, 0], imread(folder / "raw" / "000.tif"))
    assert np.array_equal(snapshot.pixels.segmentations["seg"][0], imread(folder / "seg" / "000.tif"))


def test_an_exclusion_is_not_valid(dataset):
    corners = ((10.0, 10.0), (10.0, 30.0), (30.0, 30.0), (30.0, 10.0))
    region = Region(id="a", kind="exclude", shape="polygon", vertices=corners)
    snapshot = load_snapshot(dataset, first(dataset).edit(regions=(region,)), PixelCache())
    assert not snapshot.ground_truth.valid[0, 20, 20]
    assert snapshot.ground_truth.valid[0, 5, 5]


def test_pixels_are_read_once(dataset, folder):
    cache = PixelCache()
    before = load_snapshot(dataset, first(dataset), cache)
    (folder / "raw" / "000.tif").unlink()
    assert load_snapshot(dataset, first(dataset), cache).pixels is before.pixels


def test_a_segmentation_that_was_exported_again_is_read_again(dataset, folder):
    cache = PixelCache()
    before = load_snapshot(dataset, first(dataset), cache).pixels.segmentations["seg"]
    file = folder / "seg" / "000.tif"
    then = file.stat().st_mtime_ns
    imwrite(file, before[0][::-1].copy())
    os.utime(file, ns=(then + 10**9, then + 10**9))
    assert np.array_equal(
        load_snapshot(dataset, first(dataset), cache).pixels.segmentations["seg"], before[:, ::-1]
    )


def test_a_full_cache_forgets_the_oldest(dataset, folder):
    cache = PixelCache(max_bytes=1)
    for sample in dataset.samples():
        load_snapshot(dataset, sample, cache)
    (folder / "raw" / "000.tif").unlink()
    with pytest.raises(SegloopError, match=r"000\.tif"):
        load_snapshot(dataset, first(dataset), cache)


def test_other_shapes_are_told_with_the_file(dataset, folder):
    imwrite(folder / "seg" / "000.tif", np.ones((9, 7), np.uint16))
    with pytest.raises(SegloopError, match="9 x 7"):
        load_snapshot(dataset, first(dataset), PixelCache())


def test_cancel_is_heeded(dataset):
    with pytest.raises(Cancelled):
        load_snapshot(dataset, first(dataset), PixelCache(), context=Context(cancelled=lambda: True))


def test_contrast_ignores_outliers_and_nan():
    channel = np.linspace(0, 100, 10_000, dtype=np.float32).reshape(100, 100)
    channel[0, 0], channel[0, 1] = np.nan, 1e9
    low, high = contrast_limits(channel)
    assert 0 <= low < 1
    assert 99 < high < 101


def test_an_even_image_still_has_contrast():
    assert contrast_limits(np.full((4, 4), 7, np.uint8)) == (7.0, 8.0)


def test_stripes_cover_what_is_not_valid():
    valid = np.ones((1, 32, 32), bool)
    valid[0, :16] = False
    hatch = stripes(valid)
    assert (hatch[0, 16:] == 0).all()
    assert set(np.unique(hatch[0, :16])) == {1, 2}


def test_what_did_not_change_stays_the_same_array(dataset):
    cache, sample = PixelCache(), first(dataset)
    before = load_snapshot(dataset, sample, cache)
    again = load_snapshot(dataset, sample.edit(note="seen"), cache, before)
    assert again.truth is before.truth
    assert again.excluded is before.excluded
    corners = ((10.0, 10.0), (10.0, 30.0), (30.0, 30.0), (30.0, 10.0))
    region = Region(id="a", kind="exclude", shape="polygon", vertices=corners)
    changed = load_snapshot(dataset, sample.edit(regions=(region,)), cache, again)
    assert not np.array_equal(changed.excluded, before.excluded)
