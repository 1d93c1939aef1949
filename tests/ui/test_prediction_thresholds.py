"""The sliders: values are exact, and "Model's own" says whether they are the model's."""

from __future__ import annotations

import pytest

from prediction_fixtures import click, type_into
from segloop.targets import make_target
from segloop.ui.prediction.threshold_panel import ThresholdPanel

Parameters = make_target("instance").parameters_type


@pytest.fixture
def panel(qtbot):
    panel = ThresholdPanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


@pytest.mark.parametrize("own", [0.125, 0.13, 0.5, 120 / 255])
def test_the_models_own_value_is_kept_exactly_and_shown_as_it_is(panel, own):
    thresholds = Parameters(foreground=own, min_size=20, splitting=0.125)
    panel.set_model(thresholds)
    panel.set_value(thresholds)
    assert panel.value() == thresholds
    assert panel.is_own
    assert not panel.reset.isEnabled()
    assert float(panel.boxes["foreground"].text()) == pytest.approx(own, abs=5e-4)
    assert panel.boxes["splitting"].text() == "0.125"


def test_a_value_beside_the_models_own_is_not_taken_for_it(panel):
    own = Parameters(foreground=0.125, min_size=20, splitting=0.15)
    panel.set_model(own)
    panel.set_value(own)
    type_into(panel.boxes["foreground"], "0.13")
    assert panel.value().foreground == 0.13
    assert panel.reset.isEnabled()
    click(panel.reset)
    assert panel.value() == own
    assert not panel.reset.isEnabled()


def test_moving_one_slider_leaves_the_others_exact(panel):
    own = Parameters(foreground=0.5, min_size=20, splitting=0.1234567)
    panel.set_model(own)
    panel.set_value(own)
    panel.sliders["foreground"].setValue(70)
    assert panel.value() == Parameters(foreground=0.7, min_size=20, splitting=0.1234567)
