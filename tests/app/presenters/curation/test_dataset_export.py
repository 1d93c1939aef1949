"""Exporting the reviewed dataset from the dock, without a window."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.background import FakeBackground
from segloop.app.presenters.curation.activity import Activity
from segloop.app.presenters.curation.dataset_export import DatasetExport
from segloop.app.presenters.messages import Messages
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.images.pairing import Pair
from segloop.images.write import write_image


@pytest.fixture
def dataset(tmp_path):
    labels = np.kron(np.arange(4, dtype=np.uint8).reshape(2, 2), np.ones((8, 8), np.uint8))
    pairs = []
    for stem in "ab":
        files = [write_image(tmp_path / kind / f"{stem}.tif", labels, axes="YX") for kind in ("raw", "seg")]
        pairs.append(Pair(stem, *files))
    return CuratedDataset.create(tmp_path / "cells", pairs, accept_all=True)


class Exporting:
    def __init__(self, path):
        self.background, self.activity, self.messages = FakeBackground(), Activity(), Messages()
        self.export = DatasetExport(lambda: path, self.background, self.activity, self.messages).export


def test_each_export_gets_a_folder_of_its_own(dataset, tmp_path):
    exporting = Exporting(dataset.path)
    for name in ("cells-cellpose", "cells-cellpose-2"):
        exporting.export("cellpose", tmp_path)
        assert exporting.activity.running
        exporting.background.finish()
        assert exporting.messages.last.text == f"2 samples written to {tmp_path / name}."
        assert not exporting.activity.running


def test_what_can_not_be_read_is_said_and_the_rest_is_written(dataset, tmp_path):
    (tmp_path / "raw" / "b.tif").unlink()
    exporting = Exporting(dataset.path)
    exporting.export("pairs", tmp_path)
    exporting.background.finish()
    last = exporting.messages.last
    assert last.level == "warning"
    assert last.text.startswith(f"1 sample written to {tmp_path / 'cells-pairs'}. 1 not: ")
    assert "b.tif" in last.text


def test_without_an_accepted_sample_it_says_what_to_do(dataset, tmp_path):
    for sample_id in "ab":
        dataset.edit(sample_id, lambda now: now.edit(verdict="undecided"), "reconsider")
    exporting = Exporting(dataset.path)
    exporting.export("coco", tmp_path)
    exporting.background.finish()
    assert "accept samples in Curation first" in exporting.messages.last.text


def test_nothing_is_exported_without_a_dataset(tmp_path):
    exporting = Exporting(None)
    exporting.export("pairs", tmp_path)
    assert not exporting.background.waiting
