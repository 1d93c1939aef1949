"""The Prediction dock, by mouse and keys, with a model that was really trained, on real nuclei."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from scipy.ndimage import minimum_filter

from heartbeat import Heartbeat
from prediction_fixtures import LONG, click, idle, labels_of, seconds_to_cancel, tick, type_into
from processes import kill
from segloop.app.presenters.prediction.compatibility import Remedy
from segloop.artifacts.job.state import JobState
from segloop.artifacts.prediction.provenance import Provenance
from segloop.core.object_errors import ErrorKind
from segloop.targets.output import LABELS, MASK, PROBABILITY

pytestmark = pytest.mark.slow


def helper_pid(dock):
    return dock.viewer_app.app.helper.pid


def test_objects_on_the_sample_image_are_one_click_away_in_a_new_workspace(open_dock, viewer, qtbot):
    dock = open_dock("Prediction")
    qtbot.waitUntil(dock.sources.layers.sample.isVisible)
    assert dock.model_row.combo.currentText() == "nuclei-2d"
    assert dock.model_row.card.text().startswith("Nuclei in 2D fluorescence images.")
    click(dock.sources.layers.sample)
    qtbot.waitUntil(lambda: bool(dock.results.finished()) and not dock.job.busy, timeout=LONG)
    truth, image, result = viewer.layers
    assert result.name == f"{image.name}, by nuclei-2d"
    assert np.mean((result.data > 0) == (truth.data > 0)) > 0.98
    assert dock.result_panel.summary.text().startswith(f"{result.data.max()} objects")
    dock.viewer_app.close()


def test_the_sample_image_is_only_opened_where_nothing_can_be_predicted(open_dock, viewer, qtbot):
    dock = open_dock("Prediction")
    qtbot.waitUntil(dock.sources.layers.sample.isVisible)
    click(dock.outputs.boxes[LABELS])  # nothing is wanted any more
    click(dock.sources.layers.sample)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2 and not dock.workers.busy, timeout=LONG)
    click(dock.outputs.boxes[LABELS])
    qtbot.wait(200)
    assert len(viewer.layers) == 2
    assert not dock.job.busy
    dock.viewer_app.close()


def test_a_new_model_appears_by_itself(open_dock, workspace, trained, qtbot):
    dock = open_dock("Prediction")
    qtbot.waitUntil(lambda: dock.model_row.combo.currentText() == "nuclei-2d")
    shutil.copytree(trained, workspace.runs_dir / "fresh")
    dock.viewer_app.app.models_changed.emit()
    qtbot.waitUntil(lambda: "fresh" in dock.model_row.combo.itemText(0))
    assert dock.model_row.combo.currentText() == "nuclei-2d"
    dock.model_row.combo.setCurrentIndex(0)
    assert "2D objects" in dock.model_row.card.text()
    dock.viewer_app.close()


def test_a_damaged_model_file_is_refused_in_one_sentence(dock, tmp_path, qtbot):
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    dock.use_model(str(tmp_path / "bad.zip"))
    qtbot.waitUntil(lambda: dock.message.level == "error")
    assert "bad.zip" in dock.message.text
    assert not dock.predict_button.isEnabled()


def test_a_layer_that_was_never_saved_gets_its_objects_right_above_it(
    dock, viewer, predict, nuclei, model, tmp_path
):
    above = viewer.add_points(np.zeros((1, 2)), name="mine")
    predict()
    assert [layer.name for layer in viewer.layers] == ["nuclei", "nuclei, by run nuclei", "mine"]
    labels = labels_of(viewer, "nuclei")
    assert labels.data.shape == nuclei.shape
    assert labels.data.max() > 3
    assert np.array_equal(labels.scale, (0.5, 0.5))
    assert np.array_equal(labels.translate, (10, 20))
    assert dock.result_panel.summary.text().startswith(f"{labels.data.max()} objects, median ")
    assert np.array_equal(viewer.layers["nuclei"].data, nuclei)
    assert above in viewer.layers
    tifffile.imwrite(tmp_path / "nuclei.tif", nuclei)
    command = ["predict", str(model), str(tmp_path / "nuclei.tif"), "--out", str(tmp_path / "out")]
    subprocess.run([sys.executable, "-m", "segloop", *command], check=True, capture_output=True)
    assert np.array_equal(labels.data, tifffile.imread(tmp_path / "out" / "nuclei.tif"))


def test_sliders_act_at_once_on_the_kept_probability(dock, viewer, predict, wait):
    predict()
    before = labels_of(viewer, "nuclei").data.copy()
    process = helper_pid(dock)
    started = time.monotonic()
    type_into(dock.thresholds.boxes["foreground"], "0.90")
    wait(lambda: not dock.results.updating)
    seconds = time.monotonic() - started
    after = labels_of(viewer, "nuclei").data
    assert 0 < (after > 0).sum() < (before > 0).sum()
    assert dock.result_panel.summary.text().startswith(f"{after.max()} object")
    assert dock.thresholds.sliders["foreground"].value() == 90
    assert helper_pid(dock) == process
    assert seconds < 5
    click(dock.thresholds.reset)
    wait(lambda: not dock.results.updating)
    assert np.array_equal(labels_of(viewer, "nuclei").data, before)


def test_dragging_a_slider_ends_at_its_last_value(dock, viewer, predict, wait):
    predict()
    slider = dock.thresholds.sliders["min_size"]
    slider.setFocus()
    for _ in range(12):
        QTest.keyClick(slider, Qt.Key.Key_PageUp)
        QApplication.processEvents()
    wait(lambda: not dock.results.updating)
    smallest = dock.thresholds.boxes["min_size"].value()
    assert smallest > 100
    sizes = np.bincount(labels_of(viewer, "nuclei").data.ravel())[1:]
    assert (sizes >= smallest).all()


def test_ticking_an_output_shows_it_without_predicting_again(dock, viewer, predict, wait):
    predict()
    tick(dock.outputs.boxes[MASK])
    tick(dock.outputs.boxes[PROBABILITY])
    wait(lambda: not dock.results.updating and "nuclei, mask by run nuclei" in viewer.layers)
    names = [layer.name for layer in viewer.layers]
    by = "by run nuclei"
    assert names == ["nuclei", f"nuclei, probability {by}", f"nuclei, mask {by}", f"nuclei, {by}"]
    labels = labels_of(viewer, "nuclei").data
    assert np.array_equal(viewer.layers["nuclei, mask by run nuclei"].data > 0, labels > 0)


def test_predicting_again_replaces_the_result(dock, viewer, predict):
    predict()
    predict()
    assert [layer.name for layer in viewer.layers] == ["nuclei", "nuclei, by run nuclei"]


def test_a_layer_that_was_painted_on_is_left_alone(dock, viewer, predict, wait):
    predict()
    mine = labels_of(viewer, "nuclei")
    mine.paint((5, 5), 99)
    assert "yours" in dock.message.text
    painted = mine.data.copy()
    type_into(dock.thresholds.boxes["foreground"], "0.80")
    wait(lambda: not dock.results.updating)
    assert np.array_equal(mine.data, painted)
    assert len([layer for layer in viewer.layers if ", by " in layer.name]) == 2


def test_saving_writes_what_shows_and_where_it_came_from(dock, viewer, predict, wait, tmp_path):
    predict()
    type_into(dock.thresholds.boxes["foreground"], "0.70")
    wait(lambda: not dock.results.updating)
    dock.result_panel.save_requested.emit(tmp_path / "saved")
    wait(lambda: dock.message.text.startswith("Saved"))
    assert np.array_equal(
        tifffile.imread(tmp_path / "saved" / "nuclei.tif"), labels_of(viewer, "nuclei").data
    )
    record = Provenance.read(tmp_path / "saved" / "nuclei.json")
    assert record.image == "nuclei"
    assert record.input is None
    assert record.parameters["foreground"] == 0.7
    assert record.n_objects == labels_of(viewer, "nuclei").data.max()


def test_two_layers_of_one_file_are_saved_by_their_names(open_dock, model, viewer, nuclei, wait, tmp_path):
    tifffile.imwrite(tmp_path / "cells.tif", np.stack([nuclei, nuclei[::-1]]), photometric="minisblack")
    dock = open_dock("Prediction")
    viewer.open(tmp_path / "cells.tif", plugin="napari", channel_axis=0, name=["upright", "mirrored"])
    assert {layer.source.path for layer in viewer.layers} == {str(tmp_path / "cells.tif")}
    tick(dock.sources.layers.boxes["upright"])
    tick(dock.sources.layers.boxes["mirrored"])
    wait(dock.predict_button.isEnabled)
    click(dock.predict_button)
    wait(lambda: idle(dock))
    dock.result_panel.save_requested.emit(tmp_path / "saved")
    wait(lambda: dock.message.text.startswith("Saved 2 files"))
    assert {path.name for path in (tmp_path / "saved").glob("*.tif")} == {"upright.tif", "mirrored.tif"}
    dock.viewer_app.close()


def test_a_result_is_scored_against_a_truth_layer(dock, viewer, predict, wait, sample_nuclei):
    truth = tifffile.imread(sorted((sample_nuclei / "seg").glob("*.tif"))[1])
    viewer.add_labels(truth, name="truth", scale=(0.5, 0.5), translate=(10, 20))
    predict()
    click(dock.result_panel.score)
    wait(lambda: "Dice" in dock.result_panel.scores.text())
    assert dock.result_panel.scores.text().startswith("AP at IoU 0.5 is 0.")


def test_errors_are_shown_as_contours_until_the_objects_change(dock, viewer, predict, wait, sample_nuclei):
    truth = tifffile.imread(sorted((sample_nuclei / "seg").glob("*.tif"))[1])
    layer = viewer.add_labels(truth, name="truth", scale=(0.5, 0.5), translate=(10, 20))
    predict()
    free = minimum_filter(
        (labels_of(viewer, dock.results.finished()[0].view.name).data == 0) & (truth == 0), 9
    )
    y, x = np.argwhere(free[4:-4, 4:-4])[0] + 4
    layer.data[y - 4 : y + 5, x - 4 : x + 5] = truth.max() + 1  # an object that the model misses
    active = viewer.layers.selection.active
    click(dock.result_panel.score)
    wait(lambda: any(layer.name.endswith(", errors") for layer in viewer.layers))

    errors, result = viewer.layers[-1], dock.results.finished()[0]
    assert errors.name == f"{result.view.name}, errors"
    assert errors.contour == 2
    assert viewer.layers.selection.active is active
    labels = next(layer for layer in viewer.layers if result.view.holds(layer))
    for corner in ((0, 0), (7, 3)):
        assert np.allclose(errors.data_to_world(corner), labels.data_to_world(corner))
    missed = dock.result_panel.legend.rows[ErrorKind.MISSED]
    assert missed.isVisible()
    assert missed.text() == f"{int(missed.text().split()[0])} missed"
    number = int(errors.data[y, x])
    assert errors.colormap.map(number) == pytest.approx([0xE6 / 255, 0x9F / 255, 0, 1], abs=0.01)
    for _ in range(int(missed.text().split()[0])):  # goes through all of them
        click(missed)
        if np.allclose(getattr(viewer, "scene", viewer).camera.center[-2:], errors.data_to_world((y, x))):
            break
    else:
        pytest.fail("no click on the legend led to the missed object")
    assert "truth" in [dock.result_panel.truth.itemText(n) for n in range(dock.result_panel.truth.count())]
    assert errors.name not in [
        dock.result_panel.truth.itemText(n) for n in range(dock.result_panel.truth.count())
    ]

    type_into(dock.thresholds.boxes["foreground"], "0.70")
    wait(lambda: errors not in viewer.layers)
    assert not missed.isVisible()


def test_a_stack_needs_slice_by_slice_and_then_gets_labels_in_each_slice(
    open_dock, model, viewer, nuclei, wait
):
    stack = np.stack([nuclei, nuclei[::-1], nuclei.T[: nuclei.shape[0], : nuclei.shape[1]]][:2])
    viewer.add_image(stack, name="stack", scale=(2, 0.5, 0.5))
    dock = open_dock("Prediction")
    wait(lambda: "stack of 2 slices" in dock.compatibility.label.text())
    assert not dock.predict_button.isEnabled()
    click(dock.compatibility.remedies[Remedy.slice_by_slice])
    wait(dock.predict_button.isEnabled)
    click(dock.predict_button)
    wait(lambda: idle(dock))
    labels = labels_of(viewer, "stack")
    assert labels.data.shape == stack.shape
    assert labels.data[0].any()
    assert labels.data[1].any()
    assert np.array_equal(labels.scale, (2, 0.5, 0.5))
    dock.viewer_app.close()


def test_channels_are_chosen_where_there_are_several(open_dock, model, viewer, nuclei, wait):
    channels = np.stack([np.zeros_like(nuclei), nuclei, nuclei // 2])
    viewer.add_image(channels, name="three")
    dock = open_dock("Prediction")
    combo = dock.sources.layers.axes_combos["three"]
    combo.setFocus()
    QTest.keyClick(combo, Qt.Key.Key_End)
    assert combo.currentText() == "channels"
    wait(lambda: bool(dock.compatibility.combos) and "has 3 channels" in dock.compatibility.label.text())
    assert not dock.predict_button.isEnabled()
    chosen = dock.compatibility.combos[0]
    chosen.setFocus()
    for _ in range(2):
        QTest.keyClick(chosen, Qt.Key.Key_Down)
    assert chosen.currentText() == "Channel 1"
    wait(dock.predict_button.isEnabled)
    click(dock.predict_button)
    wait(lambda: idle(dock))
    assert labels_of(viewer, "three").data.shape == nuclei.shape
    assert labels_of(viewer, "three").data.any()
    dock.viewer_app.close()


def test_the_sample_that_curation_shows_does_not_take_the_tick_over(dock, open_dock, nuclei_dataset, settle):
    curation = open_dock("Curation")
    settle(curation)
    boxes = dock.sources.layers.boxes
    assert {name: box.isChecked() for name, box in boxes.items()} == {"nuclei": True, "Curation: raw": False}


@pytest.mark.alone
def test_cancel_acts_within_a_second(dock, viewer, wait):
    large = np.tile(viewer.layers["nuclei"].data, (12, 12))
    viewer.add_image(large, name="large")
    wait(dock.predict_button.isEnabled)
    click(dock.predict_button)
    wait(lambda: dock.progress.label.text().startswith("Predicting"))
    assert seconds_to_cancel(dock, wait) < 1.5  # a second, and what a loaded computer adds
    wait(lambda: not dock.workers.busy)
    assert "large, by run nuclei" not in viewer.layers


@pytest.mark.timeout(900)
def test_after_each_of_twenty_kills_the_dock_says_so_and_predict_works_again(dock, viewer, wait, qtbot):
    rng = random.Random(0)
    viewer.add_image(np.tile(viewer.layers["nuclei"].data, (12, 12)), name="large")
    wait(dock.predict_button.isEnabled)
    button = dock.predict_button
    updates = []
    dock.job.updated.connect(updates.append)
    for number in range(20):
        updates.clear()
        click(button)
        wait(lambda: bool(updates))  # the process has got the job
        if number % 4:  # else while the process starts, or reads the model
            wait(lambda: dock.progress.label.text().startswith("Predicting"))
        qtbot.wait(round(500 * rng.random()))
        kill(helper_pid(dock))
        wait(lambda: not dock.job.busy)
        assert "ended unexpectedly" in dock.message.text
        assert dock.message.remedy.text() == "Predict again"
        assert [layer.name for layer in viewer.layers] == ["nuclei", "large"]
        button = dock.message.remedy
    click(button)
    wait(lambda: idle(dock))
    assert labels_of(viewer, "large").data.max() > 100


@pytest.mark.alone
def test_the_event_loop_is_never_held_up_while_a_prediction_runs(
    dock, viewer, wait, nuclei, qtbot, record_property
):
    image = np.tile(nuclei, (4, 4))
    viewer.add_image(image, name="tiled")
    tick(dock.outputs.boxes[PROBABILITY])
    wait(dock.predict_button.isEnabled)
    heart = Heartbeat()
    heart.start()
    viewer.add_labels(np.zeros(image.shape, np.uint16), name="bare napari")
    qtbot.waitUntil(lambda: len(heart.gaps) > 20)
    bare = heart.stop()

    heart.start()
    click(dock.predict_button)
    wait(lambda: idle(dock))
    with_dock = heart.stop()

    assert "tiled, by run nuclei" in viewer.layers
    assert "tiled, probability by run nuclei" in viewer.layers
    heart.record(record_property, with_the_dock=with_dock, bare_napari=bare)
    assert with_dock[0] < bare[0] + 0.1


def test_a_large_result_shows_while_it_grows(dock, viewer, wait):
    viewer.add_image(np.tile(viewer.layers["nuclei"].data, (10, 10)), name="large")
    tick(dock.outputs.boxes[PROBABILITY])
    wait(dock.predict_button.isEnabled)
    click(dock.predict_button)
    wait(lambda: "large, probability by run nuclei" in viewer.layers and dock.job.busy)
    growing = viewer.layers["large, probability by run nuclei"]
    wait(lambda: np.asarray(growing.data[:50, :50]).any() and dock.job.busy)
    assert not np.asarray(growing.data[-50:, -50:]).any()
    wait(lambda: idle(dock))
    assert viewer.layers["large, probability by run nuclei"] is growing
    assert np.asarray(growing.data[-500:, -500:]).any()
    assert "large, by run nuclei" in viewer.layers


def test_torch_stays_out_of_the_process_of_the_gui(model, workspace, sample_nuclei):
    image = sorted((sample_nuclei / "raw").glob("*.tif"))[1]
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PREDICT_ALONE, str(image)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert said.stdout.splitlines()[-1:] == ["nuclei, by run nuclei, without torch"], said.stderr[-2000:]


_PREDICT_ALONE = """
import sys, napari
from qtpy.QtWidgets import QApplication
from tifffile import imread
viewer = napari.Viewer(show=True)
viewer.add_image(imread(sys.argv[1]), name="nuclei")
_, dock = viewer.window.add_plugin_dock_widget("napari-segloop", "Prediction")
while not dock.predict_button.isEnabled():
    QApplication.processEvents()
dock.predict_button.click()
while dock.job.busy or dock.workers.busy:
    QApplication.processEvents()
dock.thresholds.boxes["foreground"].setValue(0.7)
while dock.results.updating:
    QApplication.processEvents()
print(viewer.layers[-1].name + (", with" if "torch" in sys.modules else ", without") + " torch")
dock.viewer_app.close()
viewer.close()
"""


def test_closing_the_dock_removes_what_several_layers_were_handed_over_in(dock, viewer, wait, workspace):
    viewer.add_image(viewer.layers["nuclei"].data[::-1], name="mirrored")
    for box in dock.sources.layers.boxes.values():
        tick(box)
    wait(dock.predict_button.isEnabled)
    click(dock.predict_button)
    wait(lambda: idle(dock))
    assert len(dock.results.finished()) == 2
    assert list(workspace.scratch_dir.glob("layers-*"))
    viewer.window.remove_dock_widget(dock)
    wait(lambda: not list(workspace.scratch_dir.glob("layers-*")))
    assert labels_of(viewer, "mirrored").data.any()


def test_an_image_of_six_axes_is_listed_with_the_reason_why_it_can_not_be_predicted(dock, viewer, wait):
    viewer.add_image(np.zeros((1, 1, 2, 2, 16, 16)), name="six")
    layers = dock.sources.layers
    assert not layers.boxes["six"].isEnabled()
    assert layers.unusable.isVisible()
    assert layers.unusable.text() == (
        "six has 6 axes, at most 5 can be predicted: open a part of it as a layer of its own."
    )
    assert layers.boxes["nuclei"].isChecked()
    wait(dock.predict_button.isEnabled)
    viewer.layers.remove("six")
    assert not layers.unusable.isVisible()


def test_quitting_stops_a_prediction_of_layers(dock, viewer, wait):
    viewer.add_image(np.tile(viewer.layers["nuclei"].data, (12, 12)), name="large")
    wait(dock.predict_button.isEnabled)
    click(dock.predict_button)
    wait(lambda: dock.progress.label.text().startswith("Predicting"))
    (folder,) = dock.viewer_app.app.workspace.scratch_dir.glob("layers-*")
    over = []
    dock.job.ended.connect(over.append)
    dock.viewer_app.close()
    wait(lambda: bool(over))
    assert over[0].update.state is JobState.stopped
    wait(lambda: not folder.exists())
