"""A stack that is too large for memory, in napari's window: it is reviewed like any other."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.curation import pixels
from segloop.images.lazy_stack import LazyStack
from segloop.images.pairing import Pair
from segloop.images.write import write_image


@pytest.fixture
def labels():
    labels = np.zeros((5, 120, 160), np.uint16)
    labels[:, 20:60, 20:100] = 1
    labels[3, 80:110, 100:140] = 3
    labels[[0, 4]] = 0
    return labels


@pytest.fixture
def dock(workspace, tmp_path, labels, open_dock, settle, canvas, monkeypatch):
    monkeypatch.setattr(pixels, "LAZY_FROM", 0)  # so that files of a few kilobytes will do
    pairs = []
    for name in ("a", "b"):
        files = [write_image(tmp_path / part / f"{name}.tif", labels, axes="ZYX") for part in ("raw", "seg")]
        pairs.append(Pair(name, *files))
    CuratedDataset.create(workspace.datasets_dir / "large", pairs)
    dock = open_dock("Curation")
    settle(dock)
    canvas.scale = 1.0
    return dock


def shown(viewer) -> dict:
    return {layer.name.removeprefix("Curation: "): layer for layer in viewer.layers}


def test_a_large_stack_is_stepped_through_and_reviewed(dock, viewer, canvas, settle, labels, workspace):
    layers = shown(viewer)
    assert all(isinstance(layers[name].data, LazyStack) for name in ("raw", "ground truth", "seg"))
    for z in (3, 0, 2):
        viewer.dims.set_current_step(0, z)
        for name in ("raw", "ground truth", "seg"):
            assert np.array_equal(layers[name]._slice.image.raw, labels[z])

    canvas.native.setFocus()
    canvas.key(Qt.Key.Key_U, Qt.KeyboardModifier.ShiftModifier)
    settle(dock)
    assert dock.message.text == "3 of 5 slices have labels; the others are excluded."
    viewer.dims.set_current_step(0, 4)
    assert layers["excluded"]._slice.image.raw.all()
    viewer.dims.set_current_step(0, 2)
    assert not layers["excluded"]._slice.image.raw.any()

    canvas.key(Qt.Key.Key_A)
    settle(dock)
    canvas.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    canvas.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    settle(dock)
    dataset = CuratedDataset.open(workspace.datasets_dir / "large")
    assert not dataset.sample("a").regions
    assert dataset.sample("a").verdict is Verdict.undecided


@pytest.mark.parametrize("by_key", [True, False])
def test_a_large_stack_is_not_corrected_and_it_is_said_what_to_do(dock, viewer, canvas, settle, by_key):
    if by_key:
        canvas.native.setFocus()
        canvas.key(Qt.Key.Key_L)
    else:
        QTest.mouseClick(dock.panel.labels.correct, Qt.MouseButton.LeftButton)
    settle(dock)
    assert dock.message.text == (
        "a is too large to correct: cut out a part with 'segloop dataset crop', and add it."
    )
    assert not dock.review.editor.active
    assert not dock.panel.labels.correct.isChecked()
    assert not any(layer.editable for layer in viewer.layers if layer.name.startswith("Curation: seg"))


def test_a_large_stack_is_seen_from_the_side(dock, viewer, labels):
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_current_step(1, 40)
    assert np.array_equal(shown(viewer)["seg"]._slice.image.raw, labels[:, 40])
