import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from prediction_records import make_record
from segloop.app.evaluating import evaluate, score_lines
from segloop.core.errors import PairingError


def few(source: Path, into: Path, count: int = 3) -> Path:
    into.mkdir()
    for file in sorted(source.glob("*.tif"))[:count]:
        shutil.copy(file, into)
    return into


def test_perfect_labels_score_one_and_the_baseline_less(sample_nuclei: Path, tmp_path: Path) -> None:
    truth = few(sample_nuclei / "seg", tmp_path / "truth")
    same = few(sample_nuclei / "seg", tmp_path / "same")

    result = evaluate(same, truth, out=tmp_path / "scores", raw=sample_nuclei / "raw")

    written = json.loads((tmp_path / "scores" / "metrics.json").read_text())
    assert written == result.metrics
    assert written["n_images"] == 3
    assert written["instance"]["ap"]["0.50"] == 1
    assert 0 < written["baseline"]["instance"]["ap"]["0.50"] < 1
    assert result.problems == ()
    assert (tmp_path / "scores" / "report.html").is_file()


def test_an_unmatched_file_is_reported_and_the_others_are_scored(sample_nuclei: Path, tmp_path: Path) -> None:
    truth = few(sample_nuclei / "seg", tmp_path / "truth", 3)
    same = few(sample_nuclei / "seg", tmp_path / "same", 2)

    result = evaluate(same, truth, out=tmp_path / "scores")

    assert result.metrics["n_images"] == 2
    assert len(result.problems) == 1
    assert "030.tif" in result.problems[0]


def test_nothing_in_common_is_an_error(sample_nuclei: Path, tmp_path: Path) -> None:
    truth = few(sample_nuclei / "seg", tmp_path / "truth", 1)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(truth / "000.tif", other / "unlike.tif")

    with pytest.raises(PairingError):
        evaluate(other, truth, out=tmp_path / "scores")


def test_summary_shows_the_baseline_beside_the_scores() -> None:
    scores = {"n_images": 1, "semantic": {"dice": 0.9, "iou": 0.8}, "instance": None}

    lines = score_lines({**scores, "baseline": {**scores, "semantic": {"dice": 0.5, "iou": 0.4}}})

    assert lines[0] == "1 image"
    assert lines[1].split()[:2] == ["Dice", "0.900"]
    assert lines[1].endswith("0.500")


def test_confused_classes_cost_score_whatever_the_file_of_a_prediction_is_called(
    sample_nuclei: Path, tmp_path: Path
) -> None:
    for name in ("truth", "predictions"):
        (tmp_path / name).mkdir()
    classes = (tifffile.imread(sample_nuclei / "seg" / "000.tif") % 3).astype(np.uint8)
    tifffile.imwrite(tmp_path / "truth" / "a.tif", classes)
    swapped = np.array([0, 2, 1], np.uint8)[classes]
    tifffile.imwrite(tmp_path / "predictions" / "a.tif", swapped)
    make_record({"a.tif": "classes"}).write(tmp_path / "predictions" / "a.json")

    metrics = evaluate(tmp_path / "predictions", tmp_path / "truth", out=tmp_path / "scores").metrics

    assert metrics["semantic"]["dice"] == 0
    assert metrics["instance"] is None


def test_the_label_kind_may_be_given_where_records_are_missing(sample_nuclei: Path, tmp_path: Path) -> None:
    truth = few(sample_nuclei / "seg", tmp_path / "truth", 1)
    same = few(sample_nuclei / "seg", tmp_path / "same", 1)
    as_classes = evaluate(same, truth, out=tmp_path / "scores", label_kind="semantic")
    assert as_classes.metrics["instance"] is None
    assert len(as_classes.metrics["semantic"]["classes"]) > 10
    assert any(line.startswith("IoU of class 1 ") for line in as_classes.summary())
