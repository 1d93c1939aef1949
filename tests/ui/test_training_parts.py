"""The parts of the Training dock on their own."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from segloop.app.presenters.training.curves import Curves
from segloop.app.workspace import Workspace
from segloop.config.from_python import resolve
from segloop.config.parameters import ParameterSet, parameter
from segloop.config.registries import LOSSES
from segloop.config.train import NetworkConfig, NetworkSize, StopConfig, TargetConfig, TrainConfig
from segloop.ui.training.curves import CurvesPlot
from segloop.ui.training.path_box import PathBox
from segloop.ui.training.settings import SettingsPanel


@pytest.fixture
def curves(qtbot):
    widget = CurvesPlot()
    widget.data = Curves()
    widget.show_curves(widget.data)
    qtbot.addWidget(widget)
    widget.resize(380, 260)
    widget.show()
    return widget


def show(curves, metrics):
    curves.data.add(metrics)
    curves.refresh()


def test_new_epochs_are_painted_within_a_second(curves, qtbot):
    line = curves.losses.listDataItems()[0]
    show(curves, [(1, {"train_loss": 0.9})])
    assert list(line.getData()[0]) == [1]
    show(curves, [(2, {"train_loss": 0.8})])
    qtbot.waitUntil(lambda: list(line.getData()[0]) == [1, 2], timeout=3000)


def drawn(curves):
    """Return the values of the scores that are drawn."""
    return [
        list(line.getData()[1]) for line in curves.scores.listDataItems() if line.getData()[1] is not None
    ]


def legend(plot):
    return plot.titleLabel.item.toPlainText()


def test_the_scores_of_any_target_are_drawn_with_their_names(curves):
    curves.data.name_scores({"val_overlap": "Overlap", "val_recall": "Recall"})
    show(curves, [(1, {"val_loss": 1.0, "val_recall": 0.5, "val_overlap": 0.25})])
    assert drawn(curves) == [[0.25], [0.5]]
    assert legend(curves.scores).split() == ["──", "Overlap", "╌╌", "Recall"]
    styles = {line.opts["pen"].style() for line in curves.scores.listDataItems()}
    assert len(styles) == 2

    other = Curves()
    other.add([(1, {"val_dice": 0.75})])
    curves.show_curves(other)
    assert drawn(curves) == [[0.75]]
    assert legend(curves.scores).split() == ["──", "dice"]


def test_scores_beyond_one_are_in_view(curves, qtbot):
    show(curves, [(1, {"val_error": 0.5})])
    low, high = curves.scores.viewRange()[1]
    assert low == pytest.approx(0, abs=0.1)
    assert high == pytest.approx(1, abs=0.1)
    show(curves, [(2, {"val_error": 7.0})])
    qtbot.waitUntil(lambda: curves.scores.viewRange()[1][1] >= 7, timeout=3000)


def wheel(widget):
    inside = QPoint(widget.width() // 2, widget.height() // 4)  # of the plot of the losses
    event = QWheelEvent(
        QPointF(inside),
        QPointF(widget.mapToGlobal(inside)),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget.viewport(), event)


def test_the_wheel_zooms_once_the_plot_was_clicked_and_a_double_click_shows_all(curves, qtbot):
    show(curves, [(epoch, {"train_loss": 1.0 / epoch}) for epoch in range(1, 20)])

    def span():
        low, high = curves.losses.viewRange()[0]
        return high - low

    qtbot.waitUntil(lambda: span() > 17)  # once it was painted
    whole = span()
    wheel(curves)
    assert span() == whole
    curves.activateWindow()
    QTest.mouseClick(curves.viewport(), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(curves.hasFocus)
    wheel(curves)
    assert span() < whole
    QTest.mouseDClick(curves.viewport(), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: span() == pytest.approx(whole, rel=0.05))


def test_settings_give_back_what_they_were_given(qtbot, tmp_path):
    panel = SettingsPanel(Workspace(tmp_path))
    qtbot.addWidget(panel)
    config = TrainConfig(init="/models/nuclei", seed=3)
    config.target = TargetConfig("semantic", {"classes": 4})
    config.network.size, config.network.dimensions = NetworkSize.large, 2
    config.stop = StopConfig(max_minutes=0.25, max_epochs=7, patience=0)
    config.recipe.channels = ["DAPI", "2"]
    config.patch.size = [64, 96]
    panel.set_value(config)
    assert panel.value() == resolve(config)
    assert not panel.sizes[NetworkSize.large].isEnabled()


class PowerOptions(ParameterSet):
    """The option of a loss."""

    power: int = parameter(2, "Power", "Of the error.", minimum=1, maximum=4)


class Power:
    """A loss of an installed package."""

    options_type = PowerOptions


def test_items_of_registries_are_chosen_with_their_options(qtbot, tmp_path):
    with LOSSES.registered("power", Power()):
        panel = SettingsPanel(Workspace(tmp_path))
        qtbot.addWidget(panel)
        choices, heard = panel.choices, []
        panel.changed.connect(lambda: heard.append(panel.value()))

        choices.network.names.setCurrentText("monai.SegResNet")
        choices.network.form.rows["init_filters"].setValue(16)
        choices.augmentations["blur"].setChecked(True)
        choices.options["blur"].rows["sigma"].setValue(2.5)
        panel.targets["instance"].click()
        choices.losses["distance"].names.setCurrentText("power")
        choices.losses["distance"].form.rows["power"].setValue(3)

        wanted = heard[-1]
        assert wanted.network == NetworkConfig(
            "monai.SegResNet", options={"init_filters": 16, "dropout_prob": 0.0}
        )
        assert wanted.augmentation.more == {"blur": {"sigma": 2.5, "probability": 0.3}}
        assert wanted.loss == {"distance": {"name": "power", "power": 3}}
        again = SettingsPanel(Workspace(tmp_path))
        qtbot.addWidget(again)
        again.set_value(wanted)
        assert again.value() == wanted
        panel.targets["semantic"].click()
        assert heard[-1].loss == {}


def test_a_path_from_elsewhere_stays_in_the_list(qtbot, tmp_path):
    box = PathBox("Other…", none="scratch")
    qtbot.addWidget(box)
    box.offer([("a", "/models/a")])
    box.set_value(tmp_path)
    box.offer([("a", "/models/a"), ("b", "/models/b")])
    assert [box.itemText(row) for row in range(box.count())] == ["scratch", tmp_path.name, "a", "b", "Other…"]
    assert box.value() == str(tmp_path)
    box.setCurrentIndex(2)
    with qtbot.waitSignal(box.chosen) as signal:
        box.activated.emit(2)
    assert signal.args == ["/models/a"]
