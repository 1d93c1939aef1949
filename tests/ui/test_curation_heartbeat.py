"""napari's event loop while a user steps through samples: how long it is without a beat."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from qtpy.QtCore import Qt

from heartbeat import Heartbeat
from segloop.app.sample import make_sample_dataset

STEPS = 9
ALLOWED_S = 0.1
"""Longest stall beyond the one of bare napari."""


@pytest.mark.slow
def test_a_step_to_the_next_sample_stalls_no_longer_than_napari_takes_to_show_it(
    viewer, workspace, open_dock, canvas, qtbot, settle, record_property
):
    make_sample_dataset(workspace.datasets_dir / "nuclei")
    dock = open_dock("Curation")
    settle(dock)
    heart = Heartbeat()

    # Everything is drawn once before, because the first time graphics code is compiled for it.
    shown = []
    for _ in range(STEPS):
        canvas.key(Qt.Key.Key_N)
        settle(dock)
        shown.append([np.array(layer.data) for layer in dock.view.layers])

    bare = []
    for number, arrays in enumerate(shown):
        heart.start()
        for layer, array in zip(dock.view.layers, arrays, strict=True):
            layer.data = array
        if arrays[0].shape != shown[number - 1][0].shape:
            viewer.reset_view()
        qtbot.waitUntil(lambda: len(heart.gaps) > 20)
        bare.append(heart.stop()[0])

    for _ in range(STEPS):
        canvas.key(Qt.Key.Key_B)
        settle(dock)
    with_dock = []
    for _ in range(STEPS):
        heart.start()
        canvas.key(Qt.Key.Key_A)
        settle(dock)
        qtbot.waitUntil(lambda: len(heart.gaps) > 20)
        with_dock.append(heart.stop()[0])
    assert dock.review.session.counts().accepted == STEPS

    each = {"with_the_dock": sorted(with_dock, reverse=True), "bare_napari": sorted(bare, reverse=True)}
    heart.record(record_property, **each)
    assert statistics.median(with_dock) < statistics.median(bare) + ALLOWED_S
    assert max(with_dock) < max(bare) + ALLOWED_S
