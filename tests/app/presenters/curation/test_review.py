"""The review without a window: real datasets, background work and time in the hands of the test."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.background import FakeBackground, FakeClock, FakeMemory
from segloop.app.presenters.curation.drawing import SliceChoice
from segloop.app.presenters.curation.review import ReviewPresenter
from segloop.app.presenters.messages import Messages
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.curation.session import Filter, ReviewSession, SortKey
from segloop.images.pairing import Pair
from segloop.images.write import write_image

SQUARE = np.array([(2.0, 2.0), (2.0, 9.0), (9.0, 9.0), (9.0, 2.0)])


class Review:
    """A presenter and what it said."""

    def __init__(self, dataset):
        self.background, self.clock, self.messages = FakeBackground(), FakeClock(), Messages()
        self.slice, self.said, self.shown, self.heard = 0, [], [], []
        self.presenter = ReviewPresenter(
            self.background, self.clock, FakeMemory(), self.messages, lambda: self.slice
        )
        self.messages.acted.connect(lambda text, undoable: self.said.append((text, undoable)))
        self.presenter.shown.connect(lambda snapshot: self.shown.append(snapshot.sample.id))
        self.presenter.truth_shown.connect(lambda snapshot: self.shown.append("truth"))
        self.presenter.cleared.connect(lambda: self.shown.append(None))
        self.dataset = dataset
        self.presenter.open(ReviewSession(CuratedDataset.open(dataset.path)))

    @property
    def error(self):
        return self.messages.last.text if self.messages.last is not None else ""

    def on_disk(self):
        return CuratedDataset.open(self.dataset.path).sample(self.presenter.sample.id)


@pytest.fixture
def files(tmp_path):
    """Three stacks of four slices with three segmentations each."""
    pairs = []
    for number, stem in enumerate(("a", "b", "c")):
        labels = np.zeros((4, 16, 16), np.uint8)
        labels[:, 3:8, 3:8] = 1
        paths = {}
        for name in ("raw", "manual", "cellpose", "stardist"):
            paths[name] = write_image(tmp_path / name / f"{stem}.tif", labels + number, axes="ZYX")
        others = {name: paths[name] for name in ("cellpose", "stardist")}
        pairs.append(Pair(stem, paths["raw"], paths["manual"], others, "manual"))
    return pairs


@pytest.fixture
def review(files, tmp_path):
    review = Review(CuratedDataset.create(tmp_path / "dataset", files))
    review.background.finish("load")
    return review


def test_the_current_sample_is_read_and_shown(review):
    assert review.shown == [None, "a"]
    assert review.presenter.is_ready()


def test_the_next_sample_is_read_ahead_a_moment_later(review):
    assert "prefetch" not in review.background.waiting
    review.clock.advance(0.2)
    assert "prefetch" in review.background.waiting


def test_a_decision_is_on_disk_said_and_followed_by_the_next_sample(review):
    review.presenter.reject()
    assert review.dataset.sample("a").verdict is Verdict.rejected
    assert review.presenter.sample.id == "b"
    assert review.said == [("a rejected", True)]


def test_a_sample_that_is_still_being_read_is_not_decided_on(review):
    review.presenter.show_next()
    review.presenter.accept()
    assert review.presenter.sample.id == "b"
    assert review.on_disk().verdict is Verdict.undecided
    assert review.error == "b is still being read."
    review.background.finish("load")
    review.presenter.accept()
    assert review.dataset.sample("b").verdict is Verdict.accepted


def test_a_sample_that_cannot_be_read_can_be_rejected_by_the_remedy(review, files):
    files[1].raw.write_bytes(b"no image")
    review.presenter.show_next()
    review.background.finish("load")
    assert "b.tif" in review.error
    assert review.shown[-1] is None
    assert review.messages.last.button == "Reject it"
    review.messages.last.action()
    assert review.dataset.sample("b").verdict is Verdict.rejected


def test_after_the_last_decision_the_message_offers_training(review):
    wanted = []
    review.presenter.training_wanted.connect(lambda: wanted.append(True))
    for _ in range(3):
        review.presenter.accept()
        review.background.finish()
    assert review.error == "All 3 samples are reviewed: 3 accepted, 0 rejected."
    review.messages.last.action()
    assert wanted == [True]


def test_the_ends_of_the_list_are_said(review):
    review.presenter.show_previous()
    assert review.error == "a is the first one."
    review.presenter.set_filter(Filter.undecided)
    for _ in range(3):
        review.presenter.show_next()
    assert review.error == "c is the last one of the undecided samples."


def test_the_base_is_chosen_by_number_or_name(review):
    review.presenter.set_base_number(3)
    assert review.on_disk().base == "stardist"
    assert review.said == [("The ground truth starts from stardist", True)]
    review.presenter.set_base_number(4)
    assert review.error == "a has 3 segmentations: manual, cellpose, stardist."
    assert review.on_disk().base == "stardist"


def test_another_base_shows_another_truth_of_the_same_pixels(review):
    review.presenter.set_base("cellpose")
    review.background.finish("load")
    assert review.shown[-1] == "truth"


def test_merge_regions_take_from_the_chosen_segmentation(review):
    options = review.presenter.options
    assert (options.sources, options.source) == (("cellpose", "stardist"), "cellpose")
    options.set_source("stardist")
    assert review.presenter.can_draw("merge")
    review.presenter.regions.add_region("merge", "polygon", SQUARE)
    (region,) = review.on_disk().regions
    assert region.segmentation == "stardist"
    review.presenter.regions.set_source(region.id, "cellpose")
    assert review.on_disk().regions[0].segmentation == "cellpose"
    review.presenter.set_base("stardist")
    assert (options.sources, options.source) == (("manual", "cellpose"), "manual")


def test_a_sample_with_one_segmentation_has_nothing_to_merge_from(files, tmp_path):
    alone = [Pair(pair.stem, pair.raw, pair.seg) for pair in files]
    review = Review(CuratedDataset.create(tmp_path / "alone", alone))
    review.background.finish("load")
    assert not review.presenter.can_draw("merge")
    assert "only one segmentation" in review.error
    assert review.presenter.can_draw("exclude")


@pytest.mark.parametrize(
    ("choice", "limits"),
    [
        (SliceChoice(), (None, None)),
        (SliceChoice("this"), (2, 2)),
        (SliceChoice("range", 3, 1), (1, 3)),
    ],
)
def test_slices_chosen_while_drawing_act_on_the_region_just_drawn(review, choice, limits):
    review.slice = 2
    review.presenter.options.set_slices(SliceChoice("range", 0, 0))
    review.presenter.regions.begin()
    review.presenter.regions.add_region("exclude", "polygon", SQUARE)
    assert (review.on_disk().regions[0].z_first, review.on_disk().regions[0].z_last) == (0, 0)
    review.presenter.set_slices(choice, [])
    (region,) = review.on_disk().regions
    assert (region.z_first, region.z_last) == limits


def test_slices_chosen_later_act_on_selected_regions_only(review):
    regions = review.presenter.regions
    first = regions.add_region("exclude", "polygon", SQUARE)
    regions.add_region("exclude", "polygon", SQUARE + 3)
    regions.begin()
    review.presenter.set_slices(SliceChoice("range", 1, 2), [first])
    assert [(each.z_first, each.z_last) for each in review.on_disk().regions] == [(1, 2), (None, None)]


def test_undo_discards_the_shape_that_is_being_drawn_before_any_change(review):
    review.presenter.set_note("blurred")
    review.presenter.undo(lambda: True)
    assert review.on_disk().note == "blurred"
    review.presenter.undo(lambda: False)
    assert review.on_disk().note == ""
    assert review.said[-2:] == [("The shape was discarded", False), ("Undone in a", False)]
    review.presenter.redo()
    assert review.on_disk().note == "blurred"


def test_a_shape_that_becomes_a_region_when_finished_is_undone_as_a_region(review):
    def finish():
        review.presenter.regions.add_region("exclude", "polygon", SQUARE)
        return True

    review.presenter.undo(finish)
    assert review.on_disk().regions == ()
    assert [entry.action for entry in review.dataset.journal()] == ["add exclude region", "undo"]


def test_nothing_to_undo_is_said(review):
    review.presenter.undo(lambda: False)
    assert review.error == "There is nothing to undo."
    review.presenter.redo()
    assert review.error == "There is nothing to redo."


def test_the_list_is_searched_and_sorted_and_steps_follow_it(review):
    presenter = review.presenter
    presenter.set_note("strange nucleus")
    presenter.jump("c")
    presenter.set_note("Strange dust")
    presenter.search("strange")
    assert presenter.session.visible_ids() == ("a", "c")
    presenter.sort(SortKey.note, False)
    assert presenter.session.visible_ids() == ("c", "a")
    presenter.show_next()
    assert presenter.sample.id == "a"
    presenter.search("")
    presenter.sort(SortKey.sample, True)
    assert presenter.session.visible_ids() == ("c", "b", "a")


def test_an_edit_that_fails_leaves_the_widgets_as_the_sample_is(review, monkeypatch):
    told = []
    review.presenter.sample_changed.connect(lambda: told.append(review.presenter.sample.base))
    review.presenter.set_base("otsu")
    assert "no segmentation otsu" in review.error
    assert told == ["manual"]


def test_closing_shows_nothing_and_hears_nothing_more(review):
    session = review.presenter.session
    review.presenter.close()
    heard = []
    review.presenter.edited.connect(lambda: heard.append(True))
    session.set_note("later")
    assert (review.presenter.sample, review.shown[-1], heard) == (None, None, [])
