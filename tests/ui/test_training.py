"""The Training dock, by mouse and keys, with real trainings on real nuclei."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal

import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from fakes.trainings import make_run
from processes import kill
from segloop.app.workspace import Workspace
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.artifacts.job.job import JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.run import Run
from segloop.config import compose
from segloop.config.device import DeviceConfig, DeviceKind
from segloop.config.train import NetworkSize, PatchConfig, StopConfig, TrainConfig
from segloop.images.pairing import pair_by_stem

LONG = 180_000  # milliseconds; importing torch alone takes a while on a busy computer


@pytest.fixture
def dataset(sample_nuclei, tmp_path, workspace):
    """Corners of five real images of nuclei, all accepted, one of them for validation."""
    for kind in ("raw", "seg"):
        (tmp_path / kind).mkdir()
        for path in sorted((sample_nuclei / kind).glob("*.tif"))[:5]:
            tifffile.imwrite(tmp_path / kind / path.name, tifffile.imread(path)[:96, :96])
    pairs = pair_by_stem(tmp_path / "raw", tmp_path / "seg").pairs
    return CuratedDataset.create(workspace.datasets_dir / "nuclei", pairs, val=0.2, accept_all=True).path


@pytest.fixture
def quick(dataset, workspace):
    """Choices of an endless training with epochs of some milliseconds, as the user left them last time."""
    config = TrainConfig(
        dataset=str(dataset),
        patch=PatchConfig(size=[32, 32], batch_size=2, per_epoch=8),
        stop=StopConfig(max_epochs=1_000_000, patience=0, max_minutes=60),
        device=DeviceConfig(kind=DeviceKind.cpu),
    )
    workspace.remember("training.config", compose.to_dict(config))
    workspace.write_choices()
    return config


@pytest.fixture
def config(dataset):
    """Settings of the runs that `make_run` writes."""
    return TrainConfig(dataset=str(dataset))


@pytest.fixture
def end_trainings(workspace):
    """End what a test has left running."""
    yield
    for path in workspace.runs():
        pid = JobFolder(path).pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)


@pytest.fixture
def ready(quick, end_trainings, open_dock, qtbot):
    """The dock, ready to start a quick training."""
    dock = open_dock("Training")
    qtbot.waitUntil(dock.start_button.isEnabled, timeout=LONG)
    return dock


def click(button):
    assert button.isVisible()
    assert button.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


def wait_for_epochs(dock, qtbot, count=2):
    qtbot.waitUntil(lambda: len(dock.run_panel.curves.curve("train_loss")[0]) >= count, timeout=LONG)


def wait_for_title(dock, qtbot, words):
    qtbot.waitUntil(lambda: words in dock.run_panel.title.text(), timeout=LONG)


def kill_training(run, qtbot):
    qtbot.waitUntil(lambda: JobFolder(run).pid() is not None, timeout=LONG)
    kill(JobFolder(run).pid())


def saved(run):
    """When the last checkpoint was saved; 0 before."""
    path = Run(run).last_checkpoint
    return path.stat().st_mtime_ns if path.exists() else 0


# Before a training


def test_an_empty_workspace_says_what_to_do(open_dock):
    dock = open_dock("Training")
    assert dock.dataset.facts.text().startswith("No dataset yet.")
    assert dock.dataset.curation.isVisible()
    assert dock.dataset.sample.isVisible()
    assert not dock.start_button.isEnabled()
    assert dock.no_runs.isVisible()
    assert not dock.run_panel.isVisible()


def test_the_sample_nuclei_are_one_click_away(open_dock, qtbot):
    dock = open_dock("Training")
    click(dock.dataset.sample)
    qtbot.waitUntil(dock.start_button.isEnabled, timeout=LONG)
    assert dock.dataset.facts.text().startswith("23 train, 6 val, 2D, 1 channel")
    assert dock.dataset.box.currentText() == "sample-nuclei"


def test_a_dataset_without_accepted_samples_leads_to_curation(open_dock, qtbot, nuclei_dataset, settle):
    dock = open_dock("Training")
    qtbot.waitUntil(lambda: "None of the 3 samples is accepted" in dock.dataset.facts.text())
    assert not dock.start_button.isEnabled()
    click(dock.dataset.curation)
    curation = dock.viewer_app.dock("Curation")
    settle(curation)
    click(curation.panel.accept)
    qtbot.waitUntil(dock.start_button.isEnabled, timeout=LONG)
    assert CuratedDataset.open(nuclei_dataset).counts().accepted == 1


def test_the_dataset_opened_in_curation_is_chosen(open_dock, qtbot, dataset, workspace, settle):
    other = workspace.datasets_dir / "other"
    shutil.copytree(dataset, other)
    dock = open_dock("Training")
    curation = open_dock("Curation")
    curation.open_dataset(dataset)
    qtbot.waitUntil(lambda: dock.dataset.value() == str(dataset))
    curation.open_dataset(other)
    qtbot.waitUntil(lambda: dock.dataset.value() == str(other))
    qtbot.waitUntil(lambda: dock.dataset.facts.text().startswith("4 train, 1 val"))


def test_the_plan_says_what_is_known_before_the_training(ready, qtbot):
    click(ready.plan_fold.button)
    qtbot.waitUntil(lambda: "Learns from 4 samples" in ready.plan.text(), timeout=LONG)
    assert "validates on 1 other" in ready.plan.text()
    assert "2D" in ready.plan.text()


def test_a_dataset_that_is_gone_is_told(open_dock, dataset, qtbot):
    dock = open_dock("Training")
    shutil.rmtree(dataset)
    dock.choose_dataset(dataset)
    qtbot.waitUntil(lambda: str(dataset) in dock.dataset.facts.text())
    assert not dock.start_button.isEnabled()


def test_choices_are_remembered(ready, qtbot, open_dock, workspace):
    click(ready.settings.targets["semantic"])
    click(ready.settings.sizes[NetworkSize.medium])
    click(ready.settings.early)
    minutes = ready.settings.stop_minutes.lineEdit()
    minutes.selectAll()
    QTest.keyClicks(minutes, "7.5")
    QTest.keyClick(minutes, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: workspace.recall("training.config")["stop"]["max_minutes"] == 7.5)
    ready.parent().destroyOnClose()
    again = open_dock("Training")
    qtbot.waitUntil(again.start_button.isEnabled, timeout=LONG)
    config = again.settings.value()
    assert config.target.kind == "semantic"
    assert config.network.size is NetworkSize.medium
    assert (config.stop.max_minutes, config.stop.patience) == (7.5, StopConfig().patience)
    assert config.patch.size == [32, 32]


def test_a_bad_value_is_told_and_nothing_starts(ready, workspace):
    click(ready.settings.form.parentWidget().parentWidget().button)
    ready.settings.form.rows["patch.size"].value = "large"
    click(ready.start_button)
    assert "write numbers with commas" in ready.message.text
    assert workspace.runs() == []


# A training


def test_a_training_is_started_seen_stopped_and_kept(ready, qtbot, workspace):
    click(ready.start_button)
    wait_for_epochs(ready, qtbot)
    (run,) = workspace.runs()
    assert run.name == "nuclei"
    panel = ready.run_panel
    assert "training" in panel.title.text()
    assert "min left" in panel.progress.label.text()
    assert "Device cpu" in ready.plan.text()
    assert ready.plan_fold.button.text() == "Plan of nuclei"
    qtbot.waitUntil(lambda: bool(panel.curves.curve("val_ap50")[0]), timeout=LONG)

    click(panel.progress.button)
    wait_for_title(ready, qtbot, "stopped")

    model = Model.load(run)
    model.verify()
    kept = model.card.provenance
    assert f"model of epoch {kept['epoch']}: AP50 {kept['scores']['val_ap50']:.2f}" in panel.title.text()
    assert ready.message.text == "nuclei is stopped; its best model so far is kept."
    assert panel.resume.isVisible()
    assert panel.predict.isVisible()
    qtbot.waitUntil(lambda: ["stopped" in row[2] for row in ready.table.texts()] == [True], timeout=LONG)
    offered = ready.settings.start_from
    prefix = Qt.MatchFlag.MatchStartsWith  # what follows says that the training was short
    qtbot.waitUntil(lambda: offered.findText("run nuclei", prefix) >= 0, timeout=LONG)
    assert "Epoch 1: training loss" in panel.log.toPlainText()


def test_a_second_training_is_asked_about_without_a_dialog(ready, qtbot, workspace):
    click(ready.start_button)
    wait_for_title(ready, qtbot, "nuclei")
    qtbot.waitUntil(ready.start_button.isEnabled, timeout=LONG)
    click(ready.start_button)
    assert "nuclei is still training" in ready.message.text
    assert ready.message.remedy.text() == "Start anyway"
    assert len(workspace.runs()) == 1
    click(ready.message.remedy)
    qtbot.waitUntil(lambda: len(workspace.runs()) == 2, timeout=LONG)


def test_a_dataset_without_validation_samples_says_so(open_dock, qtbot, dataset, workspace):
    opened = CuratedDataset.open(dataset)
    for each in opened.split("val"):
        opened.save(opened.sample(each).edit(verdict=Verdict.rejected), "reject")
    dock = open_dock("Training")
    qtbot.waitUntil(dock.start_button.isEnabled, timeout=LONG)
    assert "4 train, 0 val" in dock.dataset.facts.text()
    assert "too few accepted samples for validation" in dock.dataset.facts.text()
    click(dock.start_button)
    assert dock.message.remedy.text() == "Start anyway"
    assert workspace.runs() == []


def test_a_run_of_seconds_says_so_in_the_list(open_dock, config, workspace, qtbot):
    make_run(workspace, "brief", config, scores=[0.5], seconds=10)
    make_run(workspace, "long", config, scores=[0.6], seconds=600)
    dock = open_dock("Training")
    qtbot.waitUntil(lambda: dock.table.rowCount() == 2)
    assert [row[:3] for row in dock.table.texts()] == [
        ["long", "AP50 0.60", "finished"],
        ["brief", "AP50 0.50", "finished after 10 s"],
    ]


@pytest.mark.slow
def test_a_killed_training_is_told_and_resumed(ready, qtbot, workspace):
    click(ready.start_button)
    wait_for_epochs(ready, qtbot)
    (run,) = workspace.runs()
    qtbot.waitUntil(lambda: Run(run).last_checkpoint.is_file(), timeout=LONG)

    kill_training(run, qtbot)
    wait_for_title(ready, qtbot, "ended unexpectedly")
    assert ready.message.text.startswith(
        "The process of nuclei ended without finishing; what it had saved is kept."
    )
    assert ready.message.level == "error"

    assert ready.message.remedy.text() == "Resume"
    click(ready.message.remedy)
    wait_for_title(ready, qtbot, ": training")
    qtbot.waitUntil(lambda: "Resuming after epoch" in ready.run_panel.log.toPlainText(), timeout=LONG)
    assert workspace.runs() == [run]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills_at_random_moments_leave_napari_alive_and_resume_working(
    ready, qtbot, workspace, viewer
):
    rng = random.Random(0)
    panel, said = ready.run_panel, []
    click(ready.start_button)
    wait_for_title(ready, qtbot, "nuclei")
    (run,) = workspace.runs()

    for number in range(20):
        if number % 4 == 1:  # while it trains, validates or saves; else while it starts or reads the images
            before = saved(run)
            qtbot.waitUntil(lambda before=before: saved(run) != before, timeout=LONG)
        qtbot.wait(round(1000 * rng.random()))
        kill_training(run, qtbot)
        wait_for_title(ready, qtbot, "ended unexpectedly")
        said.append(ready.message.text)
        if Run(run).model_dir.exists():
            Model.load(run).verify()
        click(ready.message.remedy)
        qtbot.waitUntil(lambda: "unexpectedly" not in panel.title.text(), timeout=LONG)
        assert ready.message.text == ""

    assert {text.partition(" The system")[0] for text in said} == {
        "The process of nuclei ended without finishing; what it had saved is kept."
    }
    assert len(said) == 20
    # What was saved is never trained again; how many epochs fit in between depends on the computer.
    resumed = [
        int(epoch) for epoch in re.findall(r"Resuming after epoch (\d+)", Run(run).log_file.read_text())
    ]
    assert resumed
    assert resumed == sorted(resumed)
    done = len(Run(run).metrics()["train_loss"])
    wait_for_epochs(ready, qtbot, max(done + 2, 12))
    click(panel.progress.button)
    wait_for_title(ready, qtbot, "stopped")
    Model.load(run).verify()
    epochs = [epoch for epoch, _ in Run(run).metrics()["train_loss"]]
    assert epochs == list(range(1, len(epochs) + 1))
    # A process that does not stop at once is killed, maybe between the table and the event of an epoch.
    assert panel.curves.curve("train_loss")[0] in (epochs, epochs[:-1])
    assert workspace.runs() == [run]
    viewer.open_sample("napari-segloop", "fluorescence_nuclei")
    assert len(viewer.layers) == 2


@pytest.mark.slow
def test_a_training_goes_on_without_napari_and_is_found_again(
    ready, qtbot, workspace, viewer, make_napari_viewer, settle
):
    click(ready.start_button)
    wait_for_epochs(ready, qtbot)
    (run,) = workspace.runs()
    pid = JobFolder(run).pid()
    viewer.close()

    again = make_napari_viewer(show=True)
    _, dock = again.window.add_plugin_dock_widget("napari-segloop", "Training")

    wait_for_title(dock, qtbot, ": training")
    known = len(dock.run_panel.curves.curve("train_loss")[0])
    assert known >= 2
    wait_for_epochs(dock, qtbot, known + 1)
    assert JobFolder(run).pid() == pid
    click(dock.run_panel.progress.button)
    wait_for_title(dock, qtbot, "stopped")
    dock.presenter.close()
    settle(dock)


@pytest.mark.slow
def test_a_finished_training_leads_to_prediction_and_can_be_longer(
    quick, end_trainings, open_dock, workspace, qtbot, settle
):
    quick.stop.max_epochs = 1
    workspace.remember("training.config", compose.to_dict(quick))
    workspace.write_choices()
    dock = open_dock("Training")
    qtbot.waitUntil(dock.start_button.isEnabled, timeout=LONG)
    click(dock.start_button)
    wait_for_title(dock, qtbot, "finished")
    assert dock.message.text == "nuclei is trained."
    assert dock.run_panel.longer.text() == "Train 60 min more"

    click(dock.run_panel.longer)
    wait_for_title(dock, qtbot, ": training")
    wait_for_epochs(dock, qtbot, 3)
    click(dock.run_panel.progress.button)
    wait_for_title(dock, qtbot, "stopped")

    click(dock.run_panel.predict)
    prediction = dock.viewer_app.dock("Prediction")
    settle(prediction)
    models = prediction.presenter.models
    qtbot.waitUntil(lambda: models.chosen is not None, timeout=LONG)
    assert models.chosen.path == str(workspace.runs()[0])


@pytest.mark.slow
def test_why_a_training_failed_is_told(ready, qtbot):
    ready.settings.form.rows["recipe.channels"].value = "DAPI"
    click(ready.start_button)
    wait_for_title(ready, qtbot, "failed")
    assert "DAPI" in ready.message.text
    assert ready.message.level == "error"


# The list of runs


def test_runs_are_listed_best_first_and_choosing_one_shows_its_curves(open_dock, config, workspace, qtbot):
    make_run(workspace, "poor", config, scores=[0.1, 0.2])
    make_run(workspace, "good", config, scores=[0.5, 0.9, 0.8])
    dock = open_dock("Training")
    qtbot.waitUntil(lambda: dock.table.rowCount() == 2)
    assert [row[:3] for row in dock.table.texts()] == [
        ["good", "AP50 0.90", "finished"],
        ["poor", "AP50 0.20", "finished"],
    ]
    for row, (name, title) in enumerate(
        [("good", "model of epoch 2: AP50 0.90"), ("poor", "model of epoch 2: AP50 0.20")]
    ):
        place = dock.table.visualItemRect(dock.table.item(row, 0)).center()
        QTest.mouseClick(dock.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
        wait_for_title(dock, qtbot, title)
        assert name in dock.run_panel.title.text()
    assert dock.run_panel.curves.curve("val_ap50") == ([1, 2], [0.1, 0.2])
    assert dock.run_panel.log.toPlainText().count("Epoch") == 2
    qtbot.waitUntil(lambda: workspace.recall("training.run") == "poor")


def test_a_run_whose_process_is_gone_is_told_on_opening(open_dock, config, workspace, qtbot):
    path = make_run(workspace, "lost", config, JobState.running, scores=[0.5], pid=2**22 + 1)
    dock = open_dock("Training")
    wait_for_title(dock, qtbot, "ended unexpectedly")
    assert dock.message.remedy.text() == "Resume"
    assert JobFolder(path).state() is JobState.lost


def test_another_workspace_shows_its_own_runs(open_dock, config, workspace, qtbot, tmp_path):
    make_run(workspace, "here", config, scores=[0.5])
    other = Workspace(tmp_path / "other")
    make_run(other, "there", config, scores=[0.6])
    dock = open_dock("Training")
    wait_for_title(dock, qtbot, "here")
    dock.viewer_app.app.open_workspace(other.path)
    wait_for_title(dock, qtbot, "there")
    assert [row[0] for row in dock.table.texts()] == ["there"]


# On screen


@pytest.mark.parametrize("state", ["start", "run", "settings"])
def test_it_fits_a_panel_of_400_pixels(open_dock, config, workspace, qtbot, state):
    if state == "run":
        make_run(
            workspace,
            "a-run-with-quite-a-long-name-that-says-all",
            config,
            scores=[0.5],
        )
    dock = open_dock("Training")
    qtbot.waitUntil(dock.start_button.isEnabled, timeout=LONG)
    if state == "run":
        wait_for_title(dock, qtbot, "finished")
        click(dock.run_panel.log_fold.button)
    if state == "settings":
        for fold in dock.settings.findChildren(type(dock.plan_fold)):
            fold.set_opened(True)
    dock.message.show_error("A sentence that is long enough to need several lines " * 3, "Resume")
    QApplication.processEvents()
    assert dock.content.minimumSizeHint().width() <= 400
    assert dock.message.minimumSizeHint().width() <= 384


def test_closing_the_dock_leaves_nothing_behind(ready, viewer):
    app = ready.viewer_app.app
    ready.parent().destroyOnClose()
    viewer.theme = "light"
    app.datasets_changed.emit()
    app.models_changed.emit()
    assert [len(signal) for signal in (app.dataset_chosen, app.datasets_changed, app.models_changed)] == [
        0,
        0,
        0,
    ]


def test_colours_follow_the_theme(open_dock, viewer):
    dock = open_dock("Training")
    curves = dock.run_panel.curves
    dark = curves.backgroundBrush().color().lightness()
    viewer.theme = "light"
    assert curves.backgroundBrush().color().lightness() > dark + 100


def test_an_accepted_sample_counts_at_once(ready, dataset, qtbot):
    opened = CuratedDataset.open(dataset)
    sample = opened.sample(opened.split("train")[0])
    opened.save(sample.edit(verdict=Verdict.rejected), "reject")
    ready.viewer_app.app.datasets_changed.emit()
    qtbot.waitUntil(lambda: ready.dataset.facts.text().startswith("3 train, 1 val"))
