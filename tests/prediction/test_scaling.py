"""Images resampled before the network: the same values in every block, maps of the image's size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import resize

from segloop.artifacts.model.model import Model
from segloop.inference.engine import Engine
from segloop.prediction.object_size import scale_for
from segloop.prediction.scaling import ScaledReader, run_scaled, scaled_shape

SHAPE = (2, 61, 83)
IMAGE = np.random.default_rng(0).random((3, *SHAPE)).astype(np.float32)


def reader(scale: float) -> tuple[ScaledReader, tuple[int, int, int]]:
    scaled = scaled_shape(SHAPE, scale)
    return ScaledReader(lambda at: IMAGE[(slice(None), *at)], SHAPE, scaled), scaled


@pytest.mark.parametrize("scale", [0.2, 0.5, 0.77, 1.0, 1.3, 2.5])
def test_an_image_is_resampled_as_scikit_image_does(scale: float) -> None:
    read, scaled = reader(scale)
    whole = read(tuple(slice(0, size) for size in scaled))
    expected = [
        resize(plane, scaled[1:], order=1, mode="edge", anti_aliasing=scale < 1)
        for channel in IMAGE
        for plane in channel
    ]
    assert whole.shape == (3, *scaled)
    assert np.abs(whole.reshape(-1, *scaled[1:]) - np.stack(expected)).max() < 1e-4


@settings(max_examples=60)
@given(data=st.data(), scale=st.floats(0.125, 2.5))
def test_every_block_has_the_values_of_the_whole(data: st.DataObject, scale: float) -> None:
    read, scaled = reader(scale)
    whole = read(tuple(slice(0, size) for size in scaled))
    at = []
    for size in scaled:
        start = data.draw(st.integers(0, size - 1))
        at.append(slice(start, data.draw(st.integers(start + 1, size))))
    block = read((at[0], at[1], at[2]))
    assert np.abs(block - whole[(slice(None), *at)]).max() < 1e-6


@pytest.mark.parametrize("scale", [0.4, 1.7])
def test_the_maps_have_the_size_of_the_image_whatever_the_tile_size(model_folder: Path, scale: float) -> None:
    model = Model.load(model_folder / "instance2-2d-1c")
    engine = Engine(model.network(), model.target())

    def maps(tile_size: list[int] | None) -> np.ndarray:
        whole = np.full((2, *SHAPE), np.nan, np.float32)
        for at, piece in run_scaled(
            engine, lambda at: IMAGE[(slice(0, 1), *at)], SHAPE, scale, tile_size=tile_size
        ):
            assert np.isnan(whole[(slice(None), *at)]).all()  # each pixel comes once
            whole[(slice(None), *at)] = piece
        return whole

    found = maps(None)
    assert 0 <= found.min() < found.max() <= 1
    assert np.abs(found - maps([16, 24])).max() <= 1.01 / 255


@pytest.mark.parametrize(
    ("diameter", "scale"),
    [
        (None, 1.0),
        (26.0, 1.0),
        (31.0, 1.0),
        (22.0, 1.0),
        (52.0, 0.5),
        (13.0, 2.0),
        (1000.0, 0.125),
        (3.0, 2.5),
    ],
)
def test_only_images_with_objects_of_another_size_are_resampled(diameter: float | None, scale: float) -> None:
    assert scale_for(diameter, 26.0) == scale
