"""What may be wrong in a dataset, each one click from its sample."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from segloop.artifacts.dataset.curated_dataset import CuratedDataset


def test_a_click_on_what_was_found_shows_its_sample(open_dock, nuclei_dataset, settle):
    dataset = CuratedDataset.open(nuclei_dataset)
    last = dataset.sample_ids[-1]
    labels = dataset.labels(dataset.sample(last))
    numbers = sorted(set(labels[labels > 0].tolist()))
    labels[labels == numbers[-1]] = numbers[0]
    dataset.correct_labels(last, "seg", labels)

    dock = open_dock("Curation")
    settle(dock)
    panel = dock.panel.quality
    panel.set_opened(True)
    dock.scroll_to(panel)
    settle(dock)
    assert not panel.list.isVisible()
    QTest.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    settle(dock)
    rows = [panel.list.item(row).text() for row in range(panel.list.count())]
    said = f"{last}: Object {numbers[0]} is in several pieces"
    row = next(number for number, text in enumerate(rows) if text.startswith(said))
    assert dock.review.sample.id != last
    place = panel.list.visualItemRect(panel.list.item(row)).center()
    QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    settle(dock)
    assert dock.review.sample.id == last
