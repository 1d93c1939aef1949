"""Kills and full disks: what was saved stays, what wasn't leaves no trace."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from segloop.artifacts.dataset import CuratedDataset
from segloop.artifacts.manifest import Region
from segloop.core.errors import DatasetError

EDITS = """
import itertools, sys
from segloop.artifacts.dataset import CuratedDataset
dataset = CuratedDataset.open(sys.argv[1])
start = int(sys.argv[2])
for number in itertools.count(start):
    sample = dataset.sample(dataset.sample_ids[number % len(dataset.sample_ids)])
    vertices = [(y * 1.5, y * y % 7) for y in range(4 + number % 300)]
    region = {"id": "r", "kind": "exclude", "shape": "path", "vertices": vertices}
    dataset.save(sample.edit(note=str(number), regions=[region]), "edit")
    print(number, flush=True)
"""

CREATIONS = """
import itertools, sys
from pathlib import Path
from segloop.artifacts.manifest import DatasetIndex, ImageRef, Sample
from segloop.artifacts.store import write_new
ref = ImageRef(path="raw/a.tif")
samples = [Sample(id=f"s{number}", raw=ref, seg=ref) for number in range(50)]
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
        for _ in range(lines):
            assert process.stdout.readline()
        process.kill()
        said = process.stdout.read().split("\n")[:-1]
    return int(said[-1]) if said else -1


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
    assert [p.sentence for p in again.check().problems if "accepted" not in p.sentence] == []
    assert again.journal()[-1].after["note"] in (str(newest), str(newest - 1))
    sample = again.sample("015")
    again.save(sample.edit(note="afterwards"), "edit")
    assert again.undo() == sample
    assert CuratedDataset.open(dataset.path).journal()[-1].action == "undo"


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_while_creating_leaves_a_whole_dataset_or_none(tmp_path: Path, seed: int) -> None:
    last = kill_after(random.Random(seed).randint(1, 12), CREATIONS, str(tmp_path))
    made = [folder for folder in tmp_path.iterdir() if not folder.name.startswith(".")]
    assert len(made) > last
    assert all(len(list(CuratedDataset.open(folder).samples())) == 50 for folder in made)


def test_a_torn_last_line_of_the_journal_is_lost_alone(dataset: CuratedDataset) -> None:
    sample = dataset.sample("015")
    dataset.save(sample.edit(note="one"), "note")
    journal = dataset.path / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[: len(whole) // 2])
    again = CuratedDataset.open(dataset.path)
    again.save(again.sample("015").edit(note="two"), "note")
    assert [entry.after["note"] for entry in again.journal()] == ["one", "two"]


def test_an_edit_whose_line_was_lost_stays_and_is_not_undone_by_mistake(dataset: CuratedDataset) -> None:
    dataset.save(dataset.sample("015").edit(note="one"), "note")
    kept = (dataset.path / "journal.jsonl").read_bytes()
    dataset.save(dataset.sample("030").edit(note="two"), "note")
    (dataset.path / "journal.jsonl").write_bytes(kept)
    again = CuratedDataset.open(dataset.path)
    undone = again.undo()
    assert undone is not None
    assert (undone.id, undone.note) == ("015", "")
    assert again.sample("030").note == "two"


@pytest.mark.skipif(os.name == "nt", reason="file size limits are a Unix thing")
@pytest.mark.parametrize("limit", [100, 2500], ids=["sample", "journal"])
def test_a_full_disk_leaves_everything_as_it_was(dataset: CuratedDataset, limit: int) -> None:
    import resource

    before = dataset.sample("015")
    for number in range(3):
        dataset.save(dataset.sample("030").edit(note=str(number)), "note")
    journal = dataset.journal()
    region = Region(id="r", kind="exclude", shape="polygon", vertices=[(0, 0), (0, 9), (9, 9)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(DatasetError, match=r"can't be written.*free some disk space"):
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
        with pytest.raises(DatasetError, match=r"can't be written.*free some disk space"):
            dataset.save(before.edit(note="short"), "note")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    again = CuratedDataset.open(dataset.path)
    assert again.sample("015") == before
    assert again.journal() == journal
    assert [file.name for file in dataset.path.rglob(".*")] == []
