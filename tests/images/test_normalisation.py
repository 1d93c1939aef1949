from __future__ import annotations

import tracemalloc
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile

from segloop.core.context import Context, Progress
from segloop.core.errors import Cancelled
from segloop.images.image import Image
from segloop.images.normalisation import blocks, normalise, percentile_ranges
from segloop.images.read import open_image

PERCENTILES = [(1.0, 99.8), (0.0, 100.0), (3.3, 50.0), (49.0, 51.0)]


def skewed(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).gamma(1.5, 90.0, shape)


def chunked(array: np.ndarray, axes: str, chunks: tuple[int, ...]) -> Image:
    return Image.from_array(da.from_array(array, chunks=chunks), axes)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize(("low", "high"), PERCENTILES)
def test_small_integers_equal_numpy_exactly(dtype: str, low: float, high: float) -> None:
    limits = np.iinfo(dtype)
    array = np.clip(skewed(2, 3, 70, 90) + limits.min + 5, limits.min, limits.max).astype(dtype)
    ranges = percentile_ranges(chunked(array, "CZYX", (1, 2, 33, 40)), 0, [1, 0], low, high)
    expected = np.percentile(array, [low, high], axis=(1, 2, 3)).T[::-1]
    assert ranges.dtype == np.float32
    assert np.array_equal(ranges, expected.astype(np.float32))


@pytest.mark.parametrize("dtype", ["uint32", "int32", "float16", "float32", "float64"])
@pytest.mark.parametrize(("low", "high"), PERCENTILES)
def test_other_types_are_within_a_65536th_of_the_range(dtype: str, low: float, high: float) -> None:
    array = skewed(2, 3, 70, 90).astype(dtype)
    ranges = percentile_ranges(chunked(array, "CZYX", (1, 2, 33, 40)), 0, [0, 1], low, high)
    expected = np.percentile(array.astype(np.float64), [low, high], axis=(1, 2, 3)).T
    span = np.ptp(array.astype(np.float64), axis=(1, 2, 3))[:, None]
    assert np.all(np.abs(ranges - expected) <= span / 65536 + 1e-4)


def test_one_hot_pixel_does_not_coarsen_the_percentiles() -> None:
    array = skewed(200, 200).astype(np.float32)
    array[7, 7] = 1e9
    expected = np.percentile(array, [1.0, 99.8])
    ranges = percentile_ranges(Image.from_array(array), 0, [0], 1.0, 99.8)
    assert ranges[0] == pytest.approx(expected, abs=np.ptp(expected) / 1000)


def test_nan_and_infinity_are_ignored() -> None:
    array = skewed(100, 100).astype(np.float32)
    clean = percentile_ranges(Image.from_array(array[10:]), 0, [0], 1, 99)
    array[:10] = np.nan
    array[3], array[4] = np.inf, -np.inf
    assert np.array_equal(percentile_ranges(Image.from_array(array), 0, [0], 1, 99), clean)


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_constant_channel_has_an_empty_range_and_becomes_0(value: float) -> None:
    array = np.full((1, 1, 8, 8), value, np.float32)
    ranges = percentile_ranges(Image.from_array(array, "CZYX"), 0, [0], 1, 99)
    assert ranges[0, 0] == ranges[0, 1]
    assert np.array_equal(normalise(array, ranges, -1, 4), np.zeros_like(array))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
@pytest.mark.parametrize("background", [0, 100])
def test_the_few_bright_pixels_of_a_sparse_image_are_kept(dtype: str, background: int) -> None:
    array = np.full((3, 100, 100), background, dtype)
    array[1, 40, 40:45] = [120, 140, 160, 180, 200]
    ranges = percentile_ranges(chunked(array, "ZYX", (1, 33, 40)), 0, [0], 1, 99.8)
    assert ranges[0] == pytest.approx([background, 200], abs=1e-9)
    scaled = normalise(array[None], ranges, -1, 4)
    assert scaled[0, 1, 40, 44] == pytest.approx(1)
    assert scaled[0, 0] == pytest.approx(0)


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "float32"])
def test_the_few_dark_pixels_of_a_bright_image_are_kept(dtype: str) -> None:
    array = np.full((100, 100), 255, dtype)
    array[40, 40:45] = 55
    ranges = percentile_ranges(Image.from_array(array), 0, [0], 1, 99.8)
    assert ranges[0] == pytest.approx([55, 255], abs=1e-9)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_each_channel_of_a_sparse_image_stands_on_its_own(dtype: str) -> None:
    array = np.stack([np.zeros((100, 100)), np.full((100, 100), 7), skewed(100, 100)]).astype(dtype)
    array[0, 3, 3] = 50
    ranges = percentile_ranges(Image.from_array(array, "CYX"), 0, [0, 1, 2], 1, 99.8)
    assert ranges[0] == pytest.approx([0, 50], abs=1e-9)
    assert ranges[1].tolist() == [7, 7]
    assert ranges[2] == pytest.approx(np.percentile(array[2], [1, 99.8]), abs=0.02)


def test_each_time_point_is_measured_alone() -> None:
    array = np.stack([np.full((8, 8), 3), np.full((8, 8), 9)]).astype(np.uint8)
    image = Image.from_array(array, "TYX")
    assert percentile_ranges(image, 1, [0], 0, 100).tolist() == [[9, 9]]


def test_percentiles_become_0_and_1_and_the_rest_is_clipped() -> None:
    block = np.array([0, 10, 20, 30, 1000], np.uint16).reshape(1, 1, 1, 5)
    scaled = normalise(block, np.array([[10, 20]]), -0.5, 4.0)
    assert scaled.dtype == np.float32
    assert scaled.ravel().tolist() == [-0.5, 0, 1, 2, 4]


def test_normalised_values_are_always_finite() -> None:
    block = np.array([np.nan, np.inf, -np.inf, 1e300, 5], np.float64).reshape(1, 1, 1, 5)
    assert normalise(block, np.array([[0, 10]]), -1, 4).ravel().tolist() == [0, 4, -1, 4, 0.5]


def test_the_callers_block_is_left_alone() -> None:
    block = np.ones((1, 1, 2, 2), np.float32)
    normalise(block, np.array([[0, 4]]), -1, 4)
    assert block.min() == 1


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [((7, 3000, 2500), (1, 512, 512)), ((40, 300, 300), (1, 64, 64)), ((3, 5000, 10), (3, 5000, 10))],
)
def test_blocks_cover_every_pixel_once(shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
    covered = np.zeros(shape, np.uint8)
    for z, y, x in blocks(Image.from_array(da.zeros(shape, chunks=chunks, dtype=np.uint8), "ZYX")):
        assert covered[z, y, x].size <= max(4 << 20, np.prod(chunks))
        covered[z, y, x] += 1
    assert covered.min() == covered.max() == 1


def test_memory_is_that_of_a_block_not_of_the_image(tmp_path: Path) -> None:
    shape = (12, 2048, 2048)
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.broadcast_to(np.arange(2048, dtype=np.uint16), shape),
        tile=(256, 256),
        compression="zlib",
        photometric="minisblack",
        metadata={"axes": "ZYX"},
    )
    image = open_image(tmp_path / "a.tif")
    image.block(0, [0], slice(0, 1), slice(0, 8), slice(0, 8))
    tracemalloc.start()
    try:
        percentile_ranges(image, 0, [0], 1, 99.8)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < np.prod(shape) * 2 * 0.75


def test_progress_is_reported_and_cancel_heeded() -> None:
    seen: list[Progress] = []
    image = chunked(np.zeros((8, 1024, 1024), np.uint8), "ZYX", (1, 1024, 1024))
    percentile_ranges(image, 0, [0], 1, 99, Context(report=seen.append))
    assert seen[-1].fraction == 1
    with pytest.raises(Cancelled):
        percentile_ranges(image, 0, [0], 1, 99, Context(cancelled=lambda: True))


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64"])
def test_wide_integers_of_few_values_are_counted_exactly(dtype: str) -> None:
    rng = np.random.default_rng(7)
    narrow = rng.poisson(20, (64, 96)).astype(np.uint16)
    offset = 3_000_000_000 if dtype in ("uint32", "int64", "uint64") else 70_000
    wide = narrow.astype(dtype) + np.array(offset, dtype)
    found = percentile_ranges(Image.from_array(wide, "YX"), 0, [0], 1.0, 99.8)
    np.testing.assert_array_equal(found, np.percentile(wide, [1.0, 99.8]).astype(np.float32)[None])
