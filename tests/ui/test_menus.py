"""What napari's menus and command palette offer."""

from __future__ import annotations

from napari._app_model import get_app_model
from qtpy.QtWidgets import QApplication

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict

DOCKS = ["Curation", "Training", "Prediction"]


def entries(menu):
    """Return the actions of a menu by their titles, as on screen."""
    menu.aboutToShow.emit()
    QApplication.processEvents()
    return {action.text().replace("&", ""): action for action in menu.actions() if action.text()}


def test_the_plugins_menu_opens_each_dock(viewer, workspace, qtbot):
    docks = entries(entries(viewer.window.plugins_menu)["Segloop"].menu())
    assert list(docks) == DOCKS
    for name in DOCKS:
        docks[name].trigger()
        qtbot.waitUntil(lambda name=name: name in " ".join(viewer.window.dock_widgets))


def test_the_sample_image_opens(viewer):
    samples = entries(entries(viewer.window.file_menu)["Open Sample"].menu())
    samples["Fluorescence nuclei (Segloop)"].trigger()
    assert [type(layer).__name__ for layer in viewer.layers] == ["Labels", "Image"]  # the truth lies below


def test_the_commands_of_the_palette_act_on_the_curation_dock(viewer, open_dock, nuclei_dataset, settle):
    dock = open_dock("Curation")
    app = get_app_model()
    offered = {item.command.id for item in app.menus.get_menu(app.menus.COMMAND_PALETTE_ID)}
    for name in ("accept", "reject", "back", "undo", "undo", "redo", "exclude", "merge", "next"):
        assert f"napari-segloop.{name}" in offered
        app.commands.execute_command(f"napari-segloop.{name}").result()
        settle(dock)
    opened = CuratedDataset.open(nuclei_dataset)
    verdicts = [opened.sample(each).verdict for each in opened.sample_ids]
    assert verdicts == [Verdict.accepted, Verdict.undecided, Verdict.undecided]
