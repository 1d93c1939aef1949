"""Datasets from strangers, and damaged ones: nothing leads out of them, and a sentence says what is wrong."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.artifacts.dataset.store import write_new
from segloop.core import atomic
from segloop.core.errors import DatasetError

links_need_rights = pytest.mark.skipif(os.name == "nt", reason="links need administrator rights on Windows")


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def use(path: Path) -> None:
    """Do to a dataset what a curator does."""
    dataset = CuratedDataset.open(path)
    dataset.summaries()
    first = dataset.sample_ids[0]
    dataset.edit(first, lambda now: now.edit(verdict=Verdict.accepted), "accept")
    dataset.undo()
    shape = dataset.labels(dataset.sample(first)).shape
    dataset.correct_labels(first, "seg", np.ones(shape, np.uint8))
    dataset.labels(dataset.sample(first))


@links_need_rights
@pytest.mark.parametrize("name", ["dataset.json", "journal.jsonl", "samples", "samples/FIRST.json", "labels"])
def test_nothing_is_read_or_written_through_a_link(
    dataset: CuratedDataset, tmp_path: Path, name: str
) -> None:
    use(dataset.path)
    inside = dataset.path / name.replace("FIRST", dataset.sample_ids[0])
    outside = tmp_path / "outside"
    outside.mkdir()
    moved = Path(shutil.move(inside, outside / inside.name))
    inside.symlink_to(moved)
    before = everything(outside)
    with pytest.raises(DatasetError, match="link"):
        use(dataset.path)
    assert everything(outside) == before


@links_need_rights
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_labels_are_not_read_or_written_through_a_link(
    dataset: CuratedDataset, tmp_path: Path, depth: int
) -> None:
    use(dataset.path)
    inside = dataset.path.joinpath("labels", *(dataset.sample_ids[0], "seg", "1")[:depth])
    moved = Path(shutil.move(inside, tmp_path / "outside"))
    inside.symlink_to(moved)
    before = everything(moved)
    with pytest.raises(DatasetError, match="link"):
        dataset.labels(dataset.sample(dataset.sample_ids[0]))
    assert everything(moved) == before


@pytest.mark.parametrize("name", ["dataset.json", "journal.jsonl", "samples/FIRST.json", "position.json"])
@links_need_rights
def test_a_pipe_is_not_waited_for(dataset: CuratedDataset, name: str) -> None:
    path = dataset.path / name.replace("FIRST", dataset.sample_ids[0])
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    if name != "position.json":
        with pytest.raises(DatasetError):
            use(dataset.path)


def test_a_sample_file_with_the_id_of_another_is_refused(dataset: CuratedDataset) -> None:
    first, second, *_ = dataset.sample_ids
    folder = dataset.path / "samples"
    shutil.copy(folder / f"{second}.json", folder / f"{first}.json")
    before = (folder / f"{second}.json").read_bytes()
    with pytest.raises(DatasetError, match=f"describes another sample, '{second}'"):
        CuratedDataset.open(dataset.path).edit(first, lambda now: now.edit(note="x"), "note")
    assert (folder / f"{second}.json").read_bytes() == before


def test_one_damaged_sample_leaves_the_others(dataset: CuratedDataset) -> None:
    first = dataset.path / "samples" / f"{dataset.sample_ids[0]}.json"
    for damage in (b"", b"\0" * 100, b"{" * 100_000, b'{"id": "\\ud800"}', b"[]", b"null"):
        first.write_bytes(damage)
        again = CuratedDataset.open(dataset.path)
        assert len(again.summaries()) == len(again.sample_ids) - 1
        assert str(first) in again.problems[0]


def test_undo_ends_where_the_beginning_of_the_journal_was_cut_off(dataset: CuratedDataset) -> None:
    first = dataset.sample_ids[0]
    for number in range(4):
        dataset.edit(first, lambda now, text=str(number): now.edit(note=text), "note")
    dataset.undo()
    dataset.undo()
    journal = dataset.path / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    for kept in range(len(lines)):
        journal.write_bytes(b"".join(lines[kept:]))
        again = CuratedDataset.open(dataset.path)
        for action in (again.redo, again.undo, again.undo):
            try:
                action()
            except DatasetError as error:
                assert "has been changed again" in str(error)  # noqa: PT017 - either outcome is right


def test_damaged_lines_of_the_journal_are_passed_over(dataset: CuratedDataset) -> None:
    first = dataset.sample_ids[0]
    dataset.edit(first, lambda now: now.edit(note="x"), "note")
    journal = dataset.path / "journal.jsonl"
    good = json.loads(journal.read_text())
    strange = [
        {**good, "by": 7},
        {**good, "by": {"user": "u", "host": "h", "pid": "x", "started": 1}},
        {**good, "changes": 7},
        {**good, "changes": [{"sample": first, "before": {"regions": {"a": 1}}, "after": {"regions": {}}}]},
        {**good, "action": "undo", "takes_back": 10**9},
        {**good, "action": "undo", "takes_back": -5},
        {**good, "action": "undo", "takes_back": "x"},
    ]
    with journal.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in strange)
        file.write('{"a":' * 50_000 + "\n\0\0\0\n")
    again = CuratedDataset.open(dataset.path)
    (undone,) = again.undo()
    assert undone.note == ""


def test_a_folder_that_appears_meanwhile_stays(
    dataset: CuratedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "new"
    sync = atomic.sync

    def appear(path: Path) -> None:
        target.mkdir()
        (target / "precious.txt").write_text("precious")
        sync(path)

    monkeypatch.setattr(atomic, "sync", appear)
    with pytest.raises(DatasetError, match="already taken"):
        write_new(target, dataset.index, list(dataset.samples()))
    assert everything(target) == {"precious.txt": b"precious"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_killed_programs_left_is_cleared_at_opening(dataset: CuratedDataset) -> None:
    left = [
        dataset.path / "samples" / f".0123abcd.partial-{dataset.sample_ids[0]}.json",
        dataset.path / ".89abcdef.partial-dataset.json",
    ]
    for path in left:
        path.write_text("half")
    CuratedDataset.open(dataset.path)
    assert not any(path.exists() for path in left)


def test_a_region_more_costs_the_journal_one_region(dataset: CuratedDataset) -> None:
    first = dataset.sample_ids[0]
    corners = [(number % 17 + 0.123, number / 2) for number in range(200)]
    for number in range(200):
        region = {"id": str(number), "kind": "exclude", "shape": "path", "vertices": corners}
        dataset.edit(first, lambda now, added=region: now.edit(regions=[*now.regions, added]), "add region")
    assert (dataset.path / "journal.jsonl").stat().st_size < 2e6
    assert len(dataset.sample(first).regions) == 200
    for _ in range(200):
        dataset.undo()
    assert dataset.sample(first).regions == ()


@pytest.mark.parametrize("role", ["raw", "segmentation"])
@pytest.mark.parametrize("path", ["a" * 300, "b/" * 2000, "c" * 100_000], ids=["name", "folders", "immense"])
def test_a_path_that_is_too_long_gets_a_short_sentence(dataset: CuratedDataset, role: str, path: str) -> None:
    first = dataset.sample_ids[0]
    file = dataset.path / "samples" / f"{first}.json"
    sample = json.loads(file.read_text())
    image = sample["raw"] if role == "raw" else sample["segmentations"][0]["source"]["image"]
    image["path"] = path
    file.write_text(json.dumps(sample))

    opened = CuratedDataset.open(dataset.path)
    with pytest.raises(DatasetError, match=r"is missing|can't be read") as refused:
        use_pixels(opened, first)
    assert len(str(refused.value)) < 5000
    assert {summary.id for summary in opened.summaries()} >= set(dataset.sample_ids[1:])


def use_pixels(dataset: CuratedDataset, sample_id: str) -> None:
    sample = dataset.sample(sample_id)
    dataset.raw(sample)
    dataset.labels(sample)
