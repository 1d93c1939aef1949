"""The warm prediction process, as the Prediction dock uses it: real processes, real signals."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

from processes import kill, other_process
from segloop.app.app import App
from segloop.app.helper import HelperState, PredictionHelper
from segloop.app.layers import LayerImage, new_scratch, start, start_files
from segloop.app.workspace import Workspace
from segloop.artifacts.job.events import OutputEvent, ProgressEvent
from segloop.artifacts.job.state import JobState
from segloop.artifacts.prediction.place import find_predictions
from segloop.config.device import DeviceConfig, DeviceKind
from segloop.config.predict import PredictConfig
from segloop.core.context import Context
from segloop.core.errors import JobError

pytestmark = pytest.mark.slow
PATIENCE = 240  # seconds; importing torch alone takes a while on a busy computer


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "study")


@pytest.fixture
def helper(workspace):
    helper = PredictionHelper(workspace)
    yield helper
    helper.close()


@pytest.fixture
def nuclei(sample_nuclei):
    return tifffile.imread(sorted((sample_nuclei / "raw").glob("*.tif"))[0])


CONFIG = PredictConfig(outputs=["mask", "probability"], device=DeviceConfig(kind=DeviceKind.cpu))


def submit(helper, workspace, model, pixels):
    folder = new_scratch(workspace.scratch_dir)
    return start(helper, str(model), [LayerImage("mine", (pixels,), "YX", ("mine",))], CONFIG, folder)


def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)  # other processes work meanwhile; there is no event to wait for


def end(job):
    until(lambda: job.ended, "the job did not end")
    return job.state()


def test_a_second_prediction_starts_quicker(helper, workspace, model, nuclei):
    seconds = []
    for _ in range(2):
        begun = time.monotonic()
        assert end(submit(helper, workspace, model, nuclei).job) is JobState.finished
        seconds.append(time.monotonic() - begun)

    assert seconds[1] < seconds[0] / 2


def test_the_helper_says_what_it_does(helper, workspace, model, nuclei):
    states = []
    helper.changed.connect(states.append)
    assert helper.state is HelperState.absent

    job = submit(helper, workspace, model, nuclei).job
    said = []
    until(lambda: said.append(job.waiting_for) or job.state() is not JobState.waiting, "it did not begin")
    assert end(job) is JobState.finished
    until(lambda: helper.state is HelperState.ready, "it is not ready for the next job")

    assert states == [HelperState.loading, HelperState.ready, HelperState.busy, HelperState.ready]
    assert "Loading torch: about 20 s, once per session" in said
    assert job.waiting_for == ""
    kill(helper.pid)
    until(lambda: states[-1] is HelperState.absent, "its end was not noticed")
    assert helper.state is HelperState.absent


def test_a_job_waits_for_the_one_before_it(helper, workspace, model, nuclei):
    first = submit(helper, workspace, model, np.tile(nuclei, (12, 12))).job
    second = submit(helper, workspace, model, nuclei).job
    until(lambda: first.folder.last(ProgressEvent), "the first did not begin")
    until(lambda: helper.state is HelperState.busy, "it did not say that it began")
    assert first.waiting_for == ""
    assert second.waiting_for == "Waiting for the prediction before this one"
    assert end(first) is JobState.finished
    assert end(second) is JobState.finished


def test_stopping_a_job_that_waits_ends_that_one_only(helper, workspace, model, nuclei):
    first = submit(helper, workspace, model, np.tile(nuclei, (24, 24))).job
    second, third = (submit(helper, workspace, model, nuclei).job for _ in range(2))
    until(lambda: first.folder.last(ProgressEvent), "the first did not begin")
    pid = helper.pid

    begun = time.monotonic()
    second.stop()
    assert end(second) is JobState.stopped
    assert time.monotonic() - begun < 1.5

    assert not first.ended
    assert end(first) is JobState.finished
    assert end(third) is JobState.finished
    assert helper.pid == pid
    assert second.state() is JobState.stopped
    assert not (second.path / "output").exists()


def test_ending_a_process_that_does_not_react_leaves_the_jobs_that_wait(helper, workspace, model, nuclei):
    first = submit(helper, workspace, model, np.tile(nuclei, (24, 24))).job
    second = submit(helper, workspace, model, nuclei).job
    until(lambda: first.folder.last(ProgressEvent), "the first did not begin")
    pid = helper.pid
    other_process(pid).suspend()

    first.stop()

    assert end(first) is JobState.stopped
    assert end(second) is JobState.finished
    assert helper.pid != pid


@pytest.mark.parametrize("text", [None, "{", '{"format": "segloop-task", "version": 99, "kind": "predict"}'])
def test_a_job_that_is_refused_says_why(helper, workspace, model, nuclei, tmp_path, text):
    folder = tmp_path / "job"
    if text is not None:
        folder.mkdir()
        (folder / "task.json").write_text(text)
    job = helper.submit(folder)
    assert end(job) is JobState.failed
    assert str(folder / "task.json") in job.failure()
    tifffile.imwrite(tmp_path / "a.tif", nuclei)
    again = start_files(helper, str(model), [str(tmp_path / "a.tif")], CONFIG, tmp_path / "out", folder)
    assert end(again) is JobState.finished


def test_a_layer_comes_back_as_growing_and_then_whole_zarr(helper, workspace, model, nuclei):
    started = submit(helper, workspace, model, nuclei)
    assert end(started.job) is JobState.finished
    outputs = started.job.folder.events_of(OutputEvent)
    assert {event.input for event in outputs} == set(started.inputs)
    assert [event.partial for event in outputs] == [True, True, False, False]
    (prediction,) = find_predictions(started.folder / "output")
    assert set(prediction.outputs()) == {"mask", "probability"}


def test_cancel_acts_within_a_second(helper, workspace, model, nuclei):
    end(submit(helper, workspace, model, nuclei).job)
    job = submit(helper, workspace, model, np.tile(nuclei, (24, 24))).job
    until(lambda: job.folder.last(ProgressEvent), "no progress")
    begun = time.monotonic()
    job.stop()
    assert end(job) is JobState.stopped
    seconds = time.monotonic() - begun

    assert seconds < 1.5  # a second, and what a loaded computer adds
    assert not list((job.path / "output").glob("*.json"))


def test_cancel_before_the_process_is_warm_acts_within_a_second(helper, workspace, model, nuclei):
    job = submit(helper, workspace, model, nuclei).job
    begun = time.monotonic()
    job.stop()
    assert end(job) is JobState.stopped
    assert time.monotonic() - begun < 1.5


def test_after_kill_9_the_job_is_lost_and_the_next_one_works(helper, workspace, model, nuclei):
    job = submit(helper, workspace, model, np.tile(nuclei, (24, 24))).job
    until(lambda: job.folder.events()[0], "the job did not begin")
    kill(helper.pid)
    assert end(job) is JobState.lost
    assert "ended without finishing" in job.failure()
    assert "the memory was full" in job.failure()
    assert helper.pid is None
    assert end(submit(helper, workspace, model, nuclei).job) is JobState.finished


def test_a_job_that_fails_says_why_and_the_process_goes_on(helper, workspace, model, nuclei, tmp_path):
    job = submit(helper, workspace, tmp_path / "no such model", nuclei).job
    assert end(job) is JobState.failed
    assert "no such model" in job.failure()
    pid = helper.pid
    assert end(submit(helper, workspace, model, nuclei).job) is JobState.finished
    assert helper.pid == pid


def test_files_are_predicted_and_the_same_folder_again(helper, workspace, model, sample_nuclei, tmp_path):
    files = [str(path) for path in sorted((sample_nuclei / "raw").glob("*.tif"))[:2]]
    folder = tmp_path / "out"
    for _ in range(2):
        job = start_files(helper, str(model), files, CONFIG, folder, folder / ".segloop")
        assert end(job) is JobState.finished
        assert len(find_predictions(folder)) == 2


def test_closing_ends_the_process(workspace):
    helper = PredictionHelper(workspace)
    helper.warm_up()
    pid = helper.pid
    helper.close()
    until(lambda: not Path(f"/proc/{pid}").exists() if Path("/proc").exists() else True, "it still runs")
    with pytest.raises(JobError, match="closing"):
        helper.submit(workspace.path)


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_quitting_stops_a_prediction_of_layers_which_nobody_will_see(workspace, model, nuclei):
    app = App(workspace)
    layer = LayerImage("mine", (np.tile(nuclei, (24, 24)),), "YX", ("mine",))
    job = app.predict_layers(str(model), [layer], CONFIG).job
    until(lambda: job.folder.last(ProgressEvent), "no progress")
    pid = app.helper.pid

    app.close()

    until(lambda: gone(pid), "the process did not end")
    assert job.folder.state() is JobState.stopped


def test_quitting_while_a_layer_is_handed_over_stops_its_prediction_too(workspace, model, nuclei):
    app = App(workspace)
    handed_over = []

    def quit_at_once(progress):
        if not handed_over:
            app.close()
        handed_over.append(progress)

    layer = LayerImage("mine", (nuclei,), "YX", ("mine",))
    with pytest.raises(JobError, match="closing"):
        app.predict_layers(str(model), [layer], CONFIG, Context(report=quit_at_once))

    assert handed_over
    assert not list(workspace.scratch_dir.glob("layers-*"))


def test_quitting_lets_a_prediction_of_files_go_on(workspace, model, sample_nuclei, tmp_path):
    app = App(workspace)
    files = [str(path) for path in sorted((sample_nuclei / "raw").glob("*.tif"))[:3]]
    job = start_files(app.helper, str(model), files, CONFIG, tmp_path / "out", tmp_path / "out" / ".segloop")

    app.close()

    assert end(job) is JobState.finished
    assert len(find_predictions(tmp_path / "out")) == 3
