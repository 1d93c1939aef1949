"""Reading samples for display, on real nuclei."""

from __future__ import annotations

import os
import re
import shutil

import numpy as np
import pytest
from tifffile import imread, imwrite

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.label_changes import LabelChange
from segloop.artifacts.dataset.manifest import Region
from segloop.artifacts.dataset.segmentation import FileSource, ImageRef
from segloop.core.context import Context
from segloop.core.errors import Cancelled, SegloopError
from segloop.curation import pixels
from segloop.curation.pixel_cache import PixelCache
from segloop.curation.pixels import intensities_of
from segloop.curation.snapshot import load_snapshot, stripes
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
    assert np.array_equal(snapshot.pixels.raw[0][0], imread(folder / "raw" / "000.tif"))
    assert np.array_equal(snapshot.pixels.segmentations["seg"][0], imread(folder / "seg" / "000.tif"))


def test_an_exclusion_is_not_valid(dataset):
    corners = ((10.0, 10.0), (10.0, 30.0), (30.0, 30.0), (30.0, 10.0))
    region = Region(id="a", kind="exclude", shape="polygon", vertices=corners)
    snapshot = load_snapshot(dataset, first(dataset).edit(regions=(region,)), PixelCache())
    assert snapshot.excluded[0, 20, 20]
    assert not snapshot.excluded[0, 5, 5]


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
    channel[0, :3] = np.nan, 1e9, np.inf
    found = intensities_of(channel)
    assert 0 <= found.black < 1
    assert 99 < found.white < 101
    assert found[2:] == (channel[0, 3], 1e9)


def test_an_even_image_still_has_contrast():
    assert intensities_of(np.full((4, 4), 7, np.uint8)) == (7.0, 8.0, 7.0, 8.0)


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


# Stacks that are too large for memory


SHAPE = (12, 40, 50)


@pytest.fixture
def stack(tmp_path):
    """A dataset with a stack of two channels and two segmentations."""
    rng = np.random.default_rng(0)
    for name in ("raw", "seg", "seg2"):
        (tmp_path / name).mkdir()
    imwrite(tmp_path / "raw" / "a.tif", rng.integers(0, 900, (12, 2, 40, 50), np.uint16), imagej=True)
    blocks = np.kron(np.arange(1, 4 * 8 * 10 + 1).reshape(4, 8, 10), np.ones((3, 5, 5), int))
    for name, labels in (("seg", blocks), ("seg2", np.roll(blocks, (1, 2, 1), (0, 1, 2)))):
        imwrite(tmp_path / name / "a.tif", labels.astype(np.uint16), metadata={"axes": "ZYX"})
    made = CuratedDataset.create(
        tmp_path / "dataset", pair_by_stem(tmp_path / "raw", tmp_path / "seg").pairs, label_kind="instances"
    )
    made.add_segmentation("a", "second", FileSource(image=ImageRef(path=str(tmp_path / "seg2" / "a.tif"))))
    return made


def regions():
    corners = ((4.0, 7.0), (4.0, 31.0), (33.0, 31.0), (33.0, 7.0))
    shape = {"shape": "polygon", "vertices": corners, "z_first": 2, "z_last": 9}
    return (
        Region(id="a", kind="exclude", **{**shape, "z_first": 7}),
        Region(id="b", kind="merge", segmentation="second", cut="object", **shape),
    )


def test_a_large_stack_is_shown_as_a_small_one(stack, monkeypatch):
    """Pixel by pixel, though it is read slice by slice."""
    sample = stack.sample("a").edit(regions=regions())
    whole = load_snapshot(stack, sample, PixelCache())
    monkeypatch.setattr(pixels, "LAZY_FROM", 0)
    lazy = load_snapshot(stack, sample, PixelCache())
    assert lazy.pixels.is_lazy
    assert not whole.pixels.is_lazy
    assert lazy.pixels.n_bytes == 0
    assert whole.excluded.any()
    assert np.setdiff1d(whole.truth, whole.pixels.segmentations["seg"]).size  # of the second segmentation
    pairs = [
        *zip(lazy.pixels.raw, whole.pixels.raw, strict=True),
        *((lazy.pixels.segmentations[name], whole.pixels.segmentations[name]) for name in ("seg", "second")),
        (lazy.truth, whole.truth),
        (lazy.excluded, whole.excluded),
    ]
    for found, wanted in pairs:
        assert found.dtype == wanted.dtype
        assert np.array_equal(found, wanted)
        assert all(np.array_equal(found[z], wanted[z]) for z in range(len(wanted)))
        assert np.array_equal(found[:, 11, 3:], wanted[:, 11, 3:])
    for found, wanted in zip(lazy.pixels.intensities, whole.pixels.intensities, strict=True):
        assert np.allclose(found, wanted, atol=20)


def test_what_did_not_change_of_a_large_stack_stays_the_same(stack, monkeypatch):
    monkeypatch.setattr(pixels, "LAZY_FROM", 0)
    cache, sample = PixelCache(), stack.sample("a")
    before = load_snapshot(stack, sample, cache)
    again = load_snapshot(stack, sample.edit(note="seen"), cache, before)
    assert again.truth is before.truth
    assert again.excluded is before.excluded
    changed = load_snapshot(stack, sample.edit(regions=regions()), cache, again)
    assert changed.pixels is before.pixels
    assert changed.excluded[8].any()


def test_a_large_stack_that_was_corrected_is_shown_corrected(stack, monkeypatch):
    monkeypatch.setattr(pixels, "LAZY_FROM", 0)
    before = stack.labels(stack.sample("a"))
    after = before.astype(np.uint32)
    after[3, 4:9, 5:8] = 7777
    stack.change_labels("a", "seg", LabelChange.between(before, after))
    shown = load_snapshot(stack, stack.sample("a"), PixelCache())
    assert np.array_equal(shown.truth, after)


def test_the_file_of_a_large_stack_may_be_damaged(stack, monkeypatch):
    monkeypatch.setattr(pixels, "LAZY_FROM", 0)
    shown = load_snapshot(stack, stack.sample("a"), PixelCache())
    path = stack.label_file(stack.sample("a")).path
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(SegloopError, match=re.escape(str(path))):
        shown.truth[11]
