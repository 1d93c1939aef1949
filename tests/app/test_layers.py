"""Layers handed to the helper: what is written is what the layer holds."""

from __future__ import annotations

import os

import dask.array as da
import numpy as np
import pytest

from segloop.app.layers import LayerImage, clean_scratch, new_scratch, write_layer
from segloop.core.context import Context
from segloop.core.errors import Cancelled, ImageError
from segloop.images.read import open_image


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 60_000, (2, 3, 4, 50, 40), np.uint16)


def written(layer, tmp_path):
    path = tmp_path / "layer.ome.zarr"
    write_layer(layer.image(), path)
    return open_image(path)


@pytest.mark.parametrize(
    ("axes", "index"),
    [
        ("YX", (0, 0, 0)),
        ("ZYX", (0, 0)),
        ("CYX", (0, slice(None), 0)),
        ("TZYX", (slice(None), 0)),
        ("TCZYX", ()),
    ],
)
def test_pixels_arrive_with_their_axes(pixels, tmp_path, axes, index):
    image = written(LayerImage("mine", (pixels[index],), axes), tmp_path)
    expected = LayerImage("mine", (pixels[index],), axes).image()
    assert image.shape == expected.shape
    assert np.array_equal(np.asarray(image.data), np.asarray(expected.data))


def test_names_and_pixel_size_arrive(pixels, tmp_path):
    layer = LayerImage("mine", (pixels[0, :, 0],), "CYX", ("DAPI", "actin", "nuclei"), (2.0, 0.5, 0.25))
    image = written(layer, tmp_path)
    assert image.channel_names == ("DAPI", "actin", "nuclei")
    assert image.pixel_size_um == (2.0, 0.5, 0.25)


def test_colours_become_channels(pixels, tmp_path):
    rgb = np.moveaxis(pixels[0, :, 0], 0, -1).astype(np.uint8)
    image = written(LayerImage("mine", (rgb,), "YXS"), tmp_path)
    assert image.channel_names == ("red", "green", "blue")
    assert np.array_equal(np.asarray(image.data[0, :, 0]), np.moveaxis(rgb, -1, 0))


def test_layers_become_the_channels_of_one_image(pixels, tmp_path):
    parts = (pixels[0, 0, 0], pixels[0, 1, 0])
    image = written(LayerImage("dapi", parts, "YX", ("dapi", "actin")), tmp_path)
    assert image.channel_names == ("dapi", "actin")
    assert np.array_equal(np.asarray(image.data[0, :, 0]), np.stack(parts))


def test_layers_of_different_size_can_not_be_channels_of_one_image(pixels):
    layer = LayerImage("dapi", (pixels[0, 0, 0], pixels[0, 0, 0, :9]), "YX", ("dapi", "actin"))
    with pytest.raises(ImageError, match="`dapi` differ in size: tick layers of the same size"):
        layer.image()


def test_lazy_layers_are_read_block_by_block(tmp_path):
    lazy = da.random.default_rng(1).integers(0, 255, (40, 700, 800), chunks=(1, 700, 800)).astype(np.uint8)
    image = written(LayerImage("mine", (lazy,), "ZYX"), tmp_path)
    assert np.array_equal(np.asarray(image.data[0, 0]), lazy.compute())


def test_cancel_is_heeded_between_blocks(pixels, tmp_path):
    seen = []
    context = Context(report=seen.append, cancelled=lambda: len(seen) > 2)
    with pytest.raises(Cancelled):
        write_layer(LayerImage("mine", (pixels,), "TCZYX").image(), tmp_path / "layer.ome.zarr", context)
    assert len(seen) == 3


def test_what_dead_viewers_left_is_removed_and_nothing_else(tmp_path):
    mine = new_scratch(tmp_path)
    dead = tmp_path / "layers-999999999-abc"
    for folder in (mine, dead):
        (folder / "input").mkdir(parents=True)
    for name in ("helper-999999999-abc.log", f"helper-{os.getpid()}-abc.log", "run-abc.log"):
        (tmp_path / name).touch()
    clean_scratch(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        mine.name,
        f"helper-{os.getpid()}-abc.log",
        "run-abc.log",
    }
