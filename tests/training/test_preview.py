"""The images that a training shows after each validation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.job.events import MetricsEvent, PreviewEvent
from segloop.artifacts.job.state import JobState
from segloop.targets import Decoded
from segloop.training import preview
from segloop.training.preview import choose_crop, draw_outlines
from training_fixtures import TINY, config, train

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]

NOWHERE = np.empty((0, 3), int)


@pytest.mark.parametrize(
    ("shape", "foreground", "dims", "corner", "size", "plane"),
    [
        ((1, 100, 80), NOWHERE, 2, (0, 0, 0), (1, 100, 80), 0),
        ((1, 1000, 2000), NOWHERE, 2, (0, 308, 808), (1, 384, 384), 0),
        ((1, 1000, 2000), np.array([[0, 3, 1990]]), 2, (0, 0, 1616), (1, 384, 384), 0),
        ((9, 100, 80), np.array([[7, 5, 5], [7, 6, 6], [0, 0, 0]]), 2, (7, 0, 0), (1, 100, 80), 0),
        ((40, 500, 80), np.array([[39, 250, 40]]), 3, (24, 154, 0), (16, 192, 80), 15),
        ((4, 5, 6), NOWHERE, 3, (0, 0, 0), (4, 5, 6), 2),
    ],
)
def test_the_crop_lies_in_the_image_around_the_foreground(
    shape: tuple[int, int, int],
    foreground: np.ndarray,
    dims: int,
    corner: tuple[int, ...],
    size: tuple[int, ...],
    plane: int,
) -> None:
    assert choose_crop(shape, foreground, dims) == (corner, size, plane)


def test_outlines_lie_on_the_edge_of_objects_and_the_image_elsewhere() -> None:
    image = np.zeros((2, 7, 7), np.float32)
    image[0, 3, 3], image[1, 0, 0], image[1, 6, 6] = 0.5, 2.0, -3.0
    found = np.zeros((7, 7), int)
    found[2:5, 2:5] = 4
    picture = draw_outlines(image, found)
    edge = found > 0
    edge[3, 3] = False
    assert (picture[edge] == (255, 214, 0)).all()
    assert picture[3, 3].tolist() == [128] * 3
    assert picture[0, 0].tolist() == [255] * 3
    assert picture[6, 6].tolist() == [0] * 3


def test_a_training_shows_each_validation(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "MAX_PREVIEWS", 2)
    dataset = make_dataset(nuclei)

    run = train(config(dataset, [*TINY, "stop.max_steps=9"]), tmp_path / "run")

    validated = [event.epoch for event in run.job.events_of(MetricsEvent) if "val_loss" in event.values]
    shown = run.job.events_of(PreviewEvent)
    assert validated
    assert [event.epoch for event in shown] == validated
    assert {event.sample for event in shown} == {dataset.split("val")[0]}
    files = sorted((run.path / "previews").iterdir())
    assert files == [event.file(run.path) for event in shown][-2:]
    picture = imagecodecs.png_decode(files[-1].read_bytes())
    raw, _ = nuclei[shown[-1].sample]
    assert picture.shape == (*raw.shape[-2:], 3)
    assert picture.std() > 0
    assert files[-1].stat().st_size < 3 * 384 * 384


def test_a_preview_that_fails_does_not_end_the_training(
    nuclei: Pictures,
    make_dataset: MakeDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: Any) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(imagecodecs, "png_encode", full)
    with caplog.at_level(logging.WARNING, "segloop.training"):
        run = train(config(make_dataset(nuclei), TINY), tmp_path / "run")

    assert run.job.state() is JobState.finished
    assert not run.job.events_of(PreviewEvent)
    assert "There is no preview of epoch" in caplog.text
    assert "No space left" in caplog.text


def test_of_a_target_with_other_outputs_the_first_is_outlined() -> None:
    boundary = np.array([[[0.0, 0.7]]], np.float32)

    assert preview._found(Decoded(boundary=boundary)).tolist() == [[[0, 1]]]
