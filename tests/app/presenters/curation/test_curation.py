"""The dock as a whole without a window: finding, opening and creating datasets in a real workspace."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.background import FakeBackground, FakeClock
from segloop.app.app import App
from segloop.app.presenters.curation.curation import CurationPresenter
from segloop.app.presenters.curation.dataset_creation import ChosenLayers
from segloop.app.presenters.curation.pairing import FolderChoice
from segloop.app.workspace import Workspace
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.curation.creating import Plane, SplitShares
from segloop.images.write import write_image

NO_SIZE = (None, None, None)


@pytest.fixture
def images(tmp_path):
    labels = np.eye(16, dtype=np.uint8)
    for stem in ("a", "b"):
        write_image(tmp_path / "plate" / "raw" / f"{stem}.tif", labels, axes="YX")
        write_image(tmp_path / "plate" / "seg" / f"{stem}.tif", labels, axes="YX")
    return tmp_path / "plate"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGLOOP_HOME", str(tmp_path / "home"))
    return Workspace(tmp_path / "study")


class Dock:
    """A presenter in a workspace, and the signals that it emitted."""

    def __init__(self, workspace):
        self.app, self.background, self.clock = App(workspace), FakeBackground(), FakeClock()
        self.stages, self.chosen, self.announced = [], [], []
        self.presenter = CurationPresenter(self.app, self.background, self.clock, workspace, lambda: 0)
        self.presenter.stage_changed.connect(self.stages.append)
        self.app.dataset_chosen.connect(self.chosen.append)
        self.app.datasets_changed.connect(lambda: self.announced.append(True))
        self.presenter.open_workspace(workspace)

    @property
    def said(self):
        last = self.presenter.messages.last
        return last.text if last is not None else ""


def folders(images, **choice):
    return FolderChoice(str(images / "raw"), (("", str(images / "seg")),), **choice)


def create(dock, choice, name="", split=None):
    """Pair what is in folders, and create a dataset of the pairs."""
    dock.presenter.creation.pairing.look(choice)
    dock.background.finish()
    dock.presenter.creation.from_pairs(name, split or SplitShares())


def test_an_empty_workspace_offers_ways_to_a_dataset(workspace):
    dock = Dock(workspace)
    assert dock.presenter.activity.running
    dock.background.finish()
    assert (dock.stages, dock.presenter.activity.running) == (["empty"], False)


def test_folders_become_a_dataset_that_is_opened(workspace, images):
    dock = Dock(workspace)
    dock.background.finish()
    dock.presenter.begin_creation()
    create(dock, folders(images))
    dock.background.finish()
    assert dock.stages == ["empty", "creating", "reviewing"]
    assert dock.presenter.current_dataset == workspace.datasets_dir / "plate"
    assert dock.presenter.datasets == (workspace.datasets_dir / "plate",)
    assert dock.chosen == [workspace.datasets_dir / "plate"]
    assert dock.announced == [True]


def test_files_that_were_left_out_are_said_with_the_rest_in_the_tooltip(workspace, images):
    for stem in ("c", "d"):
        for part in ("raw", "seg"):
            stack = np.ones((3, 16, 16), np.uint8)
            write_image(images / part / f"{stem}.tif", stack, axes="ZYX")
    write_image(images / "raw" / "e.tif", np.eye(16, dtype=np.uint8), axes="YX")
    write_image(images / "seg" / "e.tif", np.eye(16, dtype=np.uint8), axes="YX")
    dock = Dock(workspace)
    dock.background.finish()
    create(dock, folders(images), "mine")
    dock.background.finish()
    assert dock.said.endswith("(and 1 more)")
    assert "d.tif" in dock.presenter.messages.last.detail


def test_folders_that_cannot_be_paired_leave_the_form_open(workspace, images):
    dock = Dock(workspace)
    dock.background.finish()
    dock.presenter.begin_creation()
    create(dock, FolderChoice("", (("", str(images / "seg")),)))
    dock.background.finish()
    assert dock.stages[-1] == "creating"
    assert "raw images" in dock.said
    assert not dock.presenter.creation.activity.running
    dock.presenter.leave_creation()
    assert dock.stages[-1] == "empty"


@pytest.mark.parametrize(
    ("raw", "labels", "sentence"), [(False, True, "No raw layer is ticked"), (True, False, "No labels layer")]
)
def test_layers_that_were_not_chosen_are_asked_for(workspace, raw, labels, sentence):
    dock = Dock(workspace)
    dock.background.finish()
    plane = Plane("cells", np.zeros((8, 8), np.uint8))
    chosen = ChosenLayers((plane,) if raw else (), (("", plane),) if labels else (), NO_SIZE)
    dock.presenter.creation.from_layers("", chosen, SplitShares())
    assert sentence in dock.said
    assert not dock.background.waiting


def test_layers_become_a_dataset_named_after_the_first(workspace):
    dock = Dock(workspace)
    dock.background.finish()
    plane = Plane("cells", np.eye(8, dtype=np.uint8))
    dock.presenter.creation.from_layers("", ChosenLayers((plane,), (("", plane),), NO_SIZE), SplitShares())
    dock.background.finish()
    assert dock.presenter.current_dataset == workspace.datasets_dir / "cells"


def test_cancel_stops_the_creation_and_leaves_nothing(workspace, images):
    dock = Dock(workspace)
    dock.background.finish()
    create(dock, folders(images))
    dock.presenter.creation.activity.cancel()
    dock.background.finish()
    assert not (workspace.datasets_dir / "plate").exists()
    assert dock.presenter.current_dataset is None


def test_the_dataset_reviewed_last_is_opened_again(workspace, images):
    made = [
        CuratedDataset.create(workspace.datasets_dir / name, _pairs(images)).path for name in ("one", "two")
    ]
    first = Dock(workspace)
    first.background.finish()
    first.presenter.open_dataset(made[0])
    first.background.finish()
    again = Dock(workspace)
    again.background.finish()
    assert again.presenter.current_dataset == made[0]


def test_a_dataset_that_cannot_be_opened_is_named(workspace, tmp_path):
    dock = Dock(workspace)
    dock.background.finish()
    dock.presenter.open_dataset(tmp_path / "nothing")
    dock.background.finish()
    assert "nothing" in dock.said
    assert dock.presenter.stage == "empty"


def test_other_docks_hear_of_edits_once_and_a_moment_later(workspace, images):
    CuratedDataset.create(workspace.datasets_dir / "one", _pairs(images))
    dock = Dock(workspace)
    dock.background.finish()
    dock.announced.clear()
    dock.presenter.review.accept()
    dock.presenter.review.set_note("quick")
    assert dock.announced == []
    dock.clock.advance(1)
    assert dock.announced == [True]


def test_the_channels_of_a_folder_are_offered_by_name(workspace, tmp_path):
    write_image(
        tmp_path / "raw" / "a.tif", np.zeros((2, 8, 8), np.uint8), axes="CYX", channel_names=("DAPI", "GFP")
    )
    dock = Dock(workspace)
    found = []
    dock.presenter.creation.channels_found.connect(found.append)
    dock.presenter.creation.list_channels(str(tmp_path / "raw"))
    dock.presenter.creation.list_channels(str(tmp_path / "nowhere"))
    dock.presenter.creation.list_channels(str(tmp_path / "raw"))
    dock.background.finish()
    assert found == [("DAPI", "GFP")]


def _pairs(images):
    from segloop.images.pairing import pair_by_stem

    return pair_by_stem(images / "raw", images / "seg").pairs


def more(images):
    """Return folders with one image that a dataset of ``images`` has and one that it lacks."""
    labels = np.eye(16, dtype=np.uint8)
    for part in ("raw", "seg"):
        write_image(images / part / "c.tif", labels, axes="YX")
    return folders(images)


def test_samples_are_added_to_the_dataset_that_is_reviewed(workspace, images):
    dock = Dock(workspace)
    dock.background.finish()
    create(dock, folders(images))
    dock.background.finish()
    path = dock.presenter.current_dataset
    splits = {each.id: each.split for each in CuratedDataset.open(path).summaries()}
    dock.presenter.begin_addition()
    assert dock.presenter.creation.adding_to == path
    create(dock, more(images))
    dock.background.finish()
    assert dock.stages[-2:] == ["creating", "reviewing"]
    assert dock.presenter.current_dataset == path
    assert list(dock.presenter.review.session.samples) == ["a", "b", "c"]
    now = {each.id: each.split for each in CuratedDataset.open(path).summaries()}
    assert {sample: now[sample] for sample in splits} == splits
    assert "a.tif is in plate already" in dock.said
    assert workspace.datasets() == [path]

    dock.presenter.begin_creation()
    assert dock.presenter.creation.adding_to is None


def test_how_many_samples_were_added_is_said(workspace, images, tmp_path):
    dock = Dock(workspace)
    dock.background.finish()
    create(dock, folders(images))
    dock.background.finish()
    for part in ("raw", "seg"):
        write_image(tmp_path / "more" / part / "x.tif", np.eye(16, dtype=np.uint8), axes="YX")
    dock.presenter.begin_addition()
    create(dock, folders(tmp_path / "more"))
    dock.background.finish()
    assert dock.said == "Added 1 sample to plate, which has 3 now."


def test_layers_are_added_as_a_sample(workspace, images):
    dock = Dock(workspace)
    dock.background.finish()
    create(dock, folders(images))
    dock.background.finish()
    dock.presenter.begin_addition()
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    plane = Plane("a", labels)  # of the name of a sample that is there
    chosen = ChosenLayers((plane,), (("", plane),), NO_SIZE)
    for _ in range(2):
        dock.presenter.begin_addition()
        dock.presenter.creation.from_layers("", chosen, SplitShares())
        dock.background.finish()
    dataset = CuratedDataset.open(dock.presenter.current_dataset)
    assert dataset.sample_ids == ("a", "b", "a-2", "a-3")
    assert np.array_equal(dataset.labels(dataset.sample("a-3"))[0], labels)


def test_layers_that_do_not_fit_are_refused_and_leave_nothing(workspace, images):
    dock = Dock(workspace)
    dock.background.finish()
    create(dock, folders(images))
    dock.background.finish()
    dock.presenter.begin_addition()
    raw, labels = Plane("x", np.eye(8, dtype=np.uint8)), Plane("y", np.eye(9, dtype=np.uint8))
    dock.presenter.creation.from_layers("", ChosenLayers((raw,), (("", labels),), NO_SIZE), SplitShares())
    dock.background.finish()
    assert "Layer y has the shape (9, 9)" in dock.said
    assert dock.presenter.stage == "creating"
    assert not any((workspace.path / "images").iterdir())
    assert CuratedDataset.open(dock.presenter.current_dataset).sample_ids == ("a", "b")


def test_what_to_look_at_is_found_and_forgotten_with_the_dataset(workspace, images, tmp_path):
    dock = Dock(workspace)
    dock.background.finish()
    create(dock, folders(images))
    dock.background.finish()
    quality = dock.presenter.quality
    quality.look()
    assert dock.presenter.activity.running
    dock.background.finish()
    assert not dock.presenter.activity.running
    assert quality.summary == "2 samples measured, 3 things to look at; click one:"
    first, *others = quality.quality.findings
    assert (first.sample, first.other) == ("a", "b")
    assert [(each.kind.name, each.sample) for each in others] == [("overexposed", "a"), ("overexposed", "b")]

    dock.presenter.open_dataset(dock.presenter.current_dataset)
    dock.background.finish()
    assert (quality.quality, quality.summary) == (None, "")


def test_a_sample_that_can_not_be_measured_is_named(workspace, images):
    dock = Dock(workspace)
    dock.background.finish()
    create(dock, folders(images))
    dock.background.finish()
    (images / "raw" / "b.tif").write_bytes(b"no image")
    dock.presenter.quality.look()
    dock.background.finish()
    assert dock.said.startswith("b: ")
    assert dock.presenter.quality.summary.startswith("1 sample measured, 1 thing to look at")


def test_files_that_were_moved_are_found_again(workspace, images, tmp_path):
    dock = Dock(workspace)
    dock.background.finish()
    create(dock, folders(images))
    dock.background.finish()
    path = dock.presenter.current_dataset
    images.rename(tmp_path / "elsewhere")
    dock = Dock(workspace)
    dock.background.finish()
    assert dock.presenter.current_dataset == path
    assert dock.presenter.messages.last.button == "Find moved files"
    wanted = []
    dock.presenter.review.relocation_wanted.connect(lambda: wanted.append(True))
    dock.presenter.messages.last.action()
    assert wanted

    (tmp_path / "empty").mkdir()
    dock.presenter.relocate(tmp_path / "empty")
    dock.background.finish()
    assert "None of the 4 files that are missing was found there" in dock.said
    dock.presenter.relocate(tmp_path / "elsewhere")
    dock.background.finish()
    assert dock.said.startswith("4 files found: ")
    assert dock.presenter.review.snapshot is not None
