"""The Prediction dock with files: predicted, opened, decoded again, found again."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from prediction_fixtures import click, idle, labels_of, type_into
from segloop.artifacts.prediction.provenance import Provenance

pytestmark = pytest.mark.slow


def test_a_folder_is_predicted_and_the_bad_file_is_named(dock, files, predict, workspace, wait):
    predict()
    texts = [dock.batch.list.item(row).text() for row in range(dock.batch.list.count())]
    done = [text for text in texts if text.startswith("✓")]
    assert len(done) == 3
    assert all("object" in text for text in done)
    assert len([text for text in texts if text.startswith("✗") and "bad.tif" in text]) == 1
    assert dock.batch.title.text().startswith("3 done, 1 failed")
    (out,) = workspace.predictions()
    assert len(list(out.glob("*.labels.tif"))) == 3
    assert len(list(out.glob("*.probability.tif"))) == 3


def test_a_predicted_file_opens_in_the_viewer_and_obeys_the_sliders(dock, files, predict, viewer, wait):
    predict()
    click(dock.batch.open)
    wait(lambda: bool(dock.results.finished()) and idle(dock))
    stem = dock.batch.list.item(0).text().split()[1].rstrip(":")
    image = viewer.layers[stem].data
    assert np.array_equal(image, tifffile.imread(files / f"{stem}.tif"))
    before = (labels_of(viewer, stem).data > 0).sum()
    type_into(dock.thresholds.boxes["foreground"], "0.90")
    wait(lambda: not dock.results.updating)
    assert (labels_of(viewer, stem).data > 0).sum() < before


@pytest.mark.parametrize("how", ["sliders", "otsu"])
def test_a_folder_of_kept_probabilities_is_decoded_again_at_once(dock, files, predict, wait, workspace, how):
    predict()
    (out,) = workspace.predictions()
    before = {path.name: tifffile.imread(path) for path in out.glob("*.labels.tif")}
    if how == "otsu":
        click(dock.batch.use_otsu)
    else:
        type_into(dock.thresholds.boxes["foreground"], "0.90")
    click(dock.batch.rethreshold)
    wait(lambda: idle(dock))
    assert dock.message.text.startswith("3 predictions decoded again")
    changed = [name for name, old in before.items() if not np.array_equal(tifffile.imread(out / name), old)]
    assert changed
    if how == "sliders":
        assert all(Provenance.read(path).parameters["foreground"] == 0.9 for path in out.glob("0*.json"))


def test_reopening_the_dock_finds_choices_and_predictions_again(
    dock, files, predict, viewer, open_dock, wait
):
    predict()
    viewer.window.remove_dock_widget(dock)
    again = open_dock("Prediction")
    wait(lambda: again.batch.isVisible() and again.batch.list.count() == 4 and not again.workers.busy)
    assert again.sources.use_files.isChecked()
    assert again.sources.inputs.value() == str(files)
    assert again.batch.title.text().startswith("3 done, 1 failed")
    assert again.message.text == ""


@pytest.fixture
def predicted(trained, nuclei_folders, tmp_path):
    """A function that predicts the three images by the command line, and returns the folder of outputs."""

    def predicted(outputs):
        out = tmp_path / "predicted"
        command = [
            "predict",
            str(trained),
            str(nuclei_folders / "raw"),
            "--out",
            str(out),
            "--output",
            outputs,
        ]
        subprocess.run([sys.executable, "-m", "segloop", *command], check=True, capture_output=True)
        return out

    return predicted


@pytest.fixture
def open_folder(dock, wait):
    """A function that opens a folder of predictions in the dock."""

    def open_folder(folder):
        click(dock.sources.use_files)
        type_into(dock.sources.predicted.line, str(folder))
        wait(lambda: idle(dock))

    return open_folder


def test_a_folder_predicted_by_the_command_line_is_opened_and_decoded_again(
    dock, predicted, open_folder, wait
):
    out = predicted("labels,probability")
    before = {path.name: tifffile.imread(path) for path in out.glob("*.labels.tif")}
    open_folder(out)
    texts = [dock.batch.list.item(row).text() for row in range(dock.batch.list.count())]
    assert len(texts) == 3
    assert all(text.startswith("✓ ") and "object" in text for text in texts)
    assert dock.batch.title.text() == f"3 done, in {out}"
    type_into(dock.thresholds.boxes["foreground"], "0.90")
    click(dock.batch.rethreshold)
    wait(lambda: idle(dock))
    assert dock.message.text == f"3 predictions decoded again in {out}."
    assert any(not np.array_equal(tifffile.imread(out / name), old) for name, old in before.items())


def test_a_folder_without_predictions_is_refused_in_one_sentence(dock, nuclei_folders, open_folder):
    open_folder(nuclei_folders / "raw")
    assert dock.message.level == "error"
    assert dock.message.text == (
        f"There are no predictions in {nuclei_folders / 'raw'}: "
        "choose the folder that predictions were written to."
    )
    assert not dock.batch.isVisible()


def test_no_other_folder_is_opened_while_files_are_predicted(dock, nuclei_folders, predicted, wait):
    out = predicted("labels")
    click(dock.sources.use_files)
    type_into(dock.sources.inputs.line, str(nuclei_folders / "raw"))
    wait(dock.predict_button.isEnabled)
    click(dock.predict_button)
    type_into(dock.sources.predicted.line, str(out))
    assert "is running" in dock.message.text
    wait(lambda: idle(dock))
    assert dock.batch.folder != out


def test_a_prediction_without_its_probability_is_not_saved_and_the_reason_is_told(
    dock, predicted, open_folder, wait, tmp_path
):
    out = predicted("labels")
    open_folder(out)
    assert not dock.batch.rethreshold.isEnabled()
    click(dock.batch.open)
    wait(lambda: bool(dock.results.finished()) and idle(dock))
    stem = dock.results.finished()[0].view.name
    dock.result_panel.save_requested.emit(tmp_path / "saved")
    wait(lambda: idle(dock))
    assert dock.message.level == "error"
    assert dock.message.text.startswith(f"The probability of `{stem}` was not kept")
    assert not (tmp_path / "saved").exists()


def test_a_probability_alone_can_not_be_scored_until_a_threshold_makes_objects_of_it(
    dock, predicted, open_folder, wait, viewer, nuclei_folders
):
    open_folder(predicted("probability"))
    click(dock.batch.open)
    wait(lambda: bool(dock.results.finished()) and idle(dock))
    stem = dock.results.finished()[0].view.name
    viewer.add_labels(tifffile.imread(nuclei_folders / "seg" / f"{stem}.tif"), name="truth")
    click(dock.result_panel.score)
    assert dock.message.text == f"`{stem}` has no labels or mask yet: move a threshold, then score it."
    type_into(dock.thresholds.boxes["foreground"], "0.60")
    wait(lambda: idle(dock))
    click(dock.result_panel.score)
    wait(lambda: "Dice" in dock.result_panel.scores.text())


def test_paths_are_kept_meanwhile_where_the_workspace_can_not_be_written(
    dock, workspace, nuclei_folders, wait
):
    shutil.rmtree(workspace.path)
    workspace.path.write_text("no folder")
    click(dock.sources.use_files)
    type_into(dock.sources.inputs.line, str(nuclei_folders / "raw"))
    wait(lambda: "study can't be written" in dock.message.text)  # choices are written on a thread
    assert dock.viewer_app.recall("prediction.inputs") == str(nuclei_folders / "raw")
