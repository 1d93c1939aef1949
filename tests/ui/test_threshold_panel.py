"""The sliders follow from the parameters of the model's target, whichever it is."""

from __future__ import annotations

import importlib
import sys

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from documented_packages import install
from segloop.targets.instance import InstanceParameters, SliceParameters
from segloop.ui.prediction.threshold_panel import ThresholdPanel


@pytest.fixture
def panel(qtbot):
    panel = ThresholdPanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


@pytest.fixture
def boundary_parameters(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(install(tmp_path)))
    yield importlib.import_module("boundary_target").BoundaryParameters
    sys.modules.pop("boundary_target")


def test_a_target_from_outside_has_its_own_sliders(panel, boundary_parameters, qtbot):
    panel.set_model(boundary_parameters(level=0.35))

    assert list(panel.boxes) == ["level", "thin"]
    assert list(panel.sliders) == ["level"]
    slider, box = panel.sliders["level"], panel.boxes["level"]
    assert (slider.minimum(), slider.maximum(), slider.value()) == (0, 20, 7)
    assert (box.value(), box.minimum(), box.maximum(), box.singleStep()) == (0.35, 0, 1, 0.05)
    assert box.toolTip() == "Probability from which a pixel belongs to a boundary."
    with qtbot.waitSignal(panel.changed):
        QTest.keyClick(slider, Qt.Key.Key_Right)
    assert panel.value() == boundary_parameters(level=0.4)
    assert panel.overrides() == {"level": 0.4}
    with qtbot.waitSignal(panel.changed):
        QTest.keyClick(panel.boxes["thin"], Qt.Key.Key_Space)
    assert panel.overrides() == {"level": 0.4, "thin": True}
    with qtbot.waitSignal(panel.changed):
        QTest.mouseClick(panel.reset, Qt.MouseButton.LeftButton)
    assert panel.is_own
    assert not panel.reset.isEnabled()
    assert panel.value() == boundary_parameters(level=0.35)


def test_a_model_of_another_target_changes_the_rows(panel, boundary_parameters):
    panel.set_model(InstanceParameters(splitting=0.125, min_size=100))
    assert list(panel.sliders) == ["foreground", "min_size", "splitting"]
    assert panel.sliders["min_size"].maximum() == 500

    panel.set_model(boundary_parameters())

    assert list(panel.boxes) == ["level", "thin"]
    assert panel.value() == boundary_parameters()


def test_a_value_that_the_box_rounds_is_still_the_models_own(panel):
    own = InstanceParameters(splitting=0.125)
    panel.set_model(own)
    assert panel.is_own
    assert panel.value() == own

    panel.boxes["foreground"].setValue(0.7)

    assert panel.overrides() == {"foreground": 0.7}
    assert panel.value() == own.override({"foreground": 0.7})


def test_another_model_of_the_same_target_keeps_what_is_shown(panel):
    panel.set_model(InstanceParameters())
    panel.boxes["foreground"].setValue(0.8)

    panel.set_model(InstanceParameters(min_size=30))

    assert panel.value().foreground == 0.8


def test_values_are_shown_silently(panel, qtbot):
    panel.set_model(InstanceParameters())

    with qtbot.assertNotEmitted(panel.changed):
        panel.set_value(InstanceParameters(foreground=0.25))

    assert panel.sliders["foreground"].value() == 25
    assert not panel.is_own


def test_joining_slices_is_offered_for_stacks_only(panel):
    panel.set_model(SliceParameters())
    assert not panel.boxes["join_slices"].isVisible()
    assert not panel.sliders["slice_overlap"].isVisible()

    panel.set_stack(True)

    assert panel.boxes["join_slices"].isVisible()
    QTest.keyClick(panel.boxes["join_slices"], Qt.Key.Key_Space)
    assert panel.overrides() == {"join_slices": False}
    panel.set_stack(False)
    assert not panel.boxes["join_slices"].isVisible()
    assert panel.boxes["splitting"].isVisible()
