"""Parts of installed packages appear in the form of the Training dock, with their options."""

from __future__ import annotations

import subprocess
import sys

from documented_packages import PAGE, PARTS_PAGE, install
from segloop.app.workspace import Workspace
from segloop.config.compose import from_dict, to_dict
from segloop.config.train import TrainConfig
from segloop.ui.training.settings import SettingsPanel


def test_the_parts_of_packages_are_chosen_in_the_form(qtbot, tmp_path, monkeypatch):
    for page in (PAGE, PARTS_PAGE):
        monkeypatch.syspath_prepend(str(install(tmp_path / page.stem, page)))
    panel = SettingsPanel(Workspace(tmp_path))
    qtbot.addWidget(panel)
    choices = panel.choices

    panel.targets["boundary"].click()
    choices.network.names.setCurrentText("stacked")
    choices.network.form.rows["width"].setValue(8)
    choices.augmentations["shading"].setChecked(True)
    choices.options["shading"].rows["strength"].setValue(0.5)
    choices.losses["boundary"].names.setCurrentText("focal")
    choices.losses["boundary"].form.rows["gamma"].setValue(3)
    panel.form.rows["recipe.channels"].value = "subtract(DAPI, GFP, factor=0.5), DAPI"

    config = panel.value()
    assert (config.network.name, config.network.options) == ("stacked", {"width": 8})
    assert config.augmentation.more == {"shading": {"strength": 0.5}}
    assert config.loss == {"boundary": {"name": "focal", "gamma": 3.0}}
    assert config.recipe.channels == ["subtract(DAPI, GFP, factor=0.5)", "DAPI"]
    assert from_dict(TrainConfig, to_dict(config)) == config
    assert choices.network.form.rows["width"].toolTip() == "Features of each layer."


def test_the_options_of_parts_are_found_without_torch(tmp_path):
    packages = [str(install(tmp_path / page.stem, page)) for page in (PAGE, PARTS_PAGE)]
    code = f"""
import sys
sys.path[:0] = {packages!r}
from segloop.config.compose import compose
from segloop.config.train import TrainConfig
chosen = ["target=boundary", "network=stacked", "augmentation/more=[shading,elastic]"]
compose(TrainConfig, [*chosen, "loss.boundary={{name:focal,gamma:3}}"])
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
