"""A target from outside that no other file knows: the one of docs/how-to/own-target.md."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from documented_packages import install
from segloop.config.compose import compose, from_dict, to_dict
from segloop.config.predict import PredictConfig
from segloop.config.train import TargetConfig, TrainConfig
from segloop.core.errors import ModelError
from segloop.targets import TARGETS, Target, make_target


@pytest.fixture
def boundary_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Target]]:
    folder = install(tmp_path / "package")
    (folder / "own_target-1.0.dist-info").rename(tmp_path / "elsewhere")  # not installed, only importable
    monkeypatch.syspath_prepend(str(folder))
    yield importlib.import_module("boundary_target").BoundaryTarget
    sys.modules.pop("boundary_target", None)


def test_a_target_can_be_registered_for_a_while(boundary_type: type[Target]) -> None:
    with TARGETS.registered("boundary", boundary_type):
        assert TARGETS.names() == ("instance", "semantic", "boundary")
        assert make_target("boundary", {"width": 3}).options.values() == {"width": 3}
    with pytest.raises(ModelError, match="no target 'boundary'"):
        make_target("boundary")


def test_its_options_are_settings_of_a_training(boundary_type: type[Target]) -> None:
    with TARGETS.registered("boundary", boundary_type):
        config = compose(TrainConfig, ["target=boundary", "target.width=4"])

        assert config.target == TargetConfig("boundary", {"width": 4})
        assert from_dict(TrainConfig, to_dict(config)) == config


def test_its_outputs_are_settings_of_a_prediction() -> None:
    config = compose(PredictConfig, ["outputs=[boundary,probability]", "threshold.level=0.2"])

    assert config.outputs == ["boundary", "probability"]
    assert config.threshold == {"level": 0.2}
    assert from_dict(PredictConfig, to_dict(config)) == config


def test_it_decodes_what_it_encodes(boundary_type: type[Target]) -> None:
    labels = np.zeros((1, 20, 20), np.int32)
    labels[0, 5:15, 5:15] = 1
    target: Any = boundary_type("boundary", boundary_type.options_type())

    found = target.decode(target.encode(labels).maps)["boundary"]

    assert found.dtype == np.float32
    assert found.sum() == 10 * 10 - 8 * 8
    counts = target.measure(target.decode(target.encode(labels).maps), labels, np.ones(labels.shape, bool))
    assert target.score(counts + counts).values == {"overlap": 1.0}
