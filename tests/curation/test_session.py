"""A review, on real nuclei."""

from __future__ import annotations

import json
import shutil

import pytest

from segloop.artifacts.dataset import CuratedDataset
from segloop.artifacts.manifest import Verdict
from segloop.core.errors import DatasetError
from segloop.curation.session import POSITION_FILE, Filter, ReviewSession
from segloop.images.pairing import pair_by_stem

SQUARE = [(10, 10), (10, 30), (30, 30), (30, 10)]


@pytest.fixture(scope="module")
def made(sample_nuclei, tmp_path_factory):
    """A dataset of four images, the segmentation given twice."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("raw", "seg", "seg2"):
        (folder / name).mkdir()
        for path in sorted((sample_nuclei / ("raw" if name == "raw" else "seg")).glob("*.tif"))[:4]:
            shutil.copy(path, folder / name / path.name)
    pairs = pair_by_stem(folder / "raw", folder / "seg", folder / "seg2").pairs
    return CuratedDataset.create(folder / "dataset", pairs).path


@pytest.fixture
def path(made, tmp_path):
    return shutil.copytree(made, tmp_path / "dataset")


@pytest.fixture
def review(path):
    return ReviewSession(CuratedDataset.open(path))


def on_disk(path, sample):
    return CuratedDataset.open(path).sample(sample.id)


def test_accept_is_on_disk_and_goes_to_the_next_undecided(review, path):
    first = review.current
    assert review.accept()
    assert on_disk(path, first).verdict is Verdict.accepted
    assert review.current.id == review.dataset.sample_ids[1]


def test_deciding_goes_round_to_those_skipped(review):
    ids = review.dataset.sample_ids
    review.jump(ids[3])
    review.reject()
    assert review.current.id == ids[0]


def test_deciding_on_the_last_says_so_and_stays(review):
    verdicts = [review.accept() for _ in review.dataset.sample_ids]
    assert verdicts == [True, True, True, False]


def test_next_and_previous_keep_to_the_filter(review):
    ids = review.dataset.sample_ids
    review.jump(ids[1])
    review.reject()
    review.set_filter(Filter.undecided)
    review.jump(ids[0])
    review.next()
    assert review.current.id == ids[2]
    review.previous()
    assert review.current.id == ids[0]


def test_there_is_nothing_before_the_first(review):
    assert not review.previous()


def test_a_region_is_on_disk_with_its_slices(review, path):
    review.add_region("exclude", "polygon", SQUARE, 2, 4)
    (region,) = on_disk(path, review.current).regions
    assert (region.vertices, region.z_first, region.z_last) == (tuple(SQUARE), 2, 4)


def test_a_merge_follows_objects_where_labels_number_them(review):
    assert review.add_region("merge", "polygon", SQUARE).cut == "object"


def test_undo_takes_back_whichever_change_was_last_and_shows_its_sample(review, path):
    first = review.current
    review.accept()
    review.add_region("exclude", "polygon", SQUARE)
    review.undo()
    assert review.current.regions == ()
    review.undo()
    assert review.current.id == first.id
    assert on_disk(path, first).verdict is Verdict.undecided


def test_redo_makes_it_again(review, path):
    review.set_base(2)
    review.undo()
    review.redo()
    assert on_disk(path, review.current).base == 2


def test_undo_works_after_reopening(review, path):
    first = review.current
    review.accept()
    ReviewSession(CuratedDataset.open(path)).undo()
    assert on_disk(path, first).verdict is Verdict.undecided


def test_nothing_to_undo_is_told(review):
    assert review.undo() is None


def test_reopening_goes_on_where_it_was_left(review, path):
    review.set_filter(Filter.accepted)
    review.jump(review.dataset.sample_ids[2])
    again = ReviewSession(CuratedDataset.open(path))
    assert (again.current.id, again.filter) == (review.current.id, Filter.accepted)


def test_a_damaged_position_is_no_obstacle(path):
    (path / POSITION_FILE).write_text(json.dumps({"sample": 7}), encoding="utf-8")
    assert ReviewSession(CuratedDataset.open(path)).filter is Filter.all


def test_a_second_segmentation_that_is_not_there_cannot_be_the_base(sample_nuclei, tmp_path):
    pairs = pair_by_stem(sample_nuclei / "raw", sample_nuclei / "seg").pairs[:1]
    review = ReviewSession(CuratedDataset.create(tmp_path / "one", pairs))
    with pytest.raises(DatasetError, match="no second segmentation"):
        review.set_base(2)
    with pytest.raises(DatasetError, match="no second segmentation"):
        review.add_region("merge", "polygon", SQUARE)


def test_the_tally_counts_verdicts(review):
    review.accept()
    review.reject()
    tally = review.tally()
    assert (tally.total, tally.reviewed, tally.accepted, tally.rejected) == (4, 2, 1, 1)


def test_listeners_hear_of_moves_and_edits(review):
    heard = []
    review.moved.connect(lambda sample_id: heard.append(("moved", sample_id)))
    review.edited.connect(lambda sample_id: heard.append(("edited", sample_id)))
    ids = review.dataset.sample_ids
    review.accept()
    assert heard == [("edited", ids[0]), ("moved", ids[1])]


def test_an_edit_without_a_change_writes_nothing(review):
    before = len(review.dataset.journal())
    review.set_base(1)
    assert len(review.dataset.journal()) == before
