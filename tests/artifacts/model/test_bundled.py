"""The models that come with Segloop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_fixtures import save
from segloop import evaluate
from segloop.app.predicting import predict_files
from segloop.artifacts.model.bundled import bundled_folder
from segloop.artifacts.model.model import Model, find_model, installed_models
from segloop.core.user_folders import models_folder

NAMES = ["nuclei-2d"]


def test_the_bundled_models_are_found_by_name() -> None:
    assert [model.path for model in installed_models()] == [bundled_folder() / name for name in NAMES]
    assert [find_model(name) for name in NAMES] == [bundled_folder() / name for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_model_verifies_and_says_what_it_is(name: str) -> None:
    model = Model.load(name)
    model.verify()
    card = model.card
    assert card.name == name
    assert card.description.endswith(".")
    assert card.license == "BSD-3-Clause"
    assert len(card.cite) == 2
    assert set(card.provenance["held_aside_ap"]) == {"dsb2018_fluo", "mnfinder_nuclei"}


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_model_is_small_and_names_no_folder_of_its_makers(name: str) -> None:
    folder = bundled_folder() / name
    assert sum(file.stat().st_size for file in folder.iterdir()) < 10e6
    values = json.loads((folder / "model.json").read_text("utf-8"))
    assert [text for text in _texts(values) if text.startswith(("/", "\\", "~")) or ":\\" in text] == []


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _texts(part)]


def test_a_model_of_the_user_goes_before_a_bundled_one_of_the_same_name(tmp_path: Path) -> None:
    models_folder().mkdir(parents=True)
    own = save(models_folder() / "nuclei-2d")
    assert find_model("nuclei-2d") == own.path
    assert [model.path for model in installed_models()] == [own.path]


@pytest.mark.slow
def test_nuclei_that_it_has_not_seen_are_found(sample_nuclei: Path, tmp_path: Path) -> None:
    predict_files("nuclei-2d", [sample_nuclei / "raw"], out=tmp_path / "out")
    truth, raw = sample_nuclei / "seg", sample_nuclei / "raw"
    metrics = evaluate(tmp_path / "out", truth, out=tmp_path / "scores", raw=raw).metrics
    assert metrics["n_images"] == 29
    assert metrics["instance"]["ap"]["0.50"] > metrics["baseline"]["instance"]["ap"]["0.50"] + 0.1
    assert metrics["semantic"]["dice"] > 0.93
