"""Scores of real label images, pooled and written exactly as documented."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.core.errors import ImageError
from segloop.core.metrics import dice, match_instances
from segloop.evaluation.scores import ImageScore, csv_table, pool, score_image, write_metrics

NAMES = ("000", "105", "240")


@pytest.fixture(scope="module")
def scores(sample_nuclei: Path) -> dict[str, ImageScore]:
    """Real truths, each against itself moved by two pixels."""
    truths = {name: tifffile.imread(sample_nuclei / "seg" / f"{name}.tif")[None] for name in NAMES}
    return {name: score_image(np.roll(truth, 2, 1), truth, instances=True) for name, truth in truths.items()}


def test_the_metrics_have_exactly_the_documented_keys(scores: dict[str, ImageScore]) -> None:
    metrics = pool(scores.values(), scores.values())
    assert set(metrics) == {"n_images", "semantic", "instance", "intervals", "baseline"}
    assert set(metrics["semantic"]) == {
        "dice",
        "iou",
        "precision",
        "recall",
        "dice_per_image_mean",
        "iou_per_image_mean",
    }
    assert set(metrics["instance"]) == {
        "ap",
        "mean_ap_50_90",
        "mean_ap_50_95",
        "f1",
        "precision",
        "recall",
        "pq",
        "sq",
        "errors",
        "lost_to_objects_not_found",
        "lost_to_imprecise_outlines",
        "ap50_per_image_mean",
        "ap_per_image",
        "mean_ap_per_image_50_90",
    }
    assert list(metrics["instance"]["ap"]) == [f"0.{percent}" for percent in range(50, 100, 5)]
    assert set(metrics["baseline"]) == {"n_images", "semantic", "instance", "intervals"}


def test_what_is_lost_and_what_is_scored_add_up(scores: dict[str, ImageScore]) -> None:
    instance = pool(scores.values())["instance"]
    lost = instance["lost_to_objects_not_found"] + instance["lost_to_imprecise_outlines"]
    assert lost + instance["mean_ap_50_90"] == pytest.approx(1)
    assert instance["lost_to_imprecise_outlines"] > 0.1 > instance["lost_to_objects_not_found"]
    assert instance["pq"] == pytest.approx(instance["sq"] * instance["f1"])


def test_scores_are_pooled_unless_named_per_image(scores: dict[str, ImageScore], sample_nuclei: Path) -> None:
    metrics = pool(scores.values())
    aps = [score.instance.average_precision() for score in scores.values() if score.instance]
    assert metrics["n_images"] == 3
    assert metrics["instance"]["ap50_per_image_mean"] == pytest.approx(np.mean(aps))
    per_image = metrics["instance"]["ap_per_image"]
    assert per_image["0.50"] == metrics["instance"]["ap50_per_image_mean"]
    assert metrics["instance"]["mean_ap_per_image_50_90"] == pytest.approx(
        np.mean([value for threshold, value in per_image.items() if threshold != "0.95"])
    )
    tp, fp, fn = (sum(getattr(s.instance, kind)[0] for s in scores.values()) for kind in ("tp", "fp", "fn"))
    assert metrics["instance"]["ap"]["0.50"] == pytest.approx(tp / (tp + fp + fn))
    assert metrics["instance"]["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    truths = [tifffile.imread(sample_nuclei / "seg" / f"{name}.tif") for name in NAMES]
    flat = [np.concatenate([a.ravel() for a in s]) for s in (truths, [np.roll(t, 2, 0) for t in truths])]
    assert metrics["semantic"]["dice"] == pytest.approx(dice(flat[1], flat[0]))
    assert metrics["semantic"]["dice_per_image_mean"] != metrics["semantic"]["dice"]


def test_the_means_of_ap_run_over_nine_and_ten_thresholds(scores: dict[str, ImageScore]) -> None:
    instance = pool(scores.values())["instance"]
    values = list(instance["ap"].values())
    assert instance["mean_ap_50_90"] == pytest.approx(np.mean(values[:9]))
    assert instance["mean_ap_50_95"] == pytest.approx(np.mean(values))


def test_masks_have_no_instance_scores(sample_nuclei: Path) -> None:
    truth = tifffile.imread(sample_nuclei / "seg" / "000.tif")[None] > 0
    metrics = pool([score_image(truth, truth, instances=False)])
    assert metrics["instance"] is None
    assert metrics["semantic"]["dice"] == 1.0


def test_one_image_without_objects_leaves_out_the_instance_scores(scores: dict[str, ImageScore]) -> None:
    mask = ImageScore(scores["000"].pixels, None, scores["000"].n_valid)
    assert pool([mask, scores["105"]])["instance"] is None


def test_the_wrong_class_is_an_error_where_values_are_classes() -> None:
    truth, pred = np.array([[[1, 2, 0]]]), np.array([[[2, 2, 0]]])
    assert score_image(pred, truth, instances=False).pixels.dice == 1.0
    assert score_image(pred, truth, instances=False, classes=True).pixels.dice == 0.5


def test_an_image_excluded_as_a_whole_does_not_move_the_means(scores: dict[str, ImageScore]) -> None:
    nothing = np.zeros((1, 8, 8), bool)
    excluded = score_image(np.ones((1, 8, 8), int), np.ones((1, 8, 8), int), instances=True, valid=nothing)
    before, after = pool(scores.values()), pool([*scores.values(), excluded])
    assert after == {**before, "n_images": 4}


def test_the_valid_mask_reaches_pixels_and_objects(sample_nuclei: Path) -> None:
    truth = tifffile.imread(sample_nuclei / "seg" / "105.tif")[None]
    valid = np.zeros(truth.shape, bool)
    valid[:, :, :100] = True
    score = score_image(np.where(valid, truth, 0), truth, instances=True, valid=valid)
    assert score.pixels.dice == 1.0
    assert score.instance == match_instances(truth[..., :100], truth[..., :100])
    assert score.n_valid == np.count_nonzero(valid)


def test_pooling_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no scores"):
        pool([])


def test_metrics_json_holds_what_was_pooled(scores: dict[str, ImageScore], tmp_path: Path) -> None:
    metrics = write_metrics(tmp_path / "new" / "folder", scores, {"000": scores["000"]})
    assert json.loads((tmp_path / "new" / "folder" / "metrics.json").read_text()) == metrics
    assert metrics == pool(scores.values(), [scores["000"]])


def test_metrics_csv_has_a_line_for_each_image(scores: dict[str, ImageScore], tmp_path: Path) -> None:
    odd = {'plate1/a,"b"': scores["000"], "105": scores["105"]}
    write_metrics(tmp_path, odd, {"105": scores["240"]})
    with (tmp_path / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(odd)
    counts = scores["105"].instance
    assert counts is not None
    assert float(rows[1]["ap_0.50"]) == counts.average_precision()
    assert int(rows[1]["n_truth"]) == counts.n_truth
    assert float(rows[1]["baseline_dice"]) == scores["240"].pixels.dice
    assert rows[0]["baseline_dice"] == ""


def test_a_folder_that_cannot_be_made_is_named(scores: dict[str, ImageScore], tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(ImageError, match=r"taken.*choose a folder"):
        write_metrics(tmp_path / "taken", scores)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum", "\tx"])
def test_the_name_of_a_file_is_no_formula_in_a_spreadsheet(name: str) -> None:
    (row,) = csv.DictReader(io.StringIO(csv_table([{"name": name, "dice": -0.5}])))
    assert row == {"name": f"'{name}", "dice": "-0.5"}
