"""Keys are declared once, in napari.yaml, and work only while their dock is in view."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QAbstractButton, QApplication

import segloop
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.ui import commands
from segloop.ui.docking import LOOP
from segloop.ui.shortcuts import all_commands, commands_of


def test_each_command_has_a_key_a_dock_and_no_key_in_its_title():
    assert {command.dock for command in all_commands()} <= set(LOOP)
    for command in all_commands():
        assert not QKeySequence(command.key).isEmpty()
        assert command.key not in re.findall(r"\(([^)]*)\)", command.title)
    for dock in LOOP:
        keys = [command.key for command in commands_of(dock)]
        assert len(keys) == len(set(keys))


def test_no_key_is_named_elsewhere_in_the_docks():
    """A tooltip gets its key from `with_key`."""
    keys = "|".join(re.escape(command.key) for command in all_commands() if not command.key.isdigit())
    named = re.compile(rf'"[^"\n]*\((?:key )?(?:{keys})[;)][^"\n]*"')
    root = Path(segloop.__file__).parent / "ui"
    found = {
        f"{path.relative_to(root)}: {text}"
        for path in root.rglob("*.py")
        for text in named.findall(path.read_text(encoding="utf-8"))
        if path.name != "shortcuts.py"
    }
    assert not found


@pytest.mark.parametrize("name", ["Curation", "Prediction"])
def test_every_declared_command_is_bound_by_its_dock(open_dock, name):
    dock = open_dock(name)
    assert set(dock._commands) == {command.name for command in commands_of(name)}
    assert all(hasattr(commands, each.__name__) for each in (commands.accept, commands.predict))


def test_tooltips_name_the_keys(open_dock, nuclei_dataset, settle):
    dock = open_dock("Curation")
    settle(dock)
    tips = " ".join(button.toolTip() for button in dock.findChildren(QAbstractButton))
    for command in commands_of("Curation"):
        assert f"({command.key}" in tips or command.name.startswith("base_"), command


def test_a_key_does_nothing_while_its_dock_is_behind_another_tab(
    viewer, nuclei_dataset, open_dock, settle, canvas
):
    curation = open_dock("Curation")
    settle(curation)
    first = curation.review.sample.id
    layer = next(layer for layer in viewer.layers if layer.name.startswith("Curation"))
    open_dock("Training")
    viewer.layers.selection.active = layer
    canvas.key(Qt.Key.Key_R)
    settle(curation)
    assert CuratedDataset.open(nuclei_dataset).sample(first).verdict is Verdict.undecided

    viewer.window.remove_dock_widget(viewer.window.dock_widgets["Training (napari-segloop)"])
    QApplication.processEvents()
    viewer.layers.selection.active = layer
    canvas.key(Qt.Key.Key_R)
    settle(curation)
    assert CuratedDataset.open(nuclei_dataset).sample(first).verdict is Verdict.rejected
