"""Where the docks are in the window, and whose layers show."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDockWidget, QTabBar

from segloop.ui.dock_layers import DockLayers, is_put_away
from segloop.ui.docking import LOOP
from segloop.ui.viewer_app import viewer_app_for


def menu_action(viewer, name):
    for top in viewer.window.plugins_menu.actions():
        if top.menu() is not None and top.text().replace("&", "") == "Segloop":
            top.menu().aboutToShow.emit()
            return next(each for each in top.menu().actions() if each.text().replace("&", "") == name)
    raise AssertionError("no Segloop menu")


def click_in_menu(viewer, name):
    viewer.window.plugins_menu.aboutToShow.emit()
    menu_action(viewer, name).trigger()
    for _ in range(3):
        QApplication.processEvents()


def tabs(viewer):
    """Return the titles of the tabs, from left to right, and the one in front."""
    window = viewer.window._qt_window
    for bar in window.findChildren(QTabBar):
        titles = [bar.tabText(number) for number in range(bar.count())]
        if bar.isVisible() and set(titles) & set(LOOP):
            return titles, titles[bar.currentIndex()]
    return [], ""


def click_tab(viewer, name):
    for bar in viewer.window._qt_window.findChildren(QTabBar):
        for number in range(bar.count()):
            if bar.isVisible() and bar.tabText(number) == name:
                QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(number).center())
    QApplication.processEvents()


def segloop_docks(viewer):
    found = viewer.window._qt_window.findChildren(QDockWidget)
    return [each.windowTitle() for each in found if each.windowTitle() in LOOP]


@pytest.mark.parametrize("order", [LOOP, LOOP[::-1], (LOOP[1], LOOP[2], LOOP[0])])
def test_the_docks_are_tabs_in_loop_order_with_titles_of_one_word(viewer, workspace, order):
    for name in order:
        click_in_menu(viewer, name)
        assert viewer_app_for(viewer).front == name
    assert tabs(viewer) == (list(LOOP), order[-1])


@pytest.mark.parametrize("again", ["menu", "script"])
@pytest.mark.parametrize("first", ["menu", "script"])
def test_a_dock_that_is_opened_again_is_raised(viewer, workspace, first, again):
    def open_by(way, name):
        if way == "menu":
            click_in_menu(viewer, name)
        else:
            viewer.window.add_plugin_dock_widget("napari-segloop", name)
            for _ in range(3):
                QApplication.processEvents()

    open_by(first, "Training")
    open_by(first, "Curation")
    open_by(again, "Training")

    assert sorted(segloop_docks(viewer)) == ["Curation", "Training"]
    if again == "menu":
        assert tabs(viewer)[1] == "Training"


def test_the_menu_still_hides_the_dock_in_front_and_shows_it_again(viewer, workspace):
    click_in_menu(viewer, "Training")
    shared = viewer_app_for(viewer)
    click_in_menu(viewer, "Training")
    assert not shared.in_view("Training")
    click_in_menu(viewer, "Training")
    assert shared.in_view("Training")


def test_only_the_layers_of_the_dock_in_front_show(viewer, workspace, nuclei_dataset, open_dock, settle):
    curation = open_dock("Curation")
    settle(curation)
    own = [layer for layer in viewer.layers if layer.name.startswith("Curation")]
    assert own
    viewer.add_image(np.zeros((8, 8)), name="mine")
    curation.panel.shown.boxes["segmentation:seg2"].click()
    before = {layer.name: layer.visible for layer in viewer.layers}

    open_dock("Training")
    assert [layer.name for layer in viewer.layers if layer.visible] == ["mine"]
    assert curation.panel.shown.boxes["truth"].isChecked()

    click_tab(viewer, "Curation")
    assert {layer.name: layer.visible for layer in viewer.layers} == before


def test_closing_a_dock_brings_the_layers_of_the_next_one_back(viewer, nuclei_dataset, open_dock, settle):
    settle(open_dock("Curation"))
    training = open_dock("Training")
    assert not any(layer.visible for layer in viewer.layers)
    viewer.window.remove_dock_widget(training)
    QApplication.processEvents()
    assert viewer_app_for(viewer).front == "Curation"
    assert any(layer.visible for layer in viewer.layers)


def layer_of(dock, **more):
    return Image(np.zeros((4, 4)), metadata={"segloop": dock} if dock else {}, **more)


def test_layers_come_back_as_they_were(viewer):
    layers = DockLayers(viewer)
    shown, hidden, mine = layer_of("curation"), layer_of("curation", visible=False), layer_of("")
    for layer in (shown, hidden, mine):
        viewer.add_layer(layer)
    layers.set_front("Curation")
    viewer.layers.selection.active = shown

    layers.set_front("Prediction")
    late = layer_of("curation")
    viewer.add_layer(late)
    assert [layer.visible for layer in (shown, hidden, mine, late)] == [False, False, True, False]
    assert is_put_away(shown)
    viewer.layers.selection.active = mine

    layers.set_front("Curation")
    assert [layer.visible for layer in (shown, hidden, mine, late)] == [True, False, True, True]
    assert viewer.layers.selection.active is shown
    assert "segloop_hidden" not in shown.metadata

    layers.set_front("Prediction")
    del shown.metadata["segloop"]
    layers.set_front("Training")
    assert shown.visible, "a layer handed to the user shows whichever dock is in front"
    layers.close()
    assert late.visible


def test_a_dock_may_close_before_it_has_scrolled_to_what_it_shows(viewer, workspace, open_dock, qtbot):
    with qtbot.captureExceptions() as faults:
        for name in LOOP:
            dock = open_dock(name)
            dock.scroll_to(dock.message)
            viewer.window.remove_dock_widget(dock.docking.dock)
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            QApplication.processEvents()

    assert faults == []
