"""Masks without numbered objects, the most common labels, give models that find something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage.measure import label

import segloop
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.job.state import JobState
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.run import Run
from segloop.cli.command import run as run_command
from segloop.config.train import NormalisationConfig, TrainConfig
from segloop.core.context import Context
from segloop.networks import NETWORKS
from segloop.targets import make_target
from segloop.training.planning.samples import survey
from segloop.training.planning.target import resolve_target
from segloop.training.prepare import prepare
from segloop.training.verdict import found_nothing
from training_fixtures import TINY, ToyNetwork, messages

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]

BRIEF = ["patch.size=[48,48]", "patch.batch_size=4", "patch.per_epoch=32", "stop.max_steps=60"]


def masks(pictures: Pictures, value: int) -> Pictures:
    return {name: (raw, (value * (labels > 0)).astype(np.uint8)) for name, (raw, labels) in pictures.items()}


@pytest.mark.parametrize("dims", [2, 3])
def test_the_objects_of_masks_are_their_components(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path, dims: int
) -> None:
    binary = masks(nuclei, 255)
    dataset = make_dataset(binary)
    found = survey(dataset, resolve_target(TrainConfig(), dataset.label_kind), Context())

    samples = prepare(
        dataset,
        found.train,
        make_target("instance", dims=dims),
        NormalisationConfig(),
        tmp_path / "cache",
        Context(),
        pytest.fail,
    )

    for sample in samples:
        expected = np.bincount(label(binary[sample.id][1] > 0, connectivity=2).ravel())[1:]
        assert sorted(sample.arrays().sizes) == sorted(expected)
        assert len(np.unique(sample.arrays().labels)) == 1 + len(expected)


def test_sizes_are_those_of_connected_parts_though_labels_are_torn(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    torn = {name: (raw, np.where(labels > 0, 1 + labels % 2, 0)) for name, (raw, labels) in nuclei.items()}
    pictures = {name: (raw, labels.astype(np.uint16)) for name, (raw, labels) in torn.items()}
    dataset = make_dataset(pictures, label_kind="instances")
    found = survey(dataset, resolve_target(TrainConfig(), "instances"), Context())

    samples = prepare(
        dataset, found.train, make_target("instance"), NormalisationConfig(), tmp_path, Context(), pytest.fail
    )

    for sample in samples:
        parts = label(pictures[sample.id][1], connectivity=2)
        assert sorted(sample.arrays().sizes) == sorted(np.bincount(parts.ravel())[1:])


@pytest.mark.parametrize("value", [1, 255])
def test_the_command_learns_masks_by_default(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path, value: int
) -> None:
    dataset = make_dataset(masks(nuclei, value))

    status = run_command(["train", str(dataset.path), "--out", str(tmp_path / "run"), *BRIEF])

    run = Run.open(tmp_path / "run")
    assert status == 0
    assert run.config.target.kind == "semantic"
    assert any("because the labels are masks" in text for text in messages(run, "info"))
    assert max(dice for _, dice in run.metrics()["val_dice"]) > 0.5


def test_python_learns_the_objects_of_masks_where_asked_to(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(masks(nuclei, 255))

    run = segloop.train(dataset.path, out=tmp_path / "run", overrides=["target=instance", *BRIEF])

    largest = max(int(np.bincount(labels.ravel())[1:].max()) for _, labels in nuclei.values())
    assert 0 < Model.load(run.path).parameters.min_size < largest / 2
    assert max(dice for _, dice in run.metrics()["val_dice"]) > 0.5


def test_a_model_that_finds_nothing_is_a_failure(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = make_dataset(nuclei)
    settings = ["network.name=toy", *TINY, "stop.max_epochs=20"]

    with NETWORKS.registered("toy", ToyNetwork):
        status = run_command(["train", str(dataset.path), "--out", str(tmp_path / "run"), *settings])

    run = Run.open(tmp_path / "run")
    assert status == 1
    assert "The model finds nothing in the validation images" in capsys.readouterr().err
    assert run.job.state() is JobState.failed
    failure = messages(run, "error")[-1]
    assert "trained for only 60 steps" in failure
    assert f"with segloop train --resume {run.path} and a higher stop.max_epochs." in failure
    with NETWORKS.registered("toy", ToyNetwork):
        run_command(["train", "--resume", str(run.path), "stop.max_epochs=22"])
    assert len(run.metrics()["train_loss"]) == 22


@pytest.mark.parametrize(
    ("scores", "has_foreground", "failed"),
    [
        ({"val_loss": 0.3, "val_dice": 0.0}, True, True),
        ({"val_loss": 0.3, "val_dice": 0.0, "val_ap50": float("nan")}, True, True),
        ({"val_loss": 0.3, "val_dice": 0.4, "val_ap50": 0.0}, True, False),
        ({"val_loss": 0.3, "val_dice": 0.0}, False, False),
        ({}, True, False),
    ],
)
def test_nothing_found_is_judged_by_all_scores(
    scores: dict[str, float], has_foreground: bool, failed: bool
) -> None:
    assert found_nothing(scores, has_foreground) is failed
