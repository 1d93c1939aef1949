from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from segloop.core.errors import ImageError
from segloop.images.image import Image
from segloop.images.labels import labels_of, read_labels
from segloop.images.read import open_image


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int16", "int32"])
def test_integers_of_any_width_keep_type_and_value(tmp_path: Path, dtype: str) -> None:
    array = np.zeros((3, 20, 30), dtype)
    array[1, 4:9, 5:9] = np.iinfo(dtype).max
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", metadata={"axes": "ZYX"})
    labels = read_labels(tmp_path / "a.tif")
    assert labels.dtype == dtype
    assert np.array_equal(labels, array)


def test_planes_become_one_slice_volumes(sample_nuclei: Path) -> None:
    labels = read_labels(sample_nuclei / "seg" / "015.tif")
    assert labels.shape == (1, *tifffile.imread(sample_nuclei / "seg" / "015.tif").shape)


def test_bool_mask_becomes_0_and_1() -> None:
    labels = labels_of(Image.from_array(np.eye(4, dtype=bool)))
    assert labels.dtype == np.uint8
    assert np.array_equal(labels[0], np.eye(4))


@pytest.mark.parametrize(
    ("array", "axes", "sentence"),
    [
        (np.full((4, 4), 0.5, np.float32), "YX", "decimal numbers.*integer image"),
        (np.full((4, 4), np.nan, np.float32), "YX", "decimal numbers.*integer image"),
        (np.full((4, 4), np.inf, np.float64), "YX", "decimal numbers.*integer image"),
        (np.full((4, 4), -2.0, np.float32), "YX", "below 0 .*-2.*0 as background"),
        (np.zeros((4, 4, 3), np.uint8), "YXS", "colours.*single-channel integer image"),
        (np.zeros((2, 4, 4), np.uint8), "TYX", "2 time points.*each time point"),
        (np.zeros((2, 4, 4), np.uint8), "CYX", "2 channels.*choose the channel"),
        (np.full((4, 4), -3, np.int16), "YX", "below 0 .*-3.*0 as background"),
    ],
)
def test_what_is_no_label_image_is_refused(array: np.ndarray, axes: str, sentence: str) -> None:
    with pytest.raises(ImageError, match=f"^seg.tif .*{sentence}"):
        labels_of(Image.from_array(array, axes, name="seg.tif"))


def test_refusal_names_the_file(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 4), 0.5, np.float32))
    with pytest.raises(ImageError) as error:
        read_labels(tmp_path / "a.tif")
    assert str(tmp_path / "a.tif") in str(error.value)


def test_channel_is_chosen_by_name() -> None:
    array = np.stack([np.zeros((4, 4), np.uint8), np.eye(4, dtype=np.uint8)])
    labels = labels_of(Image.from_array(array, "CYX", ("raw", "cells")), "cells")
    assert np.array_equal(labels[0], np.eye(4))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_whole_numbers_in_a_decimal_type_are_labels(tmp_path: Path, dtype: str) -> None:
    array = np.arange(16, dtype=dtype).reshape(4, 4)
    tifffile.imwrite(tmp_path / "a.tif", array)
    labels = read_labels(tmp_path / "a.tif")
    assert labels.dtype.kind == "i"
    assert np.array_equal(labels[0], array)


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp"])
def test_a_palette_image_holds_the_numbers_of_its_colours(tmp_path: Path, suffix: str) -> None:
    """As VOC and DAVIS store labels: colours that repeat or are dark do not matter."""
    numbers = np.arange(64, dtype=np.uint8).reshape(8, 8)
    picture = PillowImage.fromarray(numbers, mode="L")
    picture.putpalette([0, 0, 0] * 3 + [200, 30, 60] * 61)
    picture.save(tmp_path / f"a.{suffix}")
    labels = read_labels(tmp_path / f"a.{suffix}")
    assert np.array_equal(labels[0], numbers)
    assert open_image(tmp_path / f"a.{suffix}").channel_names == ("red", "green", "blue")
