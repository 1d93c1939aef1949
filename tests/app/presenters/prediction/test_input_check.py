"""The check runs in the background, again after each choice, and choices are remembered."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.background import FakeBackground, FakeMemory
from fakes.models import FakeModel, card
from segloop.app.layers import LayerImage
from segloop.app.presenters.prediction.compatibility import Remedy
from segloop.app.presenters.prediction.input_check import InputCheck
from segloop.app.presenters.prediction.model_list import ModelEntry
from segloop.app.presenters.prediction.settings import Settings
from segloop.config.predict import PredictConfig

ENTRY = ModelEntry("nuclei", "/models/nuclei", FakeModel(card()))
STACK = LayerImage("stack", (np.zeros((3, 20, 30)),), "ZYX", ("nuclei",))
TWO = LayerImage("two", (np.zeros((2, 20, 30)),), "CYX", ("GFP", "DAPI"))


@pytest.fixture
def background():
    return FakeBackground()


@pytest.fixture
def memory():
    return FakeMemory()


@pytest.fixture
def check(background, memory):
    return InputCheck(background, Settings(memory))


def test_slice_by_slice_is_checked_again_at_once(check, background):
    check.check(ENTRY, [STACK])
    background.finish()
    assert not check.result.fits
    check.use(Remedy.slice_by_slice)
    background.finish()
    assert check.result.fits
    assert check.offers_slices
    assert check.apply(PredictConfig()).slice_by_slice


def test_a_chosen_channel_is_used_and_remembered(check, background, memory):
    check.check(ENTRY, [TWO])
    background.finish()
    assert not check.result.fits
    assert check.chosen_names() == []
    check.choose_channel(0, 1)
    background.finish()
    assert check.result.fits
    assert check.apply(PredictConfig()).channels == ["DAPI"]
    again = InputCheck(background, Settings(memory))
    again.check(ENTRY, [TWO])
    background.finish()
    assert again.chosen_names() == ["DAPI"]
    assert again.result.fits


def test_only_the_newest_question_is_answered(check, background):
    check.check(ENTRY, [STACK])
    check.check(ENTRY, [TWO])
    background.finish()
    assert check.result.channel_names == ("GFP", "DAPI")
    check.check(ENTRY, [STACK])
    check.check(None, [])
    assert not background.busy
    assert check.result.n_images == 0
