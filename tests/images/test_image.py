from __future__ import annotations

import subprocess
import sys

import dask.array as da
import numpy as np
import pytest

from segloop.core.errors import ImageError
from segloop.images.image import Image
from segloop.images.recipe import resolve_channels

ALL = slice(None)


def numbered(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)


@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        ("YX", (4, 5), (1, 1, 1, 4, 5)),
        ("ZYX", (3, 4, 5), (1, 1, 3, 4, 5)),
        ("CYX", (3, 4, 5), (1, 3, 1, 4, 5)),
        ("YXC", (4, 5, 2), (1, 2, 1, 4, 5)),
        ("TZCYX", (2, 3, 4, 5, 6), (2, 4, 3, 5, 6)),
        ("YXS", (4, 5, 3), (1, 3, 1, 4, 5)),
        ("YXS", (4, 5, 4), (1, 3, 1, 4, 5)),
        ("CYXS", (2, 4, 5, 3), (1, 6, 1, 4, 5)),
    ],
)
def test_axes_become_tczyx(axes: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert Image.from_array(numbered(*shape), axes).shape == expected


def test_pixels_stay_with_their_axes() -> None:
    array = numbered(2, 3, 4, 5, 6)
    image = Image.from_array(array, "TZCYX")
    assert np.array_equal(
        image.block(1, [2, 0], slice(1, 3), ALL, slice(2, 4)), array[1, 1:3, [2, 0], :, 2:4]
    )


def test_samples_within_channels_stay_in_order() -> None:
    array = numbered(2, 4, 5, 3)
    block = Image.from_array(array, "CYXS").block(0, [4], ALL, ALL, ALL)
    assert np.array_equal(block[0, 0], array[1, :, :, 1])


def test_block_is_the_callers_to_change() -> None:
    array = numbered(4, 5)
    Image.from_array(array).block(0, [0], ALL, ALL, ALL)[...] = 7
    assert np.array_equal(array, numbered(4, 5))


def test_bool_becomes_uint8_and_byte_order_native() -> None:
    flags = Image.from_array(np.ones((2, 2), dtype=bool))
    swapped = Image.from_array(np.full((2, 2), 258, dtype=">u2"))
    assert flags.block(0, [0], ALL, ALL, ALL).dtype == np.uint8
    assert swapped.dtype.isnative
    assert swapped.block(0, [0], ALL, ALL, ALL).max() == 258


def test_wrapping_an_array_reads_nothing() -> None:
    def fail(block: np.ndarray) -> np.ndarray:
        raise AssertionError("read")

    lazy = da.zeros((8, 8), dtype=np.uint8).map_blocks(fail, dtype=np.uint8, meta=np.empty((0, 0), np.uint8))
    assert Image.from_array(lazy).shape == (1, 1, 1, 8, 8)


@pytest.mark.parametrize(("wanted", "index"), [("DAPI", 0), ("gfp", 1), (2, 2), ("2", 2), (" dapi ", 0)])
def test_channels_go_by_name_or_number(wanted: str | int, index: int) -> None:
    image = Image.from_array(numbered(3, 2, 2), "CYX", ("DAPI", "GFP", "RFP"))
    assert image.channel_index(wanted) == index


def test_a_channels_name_goes_before_its_number() -> None:
    assert Image.from_array(numbered(2, 2, 2), "CYX", ("1", "0")).channel_index("0") == 1


@pytest.mark.parametrize("wanted", ["Cy5", 2, -1, ""])
def test_missing_channel_lists_those_there_are(wanted: str | int) -> None:
    image = Image.from_array(numbered(2, 2, 2), "CYX", ("DAPI", "GFP"), name="a.tif")
    with pytest.raises(ImageError, match=r"a\.tif has no channel .*0: DAPI, 1: GFP"):
        image.channel_index(wanted)


def test_ambiguous_channel_name_is_refused() -> None:
    image = Image.from_array(numbered(2, 2, 2), "CYX", ("GFP", "gfp"))
    assert image.channel_index("gfp") == 1
    with pytest.raises(ImageError, match="2 channels named Gfp"):
        image.channel_index("Gfp")


def test_recipe_keeps_the_order_wanted_and_defaults_to_all() -> None:
    image = Image.from_array(numbered(3, 2, 2), "CYX", ("DAPI", "GFP", "RFP"))
    assert resolve_channels(image, ["RFP", "0"]) == (2, 0)
    assert resolve_channels(image, []) == (0, 1, 2)


def test_recipe_refuses_a_channel_twice() -> None:
    image = Image.from_array(numbered(3, 2, 2), "CYX", ("DAPI", "GFP", "RFP"), name="a.tif")
    with pytest.raises(ImageError, match=r"a\.tif.* one channel twice"):
        resolve_channels(image, ["GFP", 1])


@pytest.mark.parametrize(
    ("array", "axes", "sentence"),
    [
        (numbered(2, 3), "ZYX", "2 axes, not the 3"),
        (numbered(2, 3), "ZY", "Y and X"),
        (numbered(2, 3, 4), "QYX", "reorder its axes"),
        (np.zeros((2, 2), complex), "YX", "not real numbers"),
        (np.zeros((0, 2)), "YX", "has no pixels"),
    ],
)
def test_arrays_that_are_no_image_are_refused(array: np.ndarray, axes: str, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence):
        Image.from_array(array, axes)


def test_channel_names_must_be_as_many_as_channels() -> None:
    with pytest.raises(ImageError, match="one name for each channel"):
        Image.from_array(numbered(2, 2, 2), "CYX", ("DAPI",))


def test_importing_is_light() -> None:
    code = (
        "import sys, segloop.images.image, segloop.images.read, segloop.images.write, segloop.images.labels\n"
        "import segloop.images.normalisation, segloop.images.recipe\n"
        "heavy = {'bioio', 'dask', 'zarr', 'tifffile', 'torch', 'skimage', 'xarray'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
