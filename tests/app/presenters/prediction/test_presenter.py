"""What the Prediction dock decides, without Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from psygnal import Signal

from fakes.background import FakeBackground, FakeClock, FakeMemory
from fakes.models import FakeModel, card
from fakes.repeater import FakeRepeater
from fakes.results import FakeView, result
from segloop.app.jobs import Job
from segloop.app.layers import LayerImage, LayerJob
from segloop.app.presenters.prediction.model_list import ModelEntry
from segloop.app.presenters.prediction.presenter import PredictionPresenter
from segloop.app.workspace import Workspace
from segloop.artifacts.job.job import EventLog
from segloop.artifacts.job.state import JobState
from segloop.targets import make_target
from segloop.targets.output import LABELS, MASK, PROBABILITY

Parameters = make_target("instance").parameters_type
Volumes = make_target("instance", dims=3).parameters_type
OWN = Parameters(foreground=0.125, min_size=20, splitting=0.15)


class Model(FakeModel):
    """A model of objects with thresholds of its own."""

    sha256 = "ab" * 32
    parameters = OWN

    def target(self):
        return make_target("instance")


class FakeApp:
    """Starts predictions of layers that the test finishes."""

    models_changed = Signal()

    def __init__(self, workspace, folder):
        self.workspace, self.folder = workspace, folder
        self.asked = []

    def predict_layers(self, model, images, config, context):
        self.asked.append((model, [image.name for image in images], config))
        return LayerJob(Job(self.folder), self.folder, tuple(f"{image.name}.ome.zarr" for image in images))


@dataclass
class Chosen:
    """One ticked layer."""

    image: LayerImage


def layer(name="a", axes="YX"):
    return Chosen(LayerImage(name, (np.zeros((20, 30)),), axes, ("nuclei",), (None, 0.5, 0.5)))


def stack():
    return Chosen(LayerImage("b", (np.zeros((5, 20, 30)),), "ZYX", ("nuclei",), (None, 0.5, 0.5)))


class Bench:
    """A presenter with one model, one ticked layer, and what it said."""

    def __init__(self, tmp_path):
        (tmp_path / "job").mkdir()
        self.background, self.repeater, self.memory = FakeBackground(), FakeRepeater(), FakeMemory()
        self.app = FakeApp(Workspace(tmp_path / "study"), tmp_path / "job")
        self.layers, self.views, self.said = [layer()], [], []
        self.presenter = PredictionPresenter(
            self.app,
            self.memory,
            self.background,
            self.repeater,
            FakeClock(),
            lambda n_inputs: self.layers,
            self.make_view,
        )
        self.presenter.messages.changed.connect(lambda message: message and self.said.append(message))
        self.presenter.models.set_entries([ModelEntry("nuclei-2d", "/models/nuclei-2d", Model(card()))], "")
        self.presenter.check_images()
        self.background.finish()

    def make_view(self, chosen, model):
        self.views.append((chosen.image.name, model))
        return FakeView(chosen.image.name)

    def end(self, state):
        EventLog(self.app.folder).state(state)
        self.repeater.repeat()


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_model_brings_its_outputs_and_thresholds(bench):
    presenter = bench.presenter
    assert LABELS in presenter.offered
    assert presenter.ticked == (LABELS,)
    assert presenter.thresholds == OWN
    assert presenter.can_predict


def test_layers_are_predicted_with_the_probability_and_the_models_own_thresholds(bench):
    bench.presenter.predict()
    bench.background.finish("run")
    ((model, names, config),) = bench.app.asked
    assert (model, names) == ("/models/nuclei-2d", ["a"])
    assert config.outputs == ["labels", "probability"]
    assert config.threshold == {}
    assert bench.views == [("a", "nuclei-2d")]
    assert not bench.presenter.can_predict


def test_moved_thresholds_are_passed_on_and_remembered(bench):
    bench.presenter.set_thresholds(Parameters(foreground=0.13, min_size=20, splitting=0.15))
    bench.presenter.predict()
    bench.background.finish("run")
    assert bench.app.asked[0][2].threshold == {"foreground": 0.13}
    model = bench.presenter.models.model
    moved = Parameters(foreground=0.13, min_size=20, splitting=0.15)
    assert bench.presenter.settings.thresholds(model) == moved


class VolumeModel(Model):
    """A 3D model, which has no thresholds for joining slices."""

    sha256 = "cd" * 32
    parameters = Volumes(foreground=0.25, splitting=0.1)

    def target(self):
        return make_target("instance", dims=3)


def choose_other_model(bench):
    """List a second model and choose it, while a result of the first one is on screen."""
    made = result(20)
    bench.presenter.results._results.append(made)
    entries = [
        ModelEntry("nuclei-2d", "/models/nuclei-2d", Model(card())),
        ModelEntry("volumes", "/models/volumes", VolumeModel(card())),
    ]
    bench.presenter.models.set_entries(entries, "/models/volumes")
    bench.background.finish()
    return made


def test_another_models_prediction_has_that_models_thresholds(bench):
    presenter = bench.presenter
    presenter.set_thresholds(OWN.override({"foreground": 0.9}))
    choose_other_model(bench)
    assert presenter.thresholds == OWN.override({"foreground": 0.9})
    assert presenter.own_thresholds == OWN
    presenter.predict()
    bench.background.finish("run")
    assert bench.app.asked[0][0] == "/models/volumes"
    assert bench.app.asked[0][2].threshold == {}
    assert presenter.thresholds == presenter.own_thresholds == VolumeModel.parameters


def test_thresholds_follow_the_model_once_nothing_of_another_is_on_screen(bench):
    made = choose_other_model(bench)
    made.view.on_screen = {}
    bench.presenter.results.on_layer_removed(made.view)
    assert bench.presenter.thresholds == VolumeModel.parameters


def test_thresholds_leave_results_of_another_kind_as_they_are(bench):
    made = result(20)  # of the semantic target
    bench.presenter.results._results.append(made)
    bench.presenter.set_thresholds(OWN)
    bench.background.finish()
    assert made.kept.n_decoded == 0
    assert made.own_or(OWN) == made.shown.parameters
    moved = made.shown.parameters.override({"foreground": 0.7})
    assert made.own_or(moved) == moved
    assert not bench.said


ENTRIES = [
    ModelEntry("nuclei-2d", "/models/nuclei-2d", Model(card())),
    ModelEntry("other", "/models/other", Model(card())),
]


@pytest.fixture
def listed(bench, monkeypatch):
    """A bench whose list of models is looked up again each time."""
    monkeypatch.setattr(
        "segloop.app.presenters.prediction.presenter._load_models", lambda *_, context: ENTRIES
    )
    return bench


def test_nothing_is_predicted_until_the_model_that_was_asked_for_is_there_and_checked(listed):
    presenter = listed.presenter
    assert presenter.can_predict
    presenter.use_model("/models/other")
    assert not presenter.can_predict
    listed.background.finish("import")
    assert not presenter.can_predict
    listed.background.finish("models")
    assert presenter.models.chosen.path == "/models/other"
    assert not presenter.can_predict  # the images were checked against the model before
    listed.background.finish()
    assert presenter.can_predict


@pytest.mark.parametrize("after", [[], ["import"]])
def test_the_model_that_was_asked_for_is_chosen_also_if_models_change_meanwhile(listed, after):
    listed.presenter.use_model("/models/other")
    for lane in after:
        listed.background.finish(lane)
    listed.app.models_changed.emit()
    listed.background.finish()
    assert listed.presenter.models.chosen.path == "/models/other"
    assert listed.presenter.can_predict


def test_another_workspace_is_not_kept_waiting_for_a_model(listed):
    listed.presenter.use_model("/models/other")
    listed.presenter.open_workspace()
    listed.background.finish("models")
    listed.background.finish("check")
    assert listed.presenter.can_predict


def test_a_model_that_cannot_be_used_leaves_the_one_before(listed, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no package")
    listed.presenter.use_model(str(tmp_path / "a.zip"))
    listed.background.finish()
    assert listed.presenter.models.chosen.path == "/models/nuclei-2d"
    assert listed.presenter.can_predict


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda bench: bench.presenter.models.set_entries([], ""), "No model is chosen"),
        (lambda bench: bench.presenter.tick([]), "No output is ticked: tick at least one under Output."),
        (lambda bench: bench.layers.clear(), "Nothing is chosen"),
    ],
)
def test_what_is_missing_is_said(bench, spoil, words):
    spoil(bench)
    bench.presenter.predict()
    assert bench.said[-1].level == "error"
    assert str(bench.said[-1].text).startswith(words)
    assert not bench.app.asked


def test_what_was_just_chosen_is_predicted_as_soon_as_it_was_checked(bench):
    bench.presenter.predict_when_ready()
    bench.background.finish()
    assert not bench.app.asked
    bench.presenter.check_images()
    bench.background.finish()
    assert len(bench.app.asked) == 1
    bench.end(JobState.finished)
    bench.presenter.check_images()
    bench.background.finish()
    assert len(bench.app.asked) == 1


def test_what_does_not_fit_is_not_predicted_later_either(bench):
    bench.layers[:] = [stack()]
    bench.presenter.predict_when_ready()
    bench.presenter.check_images()
    bench.background.finish()
    assert not bench.presenter.can_predict
    bench.layers[:] = [layer()]
    bench.presenter.check_images()
    bench.background.finish()
    assert not bench.app.asked


def test_a_second_prediction_is_refused_while_one_runs(bench):
    bench.presenter.predict()
    bench.presenter.predict()
    assert str(bench.said[-1].text).startswith("A prediction is running")
    bench.background.finish("run")
    assert len(bench.app.asked) == 1


def test_a_prediction_whose_process_died_is_offered_again(bench):
    bench.presenter.predict()
    bench.background.finish("run")
    EventLog(bench.app.folder).state(JobState.running, pid=2**22 - 3)
    bench.repeater.repeat()
    message = bench.said[-1]
    assert "ended unexpectedly" in str(message.text)
    assert message.button == "Predict again"
    message.action()
    bench.background.finish("run")
    assert len(bench.app.asked) == 2


def test_the_outputs_of_files_and_of_layers_are_remembered_apart(bench):
    presenter = bench.presenter
    presenter.tick([MASK])
    presenter.set_mode(True)
    assert PROBABILITY in presenter.ticked
    presenter.tick([LABELS])
    presenter.set_mode(False)
    assert presenter.ticked == (MASK,)


def test_nothing_is_saved_without_results_and_the_reason_is_said(bench, tmp_path):
    bench.presenter.save(tmp_path / "saved")
    assert bench.said[-1].text == "There is no result to save yet."
    made = result(20)
    made.kept.can_decode = False
    bench.presenter.results._results.append(made)
    bench.presenter.save(tmp_path / "saved")
    assert str(bench.said[-1].text).startswith("The probability of `a` was not kept")
