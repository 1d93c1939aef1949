"""Sliders on a large result: it says that it is updating, and the part in view does not wait for the rest."""

from __future__ import annotations

import numpy as np
import pytest

from prediction_fixtures import click, idle, labels_of, type_into

pytestmark = pytest.mark.slow


@pytest.fixture
def large(dock, viewer, nuclei, wait):
    """The labels layer of a large image, with the middle of it in view."""
    viewer.layers.clear()
    viewer.add_image(np.tile(nuclei, (8, 8)), name="large")
    wait(dock.predict_button.isEnabled)
    click(dock.predict_button)
    wait(lambda: idle(dock))
    viewer.reset_view()
    viewer.scene.camera.zoom *= 6
    return labels_of(viewer, "large")


@pytest.mark.timeout(900)
def test_the_part_in_view_follows_first_and_the_end_is_seen(dock, large, wait):
    before = np.asarray(large.data).copy()
    said = dock.result_panel.summary.text()
    wait(lambda: 0 < large.corner_pixels[0, 0] < large.corner_pixels[1, 0] < before.shape[0] - 1)
    (top, left), (bottom, right) = large.corner_pixels
    updates = []
    dock.results.changed.connect(lambda: updates.append(np.asarray(large.data)))

    type_into(dock.thresholds.boxes["foreground"], "0.60")
    wait(lambda: dock.result_panel.summary.text().startswith("Updating"))
    wait(lambda: idle(dock))

    final = np.asarray(large.data)
    preview = next(each for each in updates if not np.array_equal(each, before))
    assert not np.array_equal(preview, final)
    inside = np.s_[top:bottom, left:right]
    assert np.array_equal(preview[inside] > 0, final[inside] > 0)
    assert np.array_equal(preview[:100], before[:100])
    assert dock.result_panel.summary.text().startswith(f"{final.max():,} objects")
    assert dock.result_panel.summary.text() != said
