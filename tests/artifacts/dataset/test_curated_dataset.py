from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segloop.artifacts.dataset.check import check_samples
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Region, Verdict
from segloop.artifacts.dataset.summary import SummaryTable
from segloop.core.context import Context
from segloop.core.errors import Cancelled, DatasetError
from segloop.images.pairing import Pair, pair_by_stem

EXCLUDE = Region(id="r", kind="exclude", shape="ellipse", vertices=[(0, 0), (0, 9), (9, 9), (9, 0)])


def accept(dataset: CuratedDataset, sample_id: str) -> None:
    dataset.save(dataset.sample(sample_id).edit(verdict=Verdict.accepted), "accept")


def test_creating_lists_the_samples_in_natural_order(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    names = ["b10", "b9", "a/2", "a/10", "c", "B1"]
    pairs = [Pair(name, p.raw, p.seg) for name, p in zip(names, nuclei_pairs, strict=True)]
    dataset = CuratedDataset.create(tmp_path / "d", pairs)
    assert dataset.sample_ids == ("a__2", "a__10", "B1", "b9", "b10", "c")


def test_a_reopened_dataset_is_the_same(dataset: CuratedDataset) -> None:
    again = CuratedDataset.open(dataset.path)
    assert again.index == dataset.index
    assert list(again.samples()) == list(dataset.samples())


def test_samples_start_undecided_unless_all_are_accepted(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    assert CuratedDataset.create(tmp_path / "a", nuclei_pairs).counts().undecided == 6
    assert CuratedDataset.create(tmp_path / "b", nuclei_pairs, accept_all=True).counts().accepted == 6


def test_images_and_labels_are_those_of_the_files(dataset: CuratedDataset, nuclei_pairs: list[Pair]) -> None:
    sample, pair = dataset.sample("030"), nuclei_pairs[2]
    assert np.array_equal(dataset.raw(sample).data[0, 0, 0].compute(), tifffile.imread(pair.raw))
    assert np.array_equal(dataset.labels(sample, "seg")[0], tifffile.imread(pair.seg))
    assert np.array_equal(dataset.labels(sample, "otsu")[0], tifffile.imread(pair.others["otsu"]))


def test_groups_are_kept_together_by_the_split(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    dataset = CuratedDataset.create(tmp_path / "d", nuclei_pairs, val=0.5, group_by=r"^\d\d", accept_all=True)
    groups = [{sample.group for sample in dataset.samples() if sample.split == s} for s in ("train", "val")]
    assert groups[0]
    assert groups[1]
    assert not groups[0] & groups[1]


def test_a_sample_cannot_leave_the_split_of_its_group(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    dataset = CuratedDataset.create(tmp_path / "d", nuclei_pairs, group_by=r"^\d")
    with pytest.raises(DatasetError, match=r"samples of one group must share their split.*set_split"):
        dataset.save(dataset.sample("000").edit(split="test"), "split")


def test_a_group_moves_to_another_split_as_one(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    dataset = CuratedDataset.create(tmp_path / "d", nuclei_pairs, group_by=r"\d$", val=0)
    group = dataset.sample("000").group
    mates = [sample.id for sample in dataset.samples() if sample.group == group]
    before = list(dataset.samples())
    assert [sample.id for sample in dataset.set_split("000", "test")] == mates
    assert {sample.id for sample in dataset.samples() if sample.split == "test"} == set(mates)
    restored = CuratedDataset.open(dataset.path).undo()
    assert restored[0].id == "000"
    assert sorted(sample.id for sample in restored) == sorted(mates)
    assert list(dataset.samples()) == before


def test_a_sample_without_a_group_moves_alone(dataset: CuratedDataset) -> None:
    assert [sample.id for sample in dataset.set_split("015", "test")] == ["015"]
    assert dataset.set_split("015", "test") == ()


def test_a_group_with_a_damaged_sample_stays_where_it_is(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    dataset = CuratedDataset.create(tmp_path / "d", nuclei_pairs, group_by=r"^\d", val=0)
    damage(dataset, "030")
    with pytest.raises(DatasetError, match=r"030\.json can't be read"):
        dataset.set_split("000", "test", dataset.sample_ids)
    assert dataset.sample("000").split == "train"
    assert dataset.journal() == ()


def test_a_split_holds_accepted_samples_only(dataset: CuratedDataset) -> None:
    chosen = next(sample for sample in dataset.samples() if sample.split == "train")
    assert dataset.split("train") == ()
    accept(dataset, chosen.id)
    assert dataset.split("train") == (chosen.id,)


def test_an_edit_is_on_disk_at_once(dataset: CuratedDataset) -> None:
    dataset.save(dataset.sample("015").edit(regions=[EXCLUDE], note="edge"), "exclude")
    again = CuratedDataset.open(dataset.path).sample("015")
    assert (again.regions, again.note) == ((EXCLUDE,), "edge")


def test_counts_follow_edits_made_elsewhere(dataset: CuratedDataset) -> None:
    assert dataset.counts().accepted == 0
    accept(CuratedDataset.open(dataset.path), "015")
    assert dataset.counts().accepted == 1


def damage(dataset: CuratedDataset, *sample_ids: str) -> None:
    for sample_id in sample_ids:
        (dataset.path / "samples" / f"{sample_id}.json").write_text("{")


def table_of(dataset: CuratedDataset) -> SummaryTable:
    return SummaryTable(dataset.path / "journal.jsonl", CuratedDataset.open(dataset.path).sample)


def test_one_damaged_sample_leaves_the_others_usable(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    dataset = CuratedDataset.create(tmp_path / "d", nuclei_pairs, val=0, accept_all=True)
    damage(dataset, "015")
    again = CuratedDataset.open(dataset.path)
    assert again.counts().accepted == 5
    assert again.split("train") == ("000", "030", "045", "060", "075")


def test_damaged_samples_are_told_until_they_are_restored(dataset: CuratedDataset) -> None:
    file = dataset.path / "samples" / "015.json"
    whole = file.read_bytes()
    damage(dataset, "015")
    table = table_of(dataset)
    assert "015" not in [row.id for row in table.rows(dataset.sample_ids)]
    (problem,) = table.problems
    assert str(file) in problem
    assert "restore it from a copy" in problem
    file.write_bytes(whole)
    assert [row.id for row in table.rows(dataset.sample_ids)] == list(dataset.sample_ids)
    assert table.problems == ()


def test_a_dataset_of_damaged_samples_only_is_refused(dataset: CuratedDataset) -> None:
    damage(dataset, *dataset.sample_ids)
    with pytest.raises(DatasetError, match=r"000\.json can't be read .* restore it from a copy"):
        CuratedDataset.open(dataset.path).counts()


def test_a_journal_line_that_tells_nonsense_is_passed_over(dataset: CuratedDataset) -> None:
    dataset.counts()
    accept(CuratedDataset.open(dataset.path), "015")
    journal = dataset.path / "journal.jsonl"
    line = json.loads(journal.read_text("utf-8").splitlines()[-1])
    line["changes"][0]["after"]["verdict"] = "perhaps"
    with journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    assert dataset.counts().accepted == 1


def test_an_edit_writes_its_sample_and_a_line_and_nothing_else(dataset: CuratedDataset) -> None:
    def files() -> dict[str, tuple[int, bytes]]:
        every = (path for path in dataset.path.rglob("*") if path.is_file())
        return {str(f.relative_to(dataset.path)): (f.stat().st_mtime_ns, f.read_bytes()) for f in every}

    accept(dataset, "015")
    before = files()
    accept(dataset, "030")
    after = files()
    changed = {name for name in after if after[name] != before.get(name)}
    assert {name.replace("\\", "/") for name in changed} == {"samples/030.json", "journal.jsonl"}
    assert after["journal.jsonl"][1].startswith(before["journal.jsonl"][1])
    assert after["journal.jsonl"][1].count(b"\n") == before["journal.jsonl"][1].count(b"\n") + 1


def test_saving_what_is_already_there_does_nothing(dataset: CuratedDataset) -> None:
    dataset.save(dataset.sample("015"), "nothing")
    assert dataset.journal() == ()


def test_the_journal_tells_what_was_done(dataset: CuratedDataset) -> None:
    accept(dataset, "015")
    (entry,) = dataset.journal()
    assert (entry.action, entry.sample_id) == ("accept", "015")
    (change,) = entry.changes
    assert (change.before, change.after) == ({"verdict": "undecided"}, {"verdict": "accepted"})


def test_undo_and_redo_go_through_all_changes(dataset: CuratedDataset) -> None:
    accept(dataset, "015")
    accept(dataset, "030")
    assert [sample.id for sample in (*dataset.undo(), *dataset.undo())] == ["030", "015"]
    assert dataset.undo() == ()
    assert dataset.counts().undecided == 6
    assert [sample.id for sample in (*dataset.redo(), *dataset.redo())] == ["015", "030"]
    assert dataset.redo() == ()
    assert dataset.counts().accepted == 2


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["edit", "undo", "redo"]), max_size=25))
def test_undo_and_redo_are_two_stacks(dataset: CuratedDataset, actions: list[str]) -> None:
    dataset.save(dataset.sample("000").edit(note="start"), "start")
    states, here = [""], 0
    while dataset.undo():
        pass
    for number, action in enumerate(actions):
        if action == "edit":
            dataset.save(dataset.sample("015").edit(note=str(number)), "edit")
            states, here = [*states[: here + 1], str(number)], here + 1
        elif action == "undo":
            assert (dataset.undo() == ()) == (here == 0)
            here = max(0, here - 1)
        elif len(states) > 1:
            assert (dataset.redo() == ()) == (here == len(states) - 1)
            here = min(len(states) - 1, here + 1)
        assert dataset.sample("015").note == states[here]


def test_undo_works_after_reopening(dataset: CuratedDataset) -> None:
    accept(dataset, "015")
    (restored,) = CuratedDataset.open(dataset.path).undo()
    assert restored.verdict is Verdict.undecided
    (again,) = CuratedDataset.open(dataset.path).redo()
    assert again.verdict is Verdict.accepted


def test_a_new_change_ends_redoing(dataset: CuratedDataset) -> None:
    accept(dataset, "015")
    dataset.undo()
    accept(dataset, "030")
    assert dataset.redo() == ()


def test_undoing_rewrites_no_history(dataset: CuratedDataset) -> None:
    accept(dataset, "015")
    before = (dataset.path / "journal.jsonl").read_bytes()
    dataset.undo()
    assert (dataset.path / "journal.jsonl").read_bytes().startswith(before)
    assert [entry.action for entry in dataset.journal()] == ["accept", "undo"]


def test_a_moved_study_still_opens(sample_nuclei: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    for side in ("raw", "seg"):
        (study / side).mkdir(parents=True)
        shutil.copy(sample_nuclei / side / "015.tif", study / side)
    CuratedDataset.create(study / "sets" / "d", pair_by_stem(study / "raw", study / "seg").pairs)
    study.rename(tmp_path / "moved")
    dataset = CuratedDataset.open(tmp_path / "moved" / "sets" / "d")
    assert dataset.raw(dataset.sample("015")).path == tmp_path / "moved" / "raw" / "015.tif"


def test_original_files_are_left_as_they_are(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    def hashes() -> list[str]:
        files = [file for pair in nuclei_pairs for file in (pair.raw, *pair.segmentations.values())]
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]

    before = hashes()
    dataset = CuratedDataset.create(tmp_path / "d", nuclei_pairs)
    dataset.save(dataset.sample("015").edit(regions=[EXCLUDE], base="otsu"), "edit")
    dataset.ground_truth(dataset.sample("015"))
    check_samples(dataset, Context())
    assert hashes() == before


def test_added_samples_leave_those_there_as_they_are(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    dataset = CuratedDataset.create(tmp_path / "d", nuclei_pairs[:4])
    old = list(dataset.samples())
    problems = dataset.add(nuclei_pairs[3:])
    again = CuratedDataset.open(dataset.path)
    assert again.sample_ids == dataset.sample_ids == ("000", "015", "030", "045", "060", "075")
    assert list(again.samples())[:4] == old
    assert problems == ("raw/045.tif is in d already: nothing was changed.",)


def test_adding_a_sample_of_a_known_group_shares_its_split(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    dataset = CuratedDataset.create(tmp_path / "d", nuclei_pairs[:3], group_by=r"^\d", val=0)
    dataset.add(nuclei_pairs[3:])
    assert {sample.split for sample in dataset.samples()} == {"train"}


def test_a_taken_name_is_refused(dataset: CuratedDataset, nuclei_pairs: list[Pair]) -> None:
    before = (dataset.path / "dataset.json").read_bytes()
    with pytest.raises(DatasetError, match=r"nuclei is already taken: choose another"):
        CuratedDataset.create(dataset.path, nuclei_pairs)
    assert (dataset.path / "dataset.json").read_bytes() == before


def test_an_empty_folder_is_not_taken(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    assert len(CuratedDataset.create(tmp_path / "d", nuclei_pairs).sample_ids) == 6


def test_a_folder_that_cannot_be_written_is_named(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"file.*can't be written.*choose a folder you may write to"):
        CuratedDataset.create(tmp_path / "file" / "d", nuclei_pairs)


def test_nothing_to_make_it_of_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no pairs of files"):
        CuratedDataset.create(tmp_path / "d", [])


@pytest.mark.parametrize("fractions", [{"val": 1.0}, {"val": -0.1}, {"val": 0.6, "test": 0.4}])
def test_a_split_that_leaves_nothing_is_refused(
    nuclei_pairs: list[Pair], tmp_path: Path, fractions: dict[str, float]
) -> None:
    with pytest.raises(DatasetError, match="together less than 1"):
        CuratedDataset.create(tmp_path / "d", nuclei_pairs, **fractions)


def test_cancelling_leaves_nothing_behind(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    calls = iter([False, False, True])
    with pytest.raises(Cancelled):
        CuratedDataset.create(tmp_path / "d", nuclei_pairs, context=Context(cancelled=lambda: next(calls)))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_dataset_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a curated dataset: choose"):
        CuratedDataset.open(tmp_path)
    with pytest.raises(DatasetError, match="does not exist: choose"):
        CuratedDataset.open(tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": 4}, "newer version of segloop: update"),
        ({"format": "other"}, "does not belong to a curated dataset"),
        ({"samples": ["../../etc/passwd"]}, r"damaged \(samples"),
        ({"samples": ["015", "015"]}, "listed twice"),
        ({"surprise": 1}, "damaged"),
    ],
)
def test_an_index_that_cannot_be_used_is_said_so(
    dataset: CuratedDataset, change: dict, sentence: str
) -> None:
    file = dataset.path / "dataset.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **change}), "utf-8")
    with pytest.raises(DatasetError, match=sentence):
        CuratedDataset.open(dataset.path)


def test_an_unknown_sample_is_said_so(dataset: CuratedDataset) -> None:
    with pytest.raises(DatasetError, match="has no sample 999"):
        dataset.sample("999")
    with pytest.raises(DatasetError, match="has no sample"):
        dataset.sample("../dataset")
