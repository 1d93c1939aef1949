"""The list of models: what is chosen stays chosen, and a newer model of a run is noticed."""

from __future__ import annotations

from dataclasses import replace

from fakes.models import FakeModel, card
from segloop.app.presenters.prediction.model_list import ModelEntry, ModelList, load_entries
from segloop.core.context import Context


def entries(*names, pixel_size=(None, 0.5, 0.5)):
    return [ModelEntry(name, f"/models/{name}", FakeModel(card(pixel_size))) for name in names]


def heard(signal):
    calls = []
    signal.connect(lambda: calls.append(1))
    return calls


def test_the_wanted_model_is_chosen_else_the_first():
    models = ModelList()
    assert models.chosen is None
    assert models.n_inputs == 1
    models.set_entries(entries("a", "b"), "/models/b")
    assert models.chosen.name == "b"
    models.set_entries(entries("a", "b"), "/models/gone")
    assert models.chosen.name == "a"
    models.set_entries([], "")
    assert models.chosen is None


def test_listing_the_same_models_again_is_no_other_choice_but_a_newer_model_is():
    models = ModelList()
    chosen = heard(models.chosen_changed)
    models.set_entries(entries("a", "b"), "/models/a")
    models.set_entries(entries("a", "b"), "/models/a")
    assert len(chosen) == 1
    models.set_entries(entries("a", "b", pixel_size=(None, 1, 1)), "/models/a")
    assert len(chosen) == 2
    models.choose(1)
    models.choose(1)
    assert len(chosen) == 3


def test_a_model_that_was_trained_for_seconds_says_so():
    (entry,) = entries("run a")
    assert entry.label == "run a"
    assert replace(entry, brief="10 s").label == "run a, trained for 10 s"


def test_a_model_that_can_not_be_read_is_listed_with_the_reason(tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    (entry,) = load_entries({}, [str(tmp_path / "bad.zip"), str(tmp_path / "gone")], Context())
    assert entry.model is None
    assert "bad.zip" in entry.description
