"""The progress bar that verbs without a job show at a terminal."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from segloop.app.predicting import predict_files
from segloop.app.training import train
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.cli.command import run
from segloop.config.compose import compose
from segloop.config.predict import PredictConfig
from segloop.config.train import TrainConfig
from segloop.images.pairing import pair_by_stem
from segloop.images.write import write_image


class Terminal(io.StringIO):
    """Text that was written to a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A folder with two label images."""
    for stem in "ab":
        write_image(tmp_path / "labels" / f"{stem}.tif", np.eye(16, dtype=np.uint8), axes="YX")
    return tmp_path / "labels"


def arguments_of(verb: str, labels: Path) -> list[str]:
    work = labels.parent
    if verb == "evaluate":
        truth = labels.rename(work / "truth")
        for file in truth.iterdir():
            write_image(labels / file.name, np.eye(16, dtype=np.uint8), axes="YX")
        return [verb, str(labels), str(truth), "--out", str(work / "out")]
    for file in labels.iterdir():
        write_image(work / "raw" / file.name, np.eye(16, dtype=np.uint8), axes="YX")
    create = ["dataset", "create", str(work / "d"), "--raw", str(work / "raw"), "--seg", str(labels)]
    if verb == "create":
        return create
    assert run(create) == 0
    return ["dataset", "check", str(work / "d")]


VERBS = [("create", "Examining the images"), ("check", "Checking the samples"), ("evaluate", "Scoring")]


@pytest.mark.parametrize(("verb", "message"), VERBS)
def test_progress_is_shown_at_a_terminal_and_gone_at_the_end(
    verb: str, message: str, labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = arguments_of(verb, labels)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    assert run(arguments) == 0

    assert f"{message}  50%|" in terminal.getvalue()
    assert terminal.getvalue().rpartition("\r")[2].strip() == ""


@pytest.mark.parametrize("verb", [verb for verb, _ in VERBS])
def test_nothing_is_shown_elsewhere(verb: str, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = arguments_of(verb, labels)
    capsys.readouterr()

    assert run(arguments) == 0

    assert capsys.readouterr().err == ""


@pytest.fixture
def study(sample_nuclei: Path, tmp_path: Path) -> Path:
    """A folder with a dataset, a run of one epoch and a prediction that keeps its probabilities."""
    pairs = pair_by_stem(sample_nuclei / "raw", sample_nuclei / "seg").pairs[:4]
    dataset = CuratedDataset.create(tmp_path / "nuclei", pairs, val=0.5, accept_all=True)
    overrides = [f"dataset={dataset.path}", "stop.max_epochs=1", "patch.per_epoch=4", "device.kind=cpu"]
    train(dataset.path, compose(TrainConfig, overrides), out=tmp_path / "run")
    kept = PredictConfig(outputs=["probability"])
    predict_files(tmp_path / "run", [pair.raw for pair in pairs[:2]], out=tmp_path / "kept", config=kept)
    return tmp_path


@pytest.mark.slow
def test_verbs_that_take_a_model_show_their_progress_too(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    compare = ["compare", str(study / "run"), "--dataset", str(study / "nuclei"), "--out", str(study / "out")]

    assert run(compare) == 0
    assert run(["threshold", str(study / "kept"), "--otsu"]) == 0

    sample = CuratedDataset.open(study / "nuclei").split("val")[1]
    assert f"run: {sample}  25%|" in terminal.getvalue()  # the baselines are the other half
    assert "Decoding 100%|" in terminal.getvalue()
