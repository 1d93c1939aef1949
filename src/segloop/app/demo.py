"""Once round the loop on bundled real nuclei: curate, train, predict, score."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segloop.app.evaluating import Evaluation, evaluate
from segloop.app.predicting import JOB_FOLDER, predict_files
from segloop.app.sample import make_sample_dataset
from segloop.app.training import train
from segloop.app.workspace import Workspace
from segloop.artifacts.run.score_names import named_curves
from segloop.config import compose
from segloop.config.predict import PredictConfig
from segloop.config.train import StopConfig, TrainConfig

TRAINING_STEPS = 450
"""Enough for the bundled nuclei. A number of steps, unlike a time, gives the same model on every computer."""

Follow = Callable[[Path], AbstractContextManager[None]]


@dataclass(frozen=True)
class Demo:
    """What the demo made.

    Attributes
    ----------
    workspace : Path
        Folder with the dataset, the run, the predictions, ``metrics.json`` and ``report.html``.
    evaluation : Evaluation
        Scores on the held-aside images.
    """

    workspace: Path
    evaluation: Evaluation

    @property
    def metrics(self) -> dict[str, Any]:
        """Content of ``metrics.json``."""
        return self.evaluation.metrics

    @property
    def report(self) -> Path:
        """The report."""
        return self.workspace / "report.html"

    def summary(self) -> list[str]:
        """Return the main scores as readable lines."""
        return self.evaluation.summary()


def run_demo(
    out: str | os.PathLike[str],
    *,
    minutes: float = 30.0,
    follow: Follow = lambda folder: nullcontext(),
    say: Callable[[str], None] = lambda text: None,
) -> Demo:
    """Make a curated dataset of the bundled nuclei, train on two thirds, predict and score the other third.

    Parameters
    ----------
    out : path-like
        Workspace of the demo; a free name beside it is taken if it exists.
    minutes : float
        Longest training time, in case that this computer is too slow for `TRAINING_STEPS`.
    follow : callable, optional
        Given a job's folder, returns a context manager that shows its events while it works.
    say : callable, optional
        Receives a sentence that says what happens next.
    """
    wanted = Path(out).resolve()
    place = Workspace(wanted.parent)
    workspace = Workspace(place.new_folder(wanted.parent, wanted.name))

    say(f"Curating the bundled nuclei in {workspace.path}")
    dataset = make_sample_dataset(workspace.datasets_dir / "nuclei", test=1 / 3, accept_all=True)

    say(f"Training for {TRAINING_STEPS} steps, {minutes:g} min at most")
    run_folder = workspace.runs_dir / "nuclei"
    config = TrainConfig(
        dataset=str(dataset.path), stop=StopConfig(max_steps=TRAINING_STEPS, max_minutes=minutes)
    )
    with follow(run_folder):
        run = train(dataset.path, config, out=run_folder)

    held_aside = [dataset.sample(name) for name in dataset.split("test")]
    say(f"Predicting the {len(held_aside)} held-out images")
    predictions = workspace.predictions_dir / "nuclei"
    with follow(predictions / JOB_FOLDER):
        predict_files(
            run.path,
            [dataset.resolve(sample.raw) for sample in held_aside],
            out=predictions,
            config=PredictConfig(outputs=["labels", "probability"]),
        )

    say("Scoring them, and smoothed Otsu + connected components for comparison")
    truth = dataset.label_file(held_aside[0]).path.parent
    evaluation = evaluate(
        predictions,
        truth,
        out=workspace.path,
        raw=dataset.resolve(held_aside[0].raw).parent,
        title="Segloop demo: fluorescence nuclei",
        curves=named_curves(run),
        config_yaml=compose.to_yaml(run.config),
        only_predicted=True,
    )
    return Demo(workspace.path, evaluation)
