"""Forms built from the config objects."""

from __future__ import annotations

from dataclasses import replace

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from segloop.config.knob import knobs
from segloop.config.predict import PredictConfig
from segloop.config.train import NetworkConfig, NetworkSize, StopConfig, TargetConfig, TrainConfig
from segloop.core.errors import ConfigError
from segloop.ui.widgets.form import ConfigForm


class Notes(dict):
    """Choices kept in memory."""

    def recall(self, key, default=None):
        return self.get(key, default)

    remember = dict.__setitem__


@pytest.mark.parametrize("config", [TrainConfig(), PredictConfig()])
def test_every_knob_has_a_row_and_keeps_its_value(qtbot, config):
    form = ConfigForm(config)
    qtbot.addWidget(form)
    assert set(form.rows) == {knob.path for knob in knobs(config) if not isinstance(knob.value, dict)}
    assert form.value() == config


def test_set_value_shows_another_config(qtbot):
    form = ConfigForm(TrainConfig())
    qtbot.addWidget(form)
    wanted = TrainConfig(
        target=TargetConfig("semantic"),
        network=NetworkConfig(size=NetworkSize.large),
        stop=StopConfig(max_minutes=3.5),
        dataset="d",
    )
    wanted.patch.size = [64, 96]
    wanted.optimiser.learning_rate = 3e-5
    form.set_value(wanted)
    assert form.value() == wanted


def test_set_value_is_silent_and_the_user_is_heard(qtbot):
    form = ConfigForm(TrainConfig())
    qtbot.addWidget(form)
    heard = []
    form.changed.connect(lambda: heard.append(form.value().stop.max_minutes))
    form.set_value(replace(TrainConfig(), stop=StopConfig(max_minutes=2)))
    assert heard == []
    box = form.rows["stop.max_minutes"].native
    box.selectAll()
    QTest.keyClicks(box, "7")
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert heard[-1] == 7


def test_what_is_not_shown_keeps_its_value(qtbot):
    form = ConfigForm(TrainConfig(dataset="kept"), only=("network.size",))
    qtbot.addWidget(form)
    assert list(form.rows) == ["network.size"]
    assert form.value().dataset == "kept"


def test_an_operation_on_channels_is_one_entry_of_the_list(qtbot):
    form = ConfigForm(TrainConfig())
    qtbot.addWidget(form)
    form.rows["recipe.channels"].value = 'merge(DAPI, "Fluo (GFP)", how=max), RFP; blank()'
    assert form.value().recipe.channels == ['merge(DAPI, "Fluo (GFP)", how=max)', "RFP", "blank()"]
    form.set_value(form.value())
    assert form.value().recipe.channels == ['merge(DAPI, "Fluo (GFP)", how=max)', "RFP", "blank()"]


def test_zero_is_shown_as_what_it_means(qtbot):
    form = ConfigForm(PredictConfig())
    qtbot.addWidget(form)
    box = form.rows["diameter"].native
    assert box.text() == "measured"
    box.setValue(52)
    assert box.text() == "52.00"
    assert form.value().diameter == 52


def test_a_bad_list_is_told_with_its_label(qtbot):
    form = ConfigForm(TrainConfig())
    qtbot.addWidget(form)
    form.rows["patch.size"].value = "64 by 64"
    with pytest.raises(ConfigError, match="Patch size"):
        form.value()


def test_help_and_unit_are_in_the_tooltip(qtbot):
    form = ConfigForm(TrainConfig())
    qtbot.addWidget(form)
    tip = form.rows["stop.max_minutes"].native.toolTip()
    assert "Longest training time" in tip
    assert "min" in tip


def test_folds_remember_their_state(qtbot):
    notes = Notes()
    from segloop.ui.widgets.fold import Fold

    form = ConfigForm(TrainConfig(), notes)
    qtbot.addWidget(form)
    fold = next(each for each in form.findChildren(Fold) if each.button.text() == "Augmentation")
    assert not fold.opened
    fold.button.click()
    again = ConfigForm(TrainConfig(), notes)
    qtbot.addWidget(again)
    assert next(each for each in again.findChildren(Fold) if each.button.text() == "Augmentation").opened
