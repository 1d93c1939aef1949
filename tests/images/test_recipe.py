"""Inputs of a network: channels as they are, or operations on them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segloop.core.errors import ConfigError, ImageError
from segloop.images.image import Image
from segloop.images.recipe import Recipe, RecipeInput
from segloop.images.recipe_operations import RECIPE_OPERATIONS

A, B, C = np.random.default_rng(0).random((3, 4, 5), np.float32)
NAMES = ("DAPI", "Fluo (GFP)", "2")


def image() -> Image:
    return Image.from_array(np.stack([A, B, C]), "CYX", channel_names=("DAPI", "Fluo (GFP)", "RFP"))


def test_channels_are_taken_in_the_order_of_the_recipe() -> None:
    recipe = Recipe.parse(["RFP", "DAPI"])

    assert (recipe.channels, recipe.find(image())) == (("RFP", "DAPI"), (2, 0))
    np.testing.assert_array_equal(recipe.apply(np.stack([C, A])), np.stack([C, A]))


@pytest.mark.parametrize(
    ("how", "expected"), [("", (A + B) / 2), (", how=mean", (A + B) / 2), (", how=max", np.maximum(A, B))]
)
def test_channels_are_merged(how: str, expected: np.ndarray) -> None:
    recipe = Recipe.parse([f'merge(DAPI, "Fluo (GFP)"{how})', "RFP", "blank()", "DAPI"])

    found = recipe.apply(np.stack([A, B, C]))

    assert recipe.channels == ("DAPI", "Fluo (GFP)", "RFP")
    assert recipe.find(image()) == (0, 1, 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [expected, C, np.zeros_like(A), A], rtol=1e-6)


def test_a_stack_keeps_its_slices() -> None:
    stack = np.random.default_rng(1).random((2, 3, 4, 5), np.float32)

    assert Recipe.parse(["merge(0, 1)", "blank()"]).apply(stack).shape == (2, 3, 4, 5)


def test_a_name_that_looks_like_a_call_is_a_channel_unless_there_is_such_an_operation() -> None:
    assert Recipe.parse(["Fluo (GFP)"]).find(image()) == (1,)
    assert Recipe.parse(['pick("Fluo (GFP)")']).channels == ("Fluo (GFP)",)
    with pytest.raises(ImageError, match=r"mrge\(DAPI, RFP\).*not an operation either: .*pick, merge, blank"):
        Recipe.parse(["mrge(DAPI, RFP)"]).find(image())


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["merge()"], "'merge' takes at least 1 channel, not 0"),
        (["pick(a, b)"], "'pick' takes 1 channel, not 2"),
        (["a", "blank(b)"], "'blank' takes no channels, not 1"),
        (["merge(a, b, how=sum)"], "merge.how=sum is not possible: choose one of mean, max"),
        (["merge(a, b, hw=max)"], r"no merge\.hw: choose among how"),
        (["merge(pick(a), b)"], "takes names of channels, not other operations"),
        (["merge(a, how=max(1, 2))"], "an option takes a number, a word, or true or false"),
        (["blank()"], "uses no channel"),
        (["a", "b", "a"], "names the channel 'a' 2 times"),
    ],
)
def test_a_recipe_that_can_not_be_used_is_refused(texts: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Recipe.parse(texts)


def test_an_image_without_a_channel_is_refused_with_its_name() -> None:
    with pytest.raises(ImageError, match="GFP"):
        Recipe.parse(["merge(DAPI, GFP)"]).find(image())


@given(
    st.lists(
        st.one_of(
            st.builds(lambda name: RecipeInput("pick", (name,)), st.text(min_size=1)),
            st.builds(
                lambda names, how: RecipeInput("merge", tuple(names), {"how": how}),
                st.lists(st.text(min_size=1), min_size=1, max_size=3),
                st.sampled_from(["mean", "max"]),
            ),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda each: (each.operation, each.channels),
    )
)
def test_what_is_shown_of_a_recipe_can_be_read_again(inputs: list[RecipeInput]) -> None:
    recipe = Recipe(tuple(inputs))

    assert Recipe.parse(recipe.names) == recipe


def test_an_operation_that_changes_the_shape_is_reported() -> None:
    with (
        RECIPE_OPERATIONS.registered("halve", lambda channels: channels[0, ::2]),
        pytest.raises(ConfigError, match=r"'halve' returned an array of shape \(2, 5\) instead of \(4, 5\)"),
    ):
        Recipe.parse(["halve(0)"]).apply(A[None])
