"""What was corrected of predictions: counted from the labels before and after, on drawn and real objects."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tifffile import imread

from segloop.app.correcting import correct_files
from segloop.app.corrections import corrections_of
from segloop.app.predicting import predict_files
from segloop.app.workspace import Workspace
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.label_changes import LabelChange
from segloop.artifacts.dataset.manifest import LabelStatus, Verdict
from segloop.artifacts.dataset.segmentation import PredictionSource
from segloop.cli.command import run
from segloop.config.predict import PredictConfig
from segloop.curation import label_edits
from segloop.curation.session import ReviewSession
from segloop.images.pairing import Pair
from segloop.images.write import write_image


@pytest.fixture
def dataset(tmp_path: Path) -> CuratedDataset:
    """Two images whose labels are a prediction, with four objects each."""
    labels = np.zeros((80, 80), np.uint8)
    for number, (y, x) in enumerate(((5, 5), (5, 45), (45, 5), (45, 45)), 1):
        labels[y : y + 20, x : x + 20] = number
    pairs = []
    for stem in "ab":
        raw = write_image(tmp_path / "raw" / f"{stem}.tif", labels, axes="YX")
        seg = write_image(tmp_path / "seg" / f"{stem}.tif", labels, axes="YX")
        pairs.append(Pair(stem, raw, seg))
    made = CuratedDataset.create(tmp_path / "d", pairs, label_kind="instances")
    for sample in made.samples():
        file = sample.segmentations[0].source.image
        source = PredictionSource(image=file, model="nuclei", model_sha256="0" * 64)
        made.add_segmentation(sample.id, "nuclei", source)
        made.edit(sample.id, lambda now: now.edit(base="nuclei"), "base")
    return made


def test_each_kind_of_correction_is_counted(dataset: CuratedDataset) -> None:
    session = ReviewSession(CuratedDataset.open(dataset.path))

    def edit(change: LabelChange) -> None:
        session.change_labels("nuclei", change, "edit")

    def labels() -> np.ndarray:
        return session.dataset.labels(session.current).astype(np.uint32)

    edit(label_edits.delete(labels(), 1))
    edit(label_edits.cut(labels(), 0, [(0, 54), (40, 54)]))
    edit(label_edits.join(labels(), [3, 4]))
    new = labels()
    new[0, 30:40, 30:40] = 9
    edit(LabelChange.between(labels(), new))
    session.accept()

    log = corrections_of(dataset.path)
    (found,) = log.corrections
    assert (found.sample, found.model, found.verdict) == ("a", "nuclei", "accepted")
    assert (found.added, found.removed, found.cut, found.joined) == (1, 1, 1, 1)
    assert (found.n_objects, found.n_errors) == (4, 4)
    assert found.changed_pixels == 400 + 200 + 400 + 100  # removed, cut, joined, added
    assert found.iou == pytest.approx(1200 / 1700)
    assert log.n_waiting == 1
    assert log.by_model()["nuclei"]["errors_per_object"] == 1


def test_pauses_are_not_counted_as_work(dataset: CuratedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1e9]
    monkeypatch.setattr("segloop.artifacts.dataset.journal.time.time", lambda: now[0])
    for sample_id, pause in (("a", 5), ("a", 7), ("a", 300), ("b", 4), ("b", 9), ("a", 2), ("a", 1)):
        now[0] += pause
        dataset.edit(sample_id, lambda sample: sample.edit(note=str(now[0])), "note")
    for sample_id in "ab":
        dataset.edit(sample_id, lambda sample: sample.edit(verdict=Verdict.accepted), "accept")
    seconds = {each.sample: each.seconds for each in corrections_of(dataset.path).corrections}
    assert seconds == {"a": 7 + 1, "b": 9}


def test_an_accepted_prediction_was_right_and_a_rejected_one_does_not_count(dataset: CuratedDataset) -> None:
    dataset.edit("a", lambda now: now.edit(verdict=Verdict.accepted), "accept")
    dataset.edit("b", lambda now: now.edit(verdict=Verdict.rejected), "reject")
    log = corrections_of(dataset.path)
    (found,) = log.corrections
    assert (found.sample, found.n_errors, found.iou, found.corrected) == ("a", 0, 1.0, "")
    assert log.n_waiting == 0


def test_the_status_of_labels_follows_what_was_done(dataset: CuratedDataset) -> None:
    assert dataset.sample("a").label_status is LabelStatus.predicted
    dataset.correct_labels("a", "nuclei", np.zeros((1, 80, 80), np.uint8))
    assert dataset.sample("a").label_status is LabelStatus.corrected
    dataset.undo()
    assert dataset.sample("a").label_status is LabelStatus.predicted
    dataset.edit("a", lambda now: now.edit(base="seg"), "base")
    assert dataset.sample("a").label_status is LabelStatus.given


def test_the_command_line_tells_it_as_a_table_and_as_json(
    dataset: CuratedDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset.correct_labels("a", "nuclei", np.zeros((1, 80, 80), np.uint8))
    assert run(["dataset", "corrections", str(dataset.path)]) == 0
    said = capsys.readouterr().out
    assert "removed" in said
    assert "nuclei: 4 errors in 0 objects of 1 image" in said
    assert "1 prediction not reviewed yet" in said
    assert run(["dataset", "corrections", str(dataset.path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["corrections"][0]["removed"], data["waiting"]) == (4, 1)


def test_a_sample_that_is_gone_is_named_and_the_others_are_counted(
    dataset: CuratedDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    for sample_id in "ab":
        dataset.edit(sample_id, lambda now: now.edit(verdict=Verdict.accepted), "accept")
    dataset.label_file(dataset.sample("a")).path.unlink()
    assert run(["dataset", "corrections", str(dataset.path), "--json"]) == 1
    said = capsys.readouterr()
    assert "a.tif" in said.err
    assert [each["sample"] for each in json.loads(said.out)["corrections"]] == ["b"]


def test_a_real_prediction_that_was_replaced_by_the_truth(
    sample_nuclei: Path, tmp_path: Path, model: Path
) -> None:
    (tmp_path / "images").mkdir()
    shutil.copy(sample_nuclei / "raw" / "000.tif", tmp_path / "images")
    config = PredictConfig(outputs=["mask"])
    predict_files(model, [tmp_path / "images"], out=tmp_path / "out", config=config)
    workspace = Workspace(tmp_path / "study")
    made = correct_files(
        [tmp_path / "out" / "000.json"], None, lambda name: workspace.new_folder(workspace.datasets_dir, name)
    )
    dataset = CuratedDataset.open(made.dataset)
    predicted = imread(tmp_path / "out" / "000.tif") > 0
    truth = imread(sample_nuclei / "seg" / "000.tif") > 0
    dataset.correct_labels("000", "random", truth.astype(np.uint8))
    (found,) = corrections_of(dataset.path).corrections
    assert found.changed_pixels == np.count_nonzero(predicted != truth)
    assert found.iou == pytest.approx((predicted & truth).sum() / (predicted | truth).sum())
