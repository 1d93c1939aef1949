"""Correcting labels without a window, in real datasets; the test paints into the array as a view does."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from fakes.background import FakeBackground, FakeClock, FakeMemory
from segloop.app.presenters.curation.review import ReviewPresenter
from segloop.app.presenters.messages import Messages
from segloop.artifacts.dataset import label_changes
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.curation.session import ReviewSession
from segloop.images.pairing import Pair
from segloop.images.write import write_image


class Editing:
    """A review with its label editor, and what was said and shown."""

    def __init__(self, path):
        self.background, self.messages = FakeBackground(), Messages()
        self.said, self.heard = [], []
        self.review = ReviewPresenter(self.background, FakeClock(), FakeMemory(), self.messages, lambda: 0)
        self.editor = self.review.editor
        self.messages.acted.connect(lambda text, undoable: self.said.append(text))
        self.editor.began.connect(lambda: self.heard.append("began"))
        self.editor.ended.connect(lambda: self.heard.append("ended"))
        self.editor.changed.connect(lambda: self.heard.append("changed"))
        self.review.open(ReviewSession(CuratedDataset.open(path)))
        self.background.finish("load")

    def paint(self, part, value):
        self.editor.labels[part] = value
        self.editor.take(part)

    @property
    def error(self):
        return self.messages.last.text if self.messages.last is not None else ""

    def on_disk(self, name="seg"):
        dataset = CuratedDataset.open(self.review.dataset_path)
        return dataset.labels(dataset.sample(self.review.sample.id), name)


PART = (slice(0, 1), slice(1, 5), slice(1, 5))


@pytest.fixture
def editing(tmp_path):
    pairs = []
    for stem in ("a", "b"):
        labels = np.zeros((2, 24, 24), np.uint8)
        labels[:, 3:9, 3:19] = 1
        labels[:, 14:20, 3:9] = 2
        labels[:, 14:20, 14:20] = 3
        files = {
            name: write_image(tmp_path / name / f"{stem}.tif", labels, axes="ZYX")
            for name in ("raw", "seg", "other")
        }
        pairs.append(Pair(stem, files["raw"], files["seg"], {"other": files["other"]}))
    return Editing(CuratedDataset.create(tmp_path / "dataset", pairs).path)


def test_strokes_are_on_disk_at_once_and_undone_one_by_one(editing):
    original = editing.on_disk()
    assert editing.editor.begin()
    editing.paint(PART, 7)
    first = editing.on_disk()
    editing.paint(PART, 0)
    assert (first[PART] == 7).all()
    assert not editing.on_disk()[PART].any()

    editing.review.undo(lambda: False)
    assert np.array_equal(editing.on_disk(), first)
    assert np.array_equal(editing.editor.labels, first)
    editing.review.undo(lambda: False)
    assert np.array_equal(editing.editor.labels, original)
    editing.review.redo()
    editing.review.redo()
    assert not editing.editor.labels[PART].any()
    assert "load" not in editing.background.waiting  # nothing was read again for that


def test_the_strokes_of_a_review_are_one_version(editing):
    editing.editor.begin()
    for value in (7, 8, 9):
        editing.paint(PART, value)
    assert [each.number for each in editing.review.sample.segmentation("seg").versions] == [1]


@pytest.mark.parametrize(
    ("tool", "place", "said", "left"),
    [
        ("delete", (0, 5, 5), "Object 1 deleted", {0, 2, 3}),
        ("grow", (0, 5, 5), "Object 1 grown by a pixel", {0, 1, 2, 3}),
        ("shrink", (1, 16, 16), "Object 3 shrunk by a pixel", {0, 1, 2, 3}),
        ("smooth", (1, 16, 16), "Object 3 smoothed", {0, 1, 2, 3}),
        ("snap", (1, 16, 16), "Outline of object 3 moved to the edges", {0, 1, 2, 3}),
    ],
)
def test_a_click_edits_the_object_under_it(editing, tool, place, said, left):
    before = editing.on_disk()
    editing.editor.use(tool)
    editing.editor.click(place)
    assert editing.said == [said]
    assert np.array_equal(editing.on_disk(), editing.editor.labels)
    assert set(np.unique(editing.editor.labels)) == left
    assert not np.array_equal(editing.editor.labels, before)
    editing.review.undo(lambda: False)
    assert np.array_equal(editing.editor.labels, before)


def test_a_line_cuts_and_a_line_joins(editing):
    editing.editor.use("cut")
    editing.editor.draw_line(0, [(0, 11), (12, 11)])
    assert set(np.unique(editing.on_disk())) == {0, 1, 2, 3, 4}
    editing.editor.use("join")
    editing.editor.draw_line(0, [(17, 5), (17, 17)])
    assert set(np.unique(editing.on_disk())) == {0, 1, 2, 4}
    assert editing.said == ["Cut", "Objects 2, 3 joined"]


@pytest.mark.parametrize(
    ("tool", "words"),
    [("delete", "There is no object"), ("fill", "There is no object")],
)
def test_a_click_beside_objects_says_so(editing, tool, words):
    editing.editor.use(tool)
    editing.editor.click((0, 0, 0))
    assert words in editing.error


def test_what_changes_nothing_says_why(editing):
    editing.editor.use("fill")
    editing.editor.click((0, 5, 5))
    assert editing.error == "Object 1 has no holes."
    editing.editor.use("cut")
    editing.editor.draw_line(0, [(0, 0), (0, 5)])
    assert "divides no object" in editing.error
    editing.editor.use("join")
    editing.editor.draw_line(0, [(17, 5), (17, 8)])
    assert "from one object to another" in editing.error
    assert not editing.review.sample.segmentation("seg").versions


def test_the_next_sample_is_corrected_as_soon_as_it_is_on_screen(editing):
    editing.editor.begin()
    editing.paint(PART, 7)
    editing.review.accept()
    assert not editing.editor.active
    editing.background.finish("load")
    assert editing.editor.active
    assert not (editing.editor.labels == 7).any()
    editing.review.show_previous()
    editing.background.finish("load")
    assert (editing.editor.labels[PART] == 7).all()
    assert editing.heard == ["began", "ended", "began", "ended", "began"]


def test_after_correcting_the_ground_truth_is_that_of_the_corrected_labels(editing):
    editing.editor.begin()
    editing.paint(PART, 7)
    editing.editor.toggle()
    editing.background.finish("load")
    assert (editing.review.snapshot.truth[PART] == 7).all()
    assert (editing.review.snapshot.pixels.segmentations["seg"][PART] == 7).all()


def test_another_base_is_corrected_instead(editing):
    editing.editor.begin()
    editing.review.set_base("other")
    assert not editing.editor.active
    editing.background.finish("load")
    assert (editing.editor.active, editing.editor.segmentation) == (True, "other")
    editing.paint(PART, 7)
    assert (editing.on_disk("other")[PART] == 7).all()
    assert not (editing.on_disk("seg") == 7).any()


def test_undo_of_something_else_leaves_labels_as_they_are(editing):
    editing.editor.begin()
    editing.paint(PART, 7)
    editing.review.set_note("good")
    editing.review.undo(lambda: False)
    assert editing.editor.active
    assert (editing.editor.labels[PART] == 7).all()


def test_whole_corrected_labels_of_another_program_are_shown(editing):
    editing.editor.begin()
    editing.paint(PART, 7)
    dataset = CuratedDataset.open(editing.review.dataset_path)
    dataset.correct_labels("a", "seg", np.full((2, 24, 24), 5))
    editing.review.set_note("seen")  # an edit reads the sample as it is on disk
    editing.background.finish("load")
    assert (editing.editor.labels == 5).all()


def test_a_full_disk_takes_the_stroke_back_and_says_so(editing, monkeypatch):
    editing.editor.begin()
    before = editing.on_disk()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(label_changes, "append_line", full)
    editing.paint(PART, 7)
    monkeypatch.undo()
    assert np.array_equal(editing.editor.labels, before)
    assert np.array_equal(editing.on_disk(), before)
    assert "changes.jsonl" in editing.error
    editing.paint(PART, 8)
    assert (editing.on_disk()[PART] == 8).all()


def test_nothing_is_corrected_before_the_sample_is_on_screen(editing):
    editing.review.show_next()
    assert not editing.editor.begin()
    assert "still being read" in editing.error


def test_a_tool_that_is_chosen_again_is_put_away(editing):
    editing.editor.use("cut")
    editing.editor.use("cut")
    assert (editing.editor.tool, editing.editor.active) == ("", True)


def test_what_another_program_painted_comes_with_the_next_stroke(editing):
    editing.editor.begin()
    editing.paint(PART, 7)
    dataset = CuratedDataset.open(editing.review.dataset_path)
    dataset.correct_labels("a", "seg", np.full((2, 24, 24), 5))
    editing.paint(PART, 8)
    editing.background.finish("load")
    expected = np.full((2, 24, 24), 5)
    expected[PART] = 8
    assert np.array_equal(editing.on_disk(), expected)
    assert np.array_equal(editing.editor.labels, expected)


def walked(editing):
    """Return what the walk brings into view from now on."""
    shown = []
    editing.review.walk.place_wanted.connect(shown.append)
    editing.review.walk.slice_wanted.connect(shown.append)
    return shown


def test_objects_are_kept_or_deleted_one_by_one(editing):
    shown, walk = walked(editing), editing.review.walk
    walk.step(1)
    assert editing.editor.active
    assert editing.said[-1] == "Object 1"
    z, y, x = shown[-1]
    assert editing.editor.labels[z, y, x] == 1
    walk.step(1)
    walk.delete()
    assert walk.number == 3
    assert editing.said[-2:] == ["Object 2 deleted", "Object 3"]
    assert sorted(np.unique(editing.on_disk())) == [0, 1, 3]
    walk.step(1)
    assert walk.number == 1
    walk.step(-1)
    assert walk.number == 3
    editing.review.undo(lambda: False)
    assert 2 in editing.on_disk()


def test_nothing_is_deleted_before_an_object_was_stepped_to(editing):
    editing.review.walk.delete()
    assert editing.error == "Step to an object first."
    editing.editor.begin()
    editing.review.walk.delete()
    assert sorted(np.unique(editing.on_disk())) == [0, 1, 2, 3]


def test_an_object_that_was_painted_over_is_not_deleted(editing):
    editing.review.walk.step(1)
    editing.paint((slice(None), slice(0, 12), slice(None)), 0)
    editing.review.walk.delete()
    assert editing.error == "There is no object 1 any more."


def test_the_next_sample_begins_with_its_first_object(editing):
    editing.review.walk.step(-1)
    assert editing.review.walk.number == 3
    editing.review.show_next()
    editing.background.finish("load")
    assert editing.review.walk.number == 0


def test_slices_without_labels_are_found(editing):
    shown, walk = walked(editing), editing.review.walk
    walk.next_unlabelled_slice()
    assert editing.error == "All slices have labels."
    editing.paint((slice(1, 2), slice(None), slice(None)), 0)
    walk.next_unlabelled_slice()
    assert shown == [1]


def test_without_objects_nothing_is_shown(editing):
    editing.editor.begin()
    editing.paint((slice(None),) * 3, 0)
    shown = walked(editing)
    editing.review.walk.step(1)
    assert (shown, editing.error) == ([], "There is no object in this sample.")
