"""The trivial baseline finds real nuclei, and nothing where there is nothing."""

from __future__ import annotations

from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.core.metrics import dice, match_instances
from segloop.evaluation.baseline import best_channel_baseline, otsu_labels


def test_real_nuclei_are_mostly_found_and_partly_merged(sample_nuclei: Path) -> None:
    counts = []
    for path in sorted((sample_nuclei / "seg").glob("*.tif"))[::3]:
        labels = otsu_labels(tifffile.imread(sample_nuclei / "raw" / path.name))
        counts.append(match_instances(labels, tifffile.imread(path), (0.5,)))
    assert 0.5 < reduce(add, counts).average_precision() < 0.8


def test_a_stack_is_segmented_as_a_whole(test_data: Path) -> None:
    folder = test_data / "nuclei3d_embryo" / "train"
    raw = next((folder / "raw").glob("*.tif"))
    labels = otsu_labels(tifffile.imread(raw))
    assert labels.shape == (51, 120, 122)
    assert dice(labels, tifffile.imread(folder / "seg" / raw.name)) > 0.6


@pytest.mark.parametrize("value", [0, 7, np.nan])
def test_a_constant_image_has_no_objects(value: float) -> None:
    assert not otsu_labels(np.full((1, 16, 16), value, np.float32)).any()


def test_missing_values_do_not_spoil_the_rest(sample_nuclei: Path) -> None:
    raw = tifffile.imread(sample_nuclei / "raw" / "105.tif").astype(np.float32)
    truth = tifffile.imread(sample_nuclei / "seg" / "105.tif")
    whole = dice(otsu_labels(raw), truth)
    raw[:10, :10] = np.nan
    raw[10, :10] = -np.inf
    assert dice(otsu_labels(raw), truth) == pytest.approx(whole, abs=0.02)


def test_the_channel_with_the_highest_dice_is_taken(sample_nuclei: Path) -> None:
    raw = tifffile.imread(sample_nuclei / "raw" / "105.tif")
    truth = tifffile.imread(sample_nuclei / "seg" / "105.tif")[None]
    channels = np.stack([np.zeros_like(raw), 255 - raw, raw])[:, None]
    labels, channel = best_channel_baseline(channels, truth)
    assert channel == 2
    np.testing.assert_array_equal(labels, otsu_labels(raw[None]))


def test_only_valid_pixels_decide_which_channel_is_best() -> None:
    left, right = np.zeros((2, 1, 20, 40), np.float32)
    left[:, 5:15, 5:15] = 1
    right[:, 5:15, 25:35] = 1
    valid = np.zeros(left.shape, bool)
    valid[..., 20:] = True
    _, channel = best_channel_baseline(np.stack([left, right]), left + right > 0, valid)
    assert channel == 1


def test_an_image_without_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="channels"):
        best_channel_baseline(np.empty((0, 1, 4, 4)), np.zeros((1, 4, 4), int))
