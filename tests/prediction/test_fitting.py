"""Does a model fit an image, and what users are told if it doesn't."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from advice import advised
from segloop.artifacts.model.model import Model, RecipeCard
from segloop.config.compose import apply
from segloop.config.predict import PredictConfig
from segloop.core.errors import ImageError, ModelError
from segloop.images.image import Image, PixelSize
from segloop.images.recipe import Recipe
from segloop.prediction.fitting import fit


def _image(
    n_channels: int, names: list[str] | None = None, z: int = 1, size: PixelSize = (None,) * 3
) -> Image:
    return Image.from_array(np.zeros((n_channels, z, 8, 8), np.uint8), "CZYX", names, size, name="a.tif")


@pytest.fixture
def two_channels(make_model: Callable[..., Path]) -> Model:
    """A model for nuclei and membranes."""
    return Model.load(make_model(channels=2))


def test_channels_are_found_by_name_whatever_their_order(two_channels: Model) -> None:
    image = _image(3, ["Membranes", "other", "NUCLEI"])
    found = fit(two_channels.card, image, PredictConfig())
    assert (found.channels, found.remarks) == ((2, 0), ())


def test_channels_of_other_names_are_taken_in_order_and_that_is_said(two_channels: Model) -> None:
    found = fit(two_channels.card, _image(2, ["DAPI", "WGA"]), PredictConfig())
    assert found.channels == (0, 1)
    assert found.remarks == (
        ("info", "`a.tif`: channels DAPI, WGA are taken in this order for nuclei, membranes."),
    )


def test_a_channel_that_is_missing_is_named_if_others_fit_by_name(two_channels: Model) -> None:
    with pytest.raises(ModelError) as caught:
        fit(two_channels.card, _image(2, ["membranes", "DAPI"]), PredictConfig())
    assert str(caught.value) == (
        "`a.tif` has no channel nuclei (it has membranes, DAPI), "
        "the model expects 2 (nuclei, membranes): choose them under Channels "
        "(such as channels=[0,1])"
    )


def test_the_only_channel_needs_no_remark(make_model: Callable[..., Path]) -> None:
    found = fit(Model.load(make_model()).card, _image(1, ["DAPI"]), PredictConfig())
    assert (found.channels, found.remarks) == ((0,), ())


def test_another_number_of_channels_is_refused_with_the_remedy(two_channels: Model) -> None:
    with pytest.raises(ModelError) as caught:
        fit(two_channels.card, _image(3, ["a", "b", "c"]), PredictConfig())
    assert str(caught.value) == (
        "`a.tif` has 3 channels, the model expects 2 (nuclei, membranes): choose them under Channels "
        "(such as channels=[0,1])"
    )


@pytest.mark.parametrize(
    ("image", "overrides"),
    [
        (_image(3, ["a", "b", "c"]), []),
        (_image(3, ["a", "b", "c"]), ["channels=[1]"]),
        (_image(2, z=6), []),
    ],
)
def test_the_setting_that_a_refusal_advises_is_the_right_one(
    two_channels: Model, image: Image, overrides: list[str]
) -> None:
    config = apply(PredictConfig(), overrides)
    with pytest.raises(ModelError) as caught:
        fit(two_channels.card, image, config)
    assert fit(two_channels.card, image, apply(config, [advised(str(caught.value))])).channels == (0, 1)


def test_channels_that_were_only_counted_do_not_match_by_name(make_model: Callable[..., Path]) -> None:
    model = Model.load(make_model())
    card = model.card.model_copy(update={"recipe": RecipeCard.of(Recipe.of_channels(["Channel 0"]))})
    with pytest.raises(ModelError, match="3 channels, the model expects 1"):
        fit(card, _image(3), PredictConfig())


def test_chosen_channels_are_taken(two_channels: Model) -> None:
    found = fit(two_channels.card, _image(3, ["a", "b", "c"]), PredictConfig(channels=["c", "0"]))
    assert (found.channels, found.remarks) == ((2, 0), ())


def test_too_few_chosen_channels_are_refused(two_channels: Model) -> None:
    with pytest.raises(ModelError, match=r"1 channel chosen for `a\.tif`, the model expects 2"):
        fit(two_channels.card, _image(3), PredictConfig(channels=["0"]))


def test_a_chosen_channel_that_does_not_exist_is_named(two_channels: Model) -> None:
    with pytest.raises(ImageError, match="GFP"):
        fit(two_channels.card, _image(2), PredictConfig(channels=["0", "GFP"]))


def test_a_2d_model_on_a_stack_is_refused_with_the_remedy(make_model: Callable[..., Path]) -> None:
    card = Model.load(make_model()).card
    with pytest.raises(
        ModelError, match=r"`a\.tif` is a stack of 6 slices, the model is 2D: switch on Slice by"
    ):
        fit(card, _image(1, z=6), PredictConfig())
    assert fit(card, _image(1, z=6), PredictConfig(slice_by_slice=True)).slice_by_slice


def test_a_3d_model_on_a_single_slice_is_refused(make_model: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match=r"`a\.tif` has a single slice, the model is 3D"):
        fit(Model.load(make_model(3)).card, _image(1), PredictConfig())


@pytest.mark.parametrize(
    ("dims", "size", "warned"),
    [
        (2, (None, 0.5, 0.5), False),
        (2, (None, 0.6, 0.6), False),
        (2, (None, 0.5, 0.7), True),
        (2, (None, 0.3, 0.3), True),
        (2, (9.0, 0.5, 0.5), False),
        (2, (None, None, None), False),
        (3, (9.0, 0.5, 0.5), True),
    ],
)
def test_a_pixel_size_off_by_more_than_a_quarter_is_warned_of(
    make_model: Callable[..., Path], dims: int, size: PixelSize, warned: bool
) -> None:
    card = Model.load(make_model(dims, pixel_size_um=(1.0, 0.5, 0.5))).card
    remarks = fit(card, _image(1, z=1 if dims == 2 else 4, size=size), PredictConfig()).remarks
    assert [level for level, _ in remarks] == (["warning"] if warned else [])
