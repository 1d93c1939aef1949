"""A review, on real nuclei."""

from __future__ import annotations

import json
import shutil

import pytest

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.artifacts.dataset.regions import rasterise
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
    pairs = pair_by_stem(folder / "raw", folder / "seg", {"other": folder / "seg2"}).pairs
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
    review.set_base("other")
    review.undo()
    review.redo()
    assert on_disk(path, review.current).base == "other"


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


def test_a_segmentation_that_is_missing_can_be_neither_base_nor_merged(sample_nuclei, tmp_path):
    pairs = pair_by_stem(sample_nuclei / "raw", sample_nuclei / "seg").pairs[:1]
    review = ReviewSession(CuratedDataset.create(tmp_path / "one", pairs))
    with pytest.raises(DatasetError, match="no segmentation other: it has seg"):
        review.set_base("other")
    with pytest.raises(DatasetError, match=r"only one segmentation.*add another one"):
        review.add_region("merge", "polygon", SQUARE)


def test_the_counts_are_of_verdicts(review):
    review.accept()
    review.reject()
    counts = review.counts()
    assert (counts.total, counts.reviewed, counts.accepted, counts.rejected) == (4, 2, 1, 1)


def test_listeners_hear_of_moves_and_edits(review):
    heard = []
    review.moved.connect(lambda sample_id: heard.append(("moved", sample_id)))
    review.edited.connect(lambda sample_id: heard.append(("edited", sample_id)))
    ids = review.dataset.sample_ids
    review.accept()
    assert heard == [("edited", ids[0]), ("moved", ids[1])]


def test_an_edit_without_a_change_writes_nothing(review):
    before = len(review.dataset.journal())
    review.set_base("seg")
    assert len(review.dataset.journal()) == before


def test_two_reviews_of_one_dataset_keep_each_others_changes(review, path):
    other = ReviewSession(CuratedDataset.open(path))
    mine = review.add_region("exclude", "polygon", SQUARE)
    other.set_note("blurred")
    theirs = other.add_region("exclude", "polygon", SQUARE)
    review.remove_regions([mine.id])
    review.accept()
    kept = on_disk(path, other.current)
    assert (kept.note, kept.verdict, [each.id for each in kept.regions]) == (
        "blurred",
        Verdict.accepted,
        [theirs.id],
    )


def test_two_reviews_change_different_sides_of_a_region(review, path):
    region = review.add_region("merge", "polygon", SQUARE)
    other = ReviewSession(CuratedDataset.open(path))
    other.replace_regions([region.model_copy(update={"cut": "edge"})])
    review.replace_regions([region.model_copy(update={"z_first": 1})])
    (kept,) = on_disk(path, review.current).regions
    assert (kept.cut, kept.z_first) == ("edge", 1)


def test_a_region_that_another_review_removed_stays_removed(review, path):
    region = review.add_region("exclude", "polygon", SQUARE)
    ReviewSession(CuratedDataset.open(path)).remove_regions([region.id])
    review.replace_regions([region.model_copy(update={"z_first": 1})])
    assert on_disk(path, review.current).regions == review.current.regions == ()


def test_leaving_the_note_as_it_is_does_not_take_back_another_reviews_note(review, path):
    ReviewSession(CuratedDataset.open(path)).set_note("blurred")
    review.set_note("")
    assert on_disk(path, review.current).note == "blurred"


def test_undo_goes_back_through_the_changes_of_both_reviews(review, path):
    other = ReviewSession(CuratedDataset.open(path))
    region = review.add_region("exclude", "polygon", SQUARE)
    other.set_note("blurred")
    review.undo()
    assert (review.current.note, review.current.regions) == ("", (region,))
    other.undo()
    assert other.current.regions == on_disk(path, other.current).regions == ()


@pytest.fixture
def grouped(sample_nuclei, tmp_path):
    """A review of four images of one group."""
    pairs = pair_by_stem(sample_nuclei / "raw", sample_nuclei / "seg").pairs[:4]
    return ReviewSession(CuratedDataset.create(tmp_path / "grouped", pairs, group_by=r"^\d", val=0))


def splits(review):
    """The splits that a review knows of, which must be those on disk."""
    known = [sample.split for sample in review.samples.values()]
    assert known == [sample.split for sample in CuratedDataset.open(review.dataset.path).samples()]
    return known


def test_a_group_moves_to_another_split_as_one(grouped):
    assert len(grouped.samples) == 4
    grouped.next()
    assert grouped.set_split("val") == 4
    assert splits(grouped) == ["val"] * 4
    assert grouped.set_split("val") == 0


def test_the_move_of_a_group_is_undone_and_redone_as_one(grouped):
    grouped.set_note("first")
    grouped.next()
    here = grouped.current.id
    grouped.set_split("val")
    grouped.set_split("test")
    grouped.previous()
    seen = []
    for step in (grouped.undo, grouped.undo, grouped.redo, grouped.redo, grouped.undo):
        step()
        seen.append(set(splits(grouped)))
        assert grouped.current.id == here
    assert seen == [{"val"}, {"train"}, {"val"}, {"test"}, {"val"}]
    grouped.undo()
    grouped.undo()
    assert grouped.current.note == ""
    assert grouped.undo() is None


def test_moving_a_group_takes_only_its_own_samples_along(review, path):
    before = splits(review)
    wanted = "test"
    assert review.set_split(wanted) == 1
    assert splits(review) == [wanted, *before[1:]]


def test_a_split_edit_reads_no_other_sample(review, path):
    for sample_id in review.dataset.sample_ids[1:]:
        (path / "samples" / f"{sample_id}.json").write_text("damaged", encoding="utf-8")
    assert review.set_split("test") == 1
    assert on_disk(path, review.current).split == "test"


def test_a_damaged_sample_is_told_and_the_others_are_reviewed(path):
    dataset = CuratedDataset.open(path)
    (path / "samples" / f"{dataset.sample_ids[0]}.json").write_text("{")

    review = ReviewSession(CuratedDataset.open(path))

    assert tuple(review.samples) == dataset.sample_ids[1:]
    assert len(review.problems) == 1
    assert dataset.sample_ids[0] in review.problems[0]
    assert review.accept()
    review.undo()
    assert review.counts().total == 3


def test_a_dataset_of_damaged_samples_only_is_refused(path):
    for file in (path / "samples").glob("*.json"):
        file.write_text("{")
    with pytest.raises(DatasetError, match="json"):
        ReviewSession(CuratedDataset.open(path))


def test_regions_are_copied_to_the_next_sample_once(review, path):
    review.add_region("exclude", "polygon", SQUARE)
    review.add_region("merge", "polygon", SQUARE, segmentation="other")
    following = review.samples[review.next_id()]

    assert review.copy_regions("exclude") == ((following.id,), 1)
    assert review.copy_regions("exclude") == ((following.id,), 0)

    (copy,) = on_disk(path, following).regions
    (original, _) = on_disk(path, review.current).regions
    assert copy.id != original.id
    assert dict(copy) == {**dict(original), "id": copy.id}
    assert review.samples[following.id].regions == (copy,)
    assert review.undo().id == following.id
    assert on_disk(path, following).regions == ()


def test_regions_are_copied_to_a_group_and_taken_back_by_one_undo(grouped):
    grouped.next()
    grouped.add_region("exclude", "polygon", SQUARE)
    group = [each for each in grouped.samples.values() if each.group == grouped.current.group]
    others = tuple(each.id for each in group if each.id != grouped.current.id)
    assert len(others) == 3
    assert grouped.copy_regions("exclude", "group") == (others, 3)
    assert grouped.copy_regions("exclude", "group") == (others, 0)
    stored = [grouped.dataset.sample(each) for each in others]
    assert [each.regions[0].vertices for each in stored] == [grouped.current.regions[0].vertices] * 3
    assert [grouped.samples[each] for each in others] == stored
    grouped.undo()
    assert [grouped.samples[each].regions for each in others] == [()] * 3
    grouped.redo()
    assert [grouped.samples[each] for each in others] == stored


def test_a_group_of_one_has_none_to_copy_regions_to(review):
    with pytest.raises(DatasetError, match="is the only sample of its group"):
        review.copy_regions("exclude", "group")


def test_whatever_an_undo_changes_is_known_at_once(sample_nuclei, tmp_path):
    """Also of samples that are not on screen: here all whose files were moved."""
    for part in ("raw", "seg"):
        (tmp_path / "images" / part).mkdir(parents=True)
        for file in sorted((sample_nuclei / part).glob("*.tif"))[:3]:
            shutil.copy(file, tmp_path / "images" / part)
    pairs = pair_by_stem(tmp_path / "images" / "raw", tmp_path / "images" / "seg").pairs
    dataset = CuratedDataset.create(tmp_path / "dataset", pairs)
    before = dict(ReviewSession(dataset).samples)
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    assert dataset.relocate(tmp_path / "elsewhere").found
    again = ReviewSession(CuratedDataset.open(dataset.path))
    moved = dict(again.samples)
    assert all(moved[each] != before[each] for each in before)
    again.undo()
    assert dict(again.samples) == before
    again.redo()
    assert dict(again.samples) == moved


def test_a_merge_is_not_copied_to_a_sample_without_its_segmentation(review, path):
    review.add_region("merge", "polygon", SQUARE, segmentation="other")
    file = path / "samples" / f"{review.next_id()}.json"
    values = json.loads(file.read_text())
    values["segmentations"] = values["segmentations"][:1]
    file.write_text(json.dumps(values))
    review = ReviewSession(CuratedDataset.open(path))
    assert review.copy_regions("merge")[1] == 0


def test_the_last_sample_has_none_to_copy_regions_to(review):
    review.jump(review.dataset.sample_ids[-1])
    with pytest.raises(DatasetError, match="comes after"):
        review.copy_regions("exclude")


def test_excluding_slices_again_replaces_what_was_excluded_so_before(review, path):
    drawn = review.add_region("exclude", "polygon", SQUARE)
    review.exclude_slices([(0, 1), (4, 4)], (30, 40))
    review.exclude_slices([(0, 0)], (30, 40))

    kept, excluded = on_disk(path, review.current).regions
    assert kept == drawn
    assert (excluded.z_first, excluded.z_last) == (0, 0)
    valid = ~rasterise(excluded, (3, 30, 40))
    assert not valid[0].any()
    assert valid[1:].all()
    review.undo()
    assert len(on_disk(path, review.current).regions) == 3
    review.exclude_slices([], (30, 40))
    assert on_disk(path, review.current).regions == (drawn,)
