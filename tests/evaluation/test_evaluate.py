"""Files in, metrics and report out; a bad pair spoils nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import label

from segloop.core.context import Context, Progress
from segloop.core.errors import Cancelled, ImageError
from segloop.core.metrics import match_instances
from segloop.evaluation.baseline import otsu_labels
from segloop.evaluation.evaluate import evaluate_files
from segloop.images.pairing import Pair, pair_by_stem

NAMES = ("000", "105", "240")


@pytest.fixture
def predictions(sample_nuclei: Path, tmp_path: Path) -> Path:
    """Folder with smoothed Otsu's labels of three real images."""
    folder = tmp_path / "predictions"
    folder.mkdir()
    for name in NAMES:
        labels = otsu_labels(tifffile.imread(sample_nuclei / "raw" / f"{name}.tif"))
        tifffile.imwrite(folder / f"{name}.tif", labels.astype(np.uint16))
    return folder


@pytest.fixture
def pairs(predictions: Path, sample_nuclei: Path) -> list[Pair]:
    """The predictions, each with its truth."""
    return [Pair(name, predictions / f"{name}.tif", sample_nuclei / "seg" / f"{name}.tif") for name in NAMES]


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    tifffile.imwrite(path, change(tifffile.imread(path)))


def test_metrics_table_and_report_are_written(pairs: list[Pair], tmp_path: Path) -> None:
    result = evaluate_files(pairs, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "metrics.csv",
        "metrics.json",
        "report.html",
    ]
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert result == {**written, "problems": []}
    assert written["n_images"] == 3
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8").count("<section") == 3


def test_pairs_found_by_stem_score_as_their_arrays_do(
    predictions: Path, sample_nuclei: Path, pairs: list[Pair], tmp_path: Path
) -> None:
    found = pair_by_stem(predictions, sample_nuclei / "seg")
    result = evaluate_files(found.pairs, tmp_path / "out")
    counts = [match_instances(tifffile.imread(p.raw), tifffile.imread(p.seg)) for p in pairs]
    total = counts[0] + counts[1] + counts[2]
    assert result["instance"]["ap"]["0.75"] == pytest.approx(total.average_precision(0.75))
    assert result["instance"]["pq"] == pytest.approx(total.panoptic_quality())


def test_the_baseline_of_the_raw_images_stands_beside(
    pairs: list[Pair], sample_nuclei: Path, tmp_path: Path
) -> None:
    raw = {name: sample_nuclei / "raw" / f"{name}.tif" for name in NAMES}
    result = evaluate_files(pairs, tmp_path / "out", baseline_raw=raw)
    # These predictions are the baseline, of whose boundaries nothing is measured.
    baseline = result["baseline"]
    assert baseline["instance"] == result["instance"]
    boundaries = {"hd95_per_image_mean", "surface_dice_per_image_mean"}
    assert set(result["semantic"]) - set(baseline["semantic"]) == boundaries
    assert baseline["semantic"].items() <= result["semantic"].items()


def test_without_raw_images_there_is_no_baseline(pairs: list[Pair], tmp_path: Path) -> None:
    result = evaluate_files(pairs, tmp_path / "out", baseline_raw={"000": None})
    assert "baseline" not in result


def test_shapes_that_differ_are_reported_and_the_rest_scored(pairs: list[Pair], tmp_path: Path) -> None:
    rewrite(pairs[1].raw, lambda labels: labels[:100, :90])
    result = evaluate_files(pairs, tmp_path / "out")
    assert result["n_images"] == 2
    (problem,) = result["problems"]
    for part in (str(pairs[1].raw), "100 x 90 pixels (Y, X)", str(pairs[1].seg)):
        assert part in problem
    assert "100 x 90 pixels" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_an_unreadable_file_is_reported_and_the_rest_scored(pairs: list[Pair], tmp_path: Path) -> None:
    pairs[0].raw.write_bytes(b"not a TIFF")
    pairs[2].raw.unlink()
    result = evaluate_files(pairs, tmp_path / "out", problems=["x.tif has no partner."])
    assert result["n_images"] == 1
    assert result["problems"][0] == "x.tif has no partner."
    assert [pair.raw.name in text for pair, text in zip(pairs[::2], result["problems"][1:], strict=True)] == [
        True,
        True,
    ]


def test_a_bad_raw_image_costs_only_its_baseline(
    pairs: list[Pair], sample_nuclei: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small.tif"
    tifffile.imwrite(small, np.zeros((20, 30), np.uint8))
    raw = {"000": small, "105": sample_nuclei / "raw" / "105.tif"}
    result = evaluate_files(pairs, tmp_path / "out", baseline_raw=raw)
    assert result["n_images"] == 3
    assert result["baseline"]["n_images"] == 1
    (problem,) = result["problems"]
    assert str(small) in problem
    assert "20 x 30" in problem


def test_nothing_to_score_is_an_error_and_writes_nothing(pairs: list[Pair], tmp_path: Path) -> None:
    for pair in pairs:
        pair.raw.write_bytes(b"")
    with pytest.raises(ImageError, match=r"None of 3 pairs.*240\.tif"):
        evaluate_files(pairs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_pair_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="same file stems"):
        evaluate_files([], tmp_path / "out")


@pytest.mark.parametrize("value", [1, 255])
def test_mask_predictions_of_labelled_truth_have_no_instance_scores(
    pairs: list[Pair], tmp_path: Path, value: int
) -> None:
    for pair in pairs:
        rewrite(pair.raw, lambda labels: np.where(labels > 0, value, 0).astype(np.uint8))
    result = evaluate_files(pairs, tmp_path / "out")
    assert result["instance"] is None
    assert result["semantic"]["dice"] > 0.8


def test_truth_masks_have_no_instance_scores(pairs: list[Pair], tmp_path: Path) -> None:
    masks = []
    for pair in pairs:
        mask = tmp_path / f"mask{pair.stem}.tif"
        tifffile.imwrite(mask, (tifffile.imread(pair.seg) > 0).astype(np.uint8))
        masks.append(Pair(pair.stem, pair.raw, mask))
    assert evaluate_files(masks, tmp_path / "out")["instance"] is None
    assert evaluate_files(masks, tmp_path / "out", label_kind="instances")["instance"] is not None


def test_masks_that_are_said_to_hold_objects_are_scored_by_their_components(
    pairs: list[Pair], tmp_path: Path
) -> None:
    """Two masks of 0 and 255 with the same components, whatever values they use."""
    truth, pred = tmp_path / "truth.tif", tmp_path / "pred.tif"
    mask = tifffile.imread(pairs[0].seg) > 0
    tifffile.imwrite(truth, np.where(mask, 255, 0).astype(np.uint8))
    tifffile.imwrite(pred, mask.astype(np.uint8))
    result = evaluate_files([Pair("a", pred, truth)], tmp_path / "out", label_kind="instances")
    assert result["instance"]["ap"]["0.95"] == 1.0
    row = (tmp_path / "out" / "metrics.csv").read_text().splitlines()
    n_truth = int(row[1].split(",")[row[0].split(",").index("n_truth")])
    assert n_truth == label(mask, np.ones((3, 3)))[1] > 10


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [
        ([0, 1, 2, 2], [0, 1, 1, 2], {"1": (2 / 3, 1 / 2), "2": (2 / 3, 1 / 2)}),
        ([0, 1, 1, 1], [0, 1, 1, 2], {"1": (4 / 5, 2 / 3), "2": (0.0, 0.0)}),
        ([0, 0, 3, 3], [0, 0, 3, 3], {"3": (1.0, 1.0)}),
        ([0, 255, 255, 0], [0, 1, 1, 0], {"1": (1.0, 1.0)}),
        ([0, 255, 255, 0], [0, 1, 2, 0], {"1": (1.0, 1.0)}),
        ([0, 0, 0, 0], [0, 0, 0, 0], {"1": (1.0, 1.0)}),
    ],
)
def test_semantic_labels_get_dice_and_iou_of_each_class(
    tmp_path: Path, predicted: list[int], true: list[int], expected: dict[str, tuple[float, float]]
) -> None:
    for name, values in (("pred", predicted), ("truth", true)):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.array(values, np.uint8).reshape(2, 2))
    pair = Pair("a", tmp_path / "pred.tif", tmp_path / "truth.tif")
    semantic = evaluate_files([pair], tmp_path / "out", label_kind="semantic")["semantic"]
    found = {value: (score["dice"], score["iou"]) for value, score in semantic["classes"].items()}
    assert found == {value: pytest.approx(scores) for value, scores in expected.items()}
    assert semantic["dice_per_class_mean"] == pytest.approx(np.mean([dice for dice, _ in expected.values()]))


def test_scores_by_class_agree_with_scikit_learn_in_json_table_and_report(
    pairs: list[Pair], tmp_path: Path
) -> None:
    from sklearn.metrics import f1_score, jaccard_score

    classes, values = [], []
    for pair in pairs:
        both = [(tifffile.imread(path) % 4).astype(np.uint8) for path in (pair.raw, pair.seg)]
        values.append(both)
        for side, labels in zip(("pred", "truth"), both, strict=True):
            tifffile.imwrite(tmp_path / f"{side}{pair.stem}.tif", labels)
        classes.append(Pair(pair.stem, tmp_path / f"pred{pair.stem}.tif", tmp_path / f"truth{pair.stem}.tif"))
    result = evaluate_files(classes, tmp_path / "out", label_kind="semantic")
    semantic = result["semantic"]
    p, t = (np.concatenate([both[side].ravel() for both in values]) for side in (0, 1))
    for value in (1, 2, 3):
        score = semantic["classes"][str(value)]
        assert score["dice"] == pytest.approx(f1_score(t == value, p == value))
        assert score["iou"] == pytest.approx(jaccard_score(t == value, p == value))
        each = [f1_score(b.ravel() == value, a.ravel() == value) for a, b in values]
        assert score["dice_per_image_mean"] == pytest.approx(np.mean(each))
    assert semantic["dice_per_class_mean"] == pytest.approx(f1_score(t, p, labels=[1, 2, 3], average="macro"))
    assert semantic["dice"] == pytest.approx(f1_score(t, p, labels=[1, 2, 3], average="micro"))
    header, *rows = (tmp_path / "out" / "metrics.csv").read_text().splitlines()
    column = header.split(",").index("dice_class_2")
    assert float(rows[0].split(",")[column]) == pytest.approx(
        f1_score(values[0][1].ravel() == 2, values[0][0].ravel() == 2)
    )
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"<td>2</td><td>{semantic['classes']['2']['dice']:.3f}</td>" in page
    assert result["instance"] is None


def test_a_model_that_predicts_one_class_only_is_charged_for_the_others(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "pred.tif", np.array([[1, 1], [0, 0]], np.uint8))
    tifffile.imwrite(tmp_path / "truth.tif", np.array([[1, 2], [0, 0]], np.uint8))
    pair = Pair("a", tmp_path / "pred.tif", tmp_path / "truth.tif")
    semantic = evaluate_files([pair], tmp_path / "out", label_kind="semantic")["semantic"]
    assert semantic["classes"]["2"]["dice"] == 0
    assert semantic["dice"] == 0.5


def test_hundreds_of_objects_are_refused_as_classes(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.arange(400, dtype=np.uint16).reshape(20, 20))
    with pytest.raises(ImageError, match=r"a\.tif holds 400 different values.*label kind instances"):
        evaluate_files(
            [Pair("a", tmp_path / "a.tif", tmp_path / "a.tif")], tmp_path / "out", label_kind="semantic"
        )


def test_labels_with_one_object_or_none_stay_labels(pairs: list[Pair], tmp_path: Path) -> None:
    # A poor model that finds one object in all must not get away without instance scores.
    for pair in pairs:
        rewrite(pair.raw, lambda labels: (labels == 1).astype(np.uint16))
    assert evaluate_files(pairs, tmp_path / "out")["instance"]["ap"]["0.50"] < 0.1


def test_confused_classes_are_errors_if_asked_for(pairs: list[Pair], tmp_path: Path) -> None:
    same = [Pair(pair.stem, pair.seg, pair.seg) for pair in pairs]
    assert evaluate_files(same, tmp_path / "out", label_kind="semantic")["semantic"]["dice"] == 1.0
    swapped = tmp_path / "swapped.tif"
    labels = tifffile.imread(pairs[0].seg)
    tifffile.imwrite(swapped, np.where(labels > 0, labels + 1, 0).astype(labels.dtype))
    result = evaluate_files([Pair("a", swapped, pairs[0].seg)], tmp_path / "out", label_kind="semantic")
    assert result["semantic"]["dice"] == 0.0
    assert result["instance"] is None


def test_a_large_batch_shows_thirty_images_from_worst_to_best(
    pairs: list[Pair], sample_nuclei: Path, tmp_path: Path
) -> None:
    many = [Pair(f"{number:02d}", pairs[number % 3].raw, pairs[number % 3].seg) for number in range(40)]
    evaluate_files(many, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("<section") == 30
    assert "30 of 40 images" in page
    assert len((tmp_path / "out" / "metrics.csv").read_text().splitlines()) == 41


@pytest.mark.parametrize("reports_before", [2, 6])
def test_cancel_while_scoring_or_drawing_writes_no_file(
    pairs: list[Pair], tmp_path: Path, reports_before: int
) -> None:
    seen: list[Progress] = []
    context = Context(report=seen.append, cancelled=lambda: len(seen) >= reports_before)
    with pytest.raises(Cancelled):
        evaluate_files(pairs, tmp_path / "out", context=context)
    assert len(seen) == reports_before
    assert not list((tmp_path / "out").glob("*"))


def test_the_files_compared_are_not_changed(pairs: list[Pair], sample_nuclei: Path, tmp_path: Path) -> None:
    copies = tmp_path / "truth"
    shutil.copytree(sample_nuclei / "seg", copies)
    before = {path: path.read_bytes() for path in [*copies.iterdir(), *(pair.raw for pair in pairs)]}
    evaluate_files([Pair(p.stem, p.raw, copies / p.seg.name) for p in pairs], tmp_path / "out")
    assert {path: path.read_bytes() for path in before} == before
