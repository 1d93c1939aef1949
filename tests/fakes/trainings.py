"""Trainings without a process: runs whose files a test writes, watched when the test says so."""

from __future__ import annotations

import json
import os

from segloop.app.app import App
from segloop.app.jobs import Job
from segloop.artifacts.job.job import EventLog, JobState
from segloop.artifacts.run.run import Run
from segloop.config.train import TargetConfig


class FakeRepeater:
    """Looks when a test calls `look`."""

    def __init__(self):
        self._call = self._on_result = None

    def start(self, function, on_result):
        self._call, self._on_result = function, on_result

    def stop(self):
        self._call = self._on_result = None

    @property
    def watching(self):
        return self._call is not None

    def look(self):
        call, on_result = self._call, self._on_result
        if not on_result(call()) and self._call is call:
            self.stop()


class FakeApp(App):
    """Starts no process: a run is made, and said to be training by this process."""

    def start_training(self, config, name):
        path = self.workspace.new_folder(self.workspace.runs_dir, name)
        Run.create(path, config)
        EventLog(path).state(JobState.running, pid=os.getpid())
        return Job(path)

    def resume_training(self, run, stop=None):
        self.resumed = (run, stop)
        EventLog(run).state(JobState.running, pid=os.getpid())
        return Job(run)


def write_epoch(path, epoch, seconds=10.0, **values):
    """Write an epoch as a training does."""
    EventLog(path).metrics(epoch, values)
    Run(path).append_metrics({"epoch": epoch, "seconds": seconds * epoch, **values})


def write_model_card(path, epoch, target="instance", **scores):
    """Write what the docks read of a model: its target, its epoch and its own scores."""
    (path / "model").mkdir(exist_ok=True)
    card = {"target": {"name": target}, "provenance": {"epoch": epoch, "scores": scores}}
    (path / "model" / "model.json").write_text(json.dumps(card), encoding="utf-8")


def make_run(workspace, name, config, state=JobState.finished, scores=(), pid=None, seconds=60.0):
    """Write a run with an epoch for each score, but without weights; the model is that of the best one."""
    run = Run.create(workspace.runs_dir / name, config)
    run.change_target(TargetConfig("instance"))
    log = EventLog(run.path)
    log.state(JobState.running, **({"pid": pid} if pid else {}))
    log.message("Network unet, small: 0.48 million weights.")
    for epoch, score in enumerate(scores, 1):
        losses = {"train_loss": 1 / epoch, "val_loss": 1.1 / epoch}
        write_epoch(run.path, epoch, seconds, **losses, val_dice=score, val_ap50=score)
    if scores:
        best = max(scores)
        write_model_card(run.path, list(scores).index(best) + 1, val_ap50=best, val_dice=best)
    if state is not JobState.running:
        log.state(state, ended_by="time")
    return run.path
