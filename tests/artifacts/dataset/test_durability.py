"""Kills and full disks: what was saved stays, what wasn't leaves no trace."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segloop.artifacts.dataset.check import check_samples
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.label_changes import LabelChange
from segloop.artifacts.dataset.manifest import Region
from segloop.core.context import Context
from segloop.core.errors import DatasetError
from segloop.images.pairing import Pair

EDITS = """
import itertools, sys
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
dataset = CuratedDataset.open(sys.argv[1])
start = int(sys.argv[2])
for number in itertools.count(start):
    sample = dataset.sample(dataset.sample_ids[number % len(dataset.sample_ids)])
    vertices = [(y * 1.5, y * y % 7) for y in range(4 + number % 300)]
    region = {"id": "r", "kind": "exclude", "shape": "path", "vertices": vertices}
    dataset.save(sample.edit(note=str(number), regions=[region]), "edit")
    print(number, flush=True)
"""

STROKES = """
import itertools, sys
import numpy as np
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.label_changes import LabelChange
dataset = CuratedDataset.open(sys.argv[1])
version = None
for number in range(1, 201):
    indices = np.arange(number * 40, number * 40 + 60, dtype=np.int64)
    change = LabelChange(indices, np.zeros(60, np.uint32), np.full(60, number, np.uint32))
    sample = dataset.change_labels("015", "seg", change, f"stroke {number}", version)
    version = sample.segmentation("seg").newest
    if number % 7 == 0:
        dataset.undo()
        dataset.redo()
    print(number, flush=True)
"""

MOVES = """
import itertools, sys
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
dataset = CuratedDataset.open(sys.argv[1])
for number in itertools.count():
    dataset.set_split(dataset.sample_ids[number % 6], ("val", "test", "train")[number % 3])
    if number % 2:
        dataset.undo()
    print(number, flush=True)
"""

CREATIONS = """
import itertools, sys
from pathlib import Path
from segloop.artifacts.dataset.manifest import DatasetIndex, Sample
from segloop.artifacts.dataset.segmentation import FileSource, ImageRef, Segmentation
from segloop.artifacts.dataset.store import write_new
ref = ImageRef(path="raw/a.tif")
seg = Segmentation(name="seg", source=FileSource(image=ref))
samples = [Sample(id=f"s{number}", raw=ref, segmentations=[seg]) for number in range(50)]
index = DatasetIndex(name="d", label_kind="instances", created="", home="", samples=[s.id for s in samples])
for number in itertools.count():
    write_new(Path(sys.argv[1]) / f"d{number}", index, samples)
    print(number, flush=True)
"""


def kill_after(lines: int, script: str, *arguments: str) -> int:
    """Run a script that prints rising numbers, kill it after so many, and return the last one it printed."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        assert all(said)
        process.kill()
        said += process.stdout.read().split("\n")[:-1]
    return int(said[-1])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_kill_loses_at_most_the_edit_in_hand(dataset: CuratedDataset, seed: int) -> None:
    last = kill_after(random.Random(seed).randint(1, 60), EDITS, str(dataset.path), "1")
    again = CuratedDataset.open(dataset.path)
    newest = max(int(sample.note or 0) for sample in again.samples())
    assert newest >= last
    samples = list(again.samples())
    assert sorted(int(sample.note) for sample in samples if sample.note) == list(
        range(max(1, newest - len(samples) + 1), newest + 1)
    )
    assert [
        p.sentence for p in check_samples(again, Context()).problems if "accepted" not in p.sentence
    ] == []
    assert again.journal()[-1].changes[0].after["note"] in (str(newest), str(newest - 1))
    sample = again.sample("015")
    again.save(sample.edit(note="afterwards"), "edit")
    assert again.undo() == (sample,)
    assert CuratedDataset.open(dataset.path).journal()[-1].action == "undo"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_kill_loses_at_most_the_stroke_in_hand(dataset: CuratedDataset, seed: int) -> None:
    start = dataset.labels(dataset.sample("015"), "seg").astype(np.uint32)
    last = kill_after(random.Random(seed).randint(1, 120), STROKES, str(dataset.path))
    again = CuratedDataset.open(dataset.path)

    def after(strokes: int) -> np.ndarray:
        labels = start.copy()
        for number in range(1, strokes + 1):
            labels.reshape(-1)[number * 40 : number * 40 + 60] = number
        return labels

    found = again.labels(again.sample("015"), "seg")
    done = next(strokes for strokes in (last, last + 1) if np.array_equal(found, after(strokes)))
    for strokes in range(done - 1, max(done - 6, -1), -1):
        assert again.undo()
        assert np.array_equal(again.labels(again.sample("015"), "seg"), after(strokes))
    more = LabelChange(np.array([5]), np.array([0], np.uint32), np.array([9], np.uint32))
    assert again.labels(again.change_labels("015", "seg", more), "seg").reshape(-1)[5] == 9


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_while_creating_leaves_a_whole_dataset_or_none(tmp_path: Path, seed: int) -> None:
    last = kill_after(random.Random(seed).randint(1, 12), CREATIONS, str(tmp_path))
    made = [folder for folder in tmp_path.iterdir() if not folder.name.startswith(".")]
    assert len(made) > last
    assert all(len(list(CuratedDataset.open(folder).samples())) == 50 for folder in made)


@pytest.fixture
def group(nuclei_pairs: list[Pair], tmp_path: Path) -> CuratedDataset:
    """A dataset of six samples that are one group."""
    return CuratedDataset.create(tmp_path / "study" / "group", nuclei_pairs, group_by="^0")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_kill_never_leaves_a_group_on_two_splits(group: CuratedDataset, seed: int) -> None:
    kill_after(random.Random(seed).randint(1, 60), MOVES, str(group.path))
    again = CuratedDataset.open(group.path)
    assert len({sample.split for sample in again.samples()}) == 1
    (moved, *_) = again.journal()[-1].changes
    assert again.sample(moved.sample_id).split == moved.after["split"]


@pytest.mark.parametrize("n_written", range(6))
def test_opening_finishes_the_move_of_a_group(
    group: CuratedDataset, n_written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [sample.edit(note=sample.id) for sample in group.samples()]
    for sample in before:
        group.save(sample, "note")
    written: list[Path] = []

    def rename(path: Path, target: Path, really: Callable[[Path, Path], Path] = Path.replace) -> Path:
        if len(written) == n_written:
            raise KeyboardInterrupt
        written.append(target)
        return really(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", rename)
        with pytest.raises(KeyboardInterrupt):
            group.set_split("000", "test")
    assert [sample.split for sample in group.samples()].count("test") == n_written

    again = CuratedDataset.open(group.path)
    assert list(again.samples()) == [sample.edit(split="test") for sample in before]
    assert len(again.split("train")) == 0
    again.undo()
    assert list(again.samples()) == before


def test_opening_leaves_alone_what_was_changed_after_the_move_of_a_group(group: CuratedDataset) -> None:
    group.set_split("000", "test")
    file = group.path / "samples" / "015.json"
    file.write_text(group.sample("015").edit(note="by hand").model_dump_json())
    assert CuratedDataset.open(group.path).sample("015").note == "by hand"


def test_a_damaged_sample_or_line_after_the_move_of_a_group_keeps_no_one_from_opening(
    group: CuratedDataset,
) -> None:
    group.set_split("000", "test")
    (group.path / "samples" / "015.json").write_text("{")
    assert CuratedDataset.open(group.path).counts().total == 5
    journal = group.path / "journal.jsonl"
    journal.write_text(journal.read_text("utf-8").replace('"train"', '"perhaps"'), "utf-8")
    assert CuratedDataset.open(group.path).counts().total == 5


@pytest.mark.skipif(os.name == "nt", reason="file size limits are a Unix thing")
@pytest.mark.parametrize("limit", [2500, 4500], ids=["sample", "journal"])
def test_a_full_disk_leaves_a_group_where_it_was(group: CuratedDataset, limit: int) -> None:
    import resource

    for note in ("long " * 200, "long " * 600):
        group.save(group.sample("045").edit(note=note), "note")
    before, journal = list(group.samples()), group.journal()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(DatasetError, match=r"can't be written.*free some space"):
            group.set_split("000", "test")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    again = CuratedDataset.open(group.path)
    assert list(again.samples()) == before
    assert again.journal() == journal
    assert [file.name for file in group.path.rglob(".*")] == []


def test_a_torn_last_line_of_the_journal_is_lost_alone(dataset: CuratedDataset) -> None:
    sample = dataset.sample("015")
    dataset.save(sample.edit(note="one"), "note")
    journal = dataset.path / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[: len(whole) // 2])
    again = CuratedDataset.open(dataset.path)
    again.save(again.sample("015").edit(note="two"), "note")
    assert [entry.changes[0].after["note"] for entry in again.journal()] == ["one", "two"]


def test_an_edit_whose_line_was_lost_stays_and_is_not_undone_by_mistake(dataset: CuratedDataset) -> None:
    dataset.save(dataset.sample("015").edit(note="one"), "note")
    kept = (dataset.path / "journal.jsonl").read_bytes()
    dataset.save(dataset.sample("030").edit(note="two"), "note")
    (dataset.path / "journal.jsonl").write_bytes(kept)
    again = CuratedDataset.open(dataset.path)
    (undone,) = again.undo()
    assert (undone.id, undone.note) == ("015", "")
    assert again.sample("030").note == "two"


@pytest.mark.skipif(os.name == "nt", reason="file size limits are a Unix thing")
@pytest.mark.parametrize("limit", [100, 2500], ids=["sample", "journal"])
def test_a_full_disk_leaves_everything_as_it_was(dataset: CuratedDataset, limit: int) -> None:
    import resource

    before = dataset.sample("015")
    for number in range(30):
        dataset.save(dataset.sample("030").edit(note=str(number)), "note")
    journal = dataset.journal()
    region = Region(id="r", kind="exclude", shape="polygon", vertices=[(0, 0), (0, 9), (9, 9)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(DatasetError, match=r"can't be written.*free some space"):
            dataset.save(before.edit(regions=[region]), "exclude")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    again = CuratedDataset.open(dataset.path)
    assert again.sample("015") == before
    assert again.journal() == journal
    assert [file.name for file in dataset.path.rglob(".*")] == []


@pytest.mark.skipif(os.name == "nt", reason="file size limits are a Unix thing")
def test_a_full_disk_without_room_to_roll_back_leaves_the_sample_as_it_was(dataset: CuratedDataset) -> None:
    import resource

    dataset.save(dataset.sample("015").edit(note="long " * 1000), "note")
    before, journal = dataset.sample("015"), dataset.journal()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2500, hard))
    try:
        with pytest.raises(DatasetError, match=r"can't be written.*free some space"):
            dataset.save(before.edit(note="short"), "note")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    again = CuratedDataset.open(dataset.path)
    assert again.sample("015") == before
    assert again.journal() == journal
    assert [file.name for file in dataset.path.rglob(".*")] == []
