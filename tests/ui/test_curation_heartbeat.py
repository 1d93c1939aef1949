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
@pytest.mark.alone
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

    def bare(number):
        for layer, array in zip(dock.view.layers, shown[number], strict=True):
            layer.data = array
        if shown[number][0].shape != shown[number - 1][0].shape:
            viewer.reset_view()

    def with_dock(_):
        canvas.key(Qt.Key.Key_A)
        settle(dock)

    def step_back():
        for _ in range(STEPS):
            canvas.key(Qt.Key.Key_B)
            settle(dock)

    def undo():
        for _ in range(STEPS):
            dock.run_command("undo")
            settle(dock)

    def stalls(step):
        found = []
        for number in range(STEPS):
            heart.start()
            step(number)
            qtbot.waitUntil(lambda: len(heart.gaps) > 20)
            found.append(heart.stop()[0])
        return found

    # Another program may stall any step once: of each, the shorter of two stalls counts.
    rounds = {bare: [], with_dock: []}
    for go_back in (step_back, undo):
        rounds[bare].append(stalls(bare))
        go_back()
        rounds[with_dock].append(stalls(with_dock))
    bare_s, with_dock_s = ([min(step) for step in zip(*each, strict=True)] for each in rounds.values())
    assert dock.review.session.counts().accepted == STEPS

    each = {"with_the_dock": sorted(with_dock_s, reverse=True), "bare_napari": sorted(bare_s, reverse=True)}
    heart.record(record_property, **each)
    assert statistics.median(with_dock_s) < statistics.median(bare_s) + ALLOWED_S
    assert max(with_dock_s) < max(bare_s) + ALLOWED_S
