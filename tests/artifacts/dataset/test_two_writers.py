"""Two programs edit one dataset: every edit counts, and undo takes back one's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segloop.artifacts.dataset import store
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Sample, Verdict
from segloop.core.errors import DatasetError
from segloop.core.lock import FileLock

REGIONS = """
import sys
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
dataset = CuratedDataset.open(sys.argv[1])
name, count = sys.argv[2], int(sys.argv[3])
corners = [(0, 0), (0, 9), (9, 9)]
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    region = {"id": f"{name}{number}", "kind": "exclude", "shape": "path", "vertices": corners}
    dataset.edit(dataset.sample_ids[0], lambda now: now.edit(regions=[*now.regions, region]), "add region")
"""

ADDITIONS = """
import sys
from pathlib import Path
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.images.pairing import Pair
dataset = CuratedDataset.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for name in sys.argv[2:]:
    raw = Path(name)
    assert dataset.add([Pair(raw.stem, raw, raw)]) == ()
"""

ONE_EDIT = """
import sys
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
dataset = CuratedDataset.open(sys.argv[1])
dataset.edit(dataset.sample_ids[0], lambda now: now.edit(note="theirs"), "note")
print("ready", flush=True)
sys.stdin.readline()
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a script, and return once it is ready."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(*processes: subprocess.Popen[str]) -> None:
    """Let scripts go on at the same time, and wait for them."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
        assert process.returncode == 0


@pytest.fixture
def other_program(dataset: CuratedDataset):
    """Another program that runs, and has set a note."""
    process = start(ONE_EDIT, dataset.path)
    yield process
    if process.poll() is None:
        process.communicate("\n")


def test_a_thousand_edits_of_two_programs_are_counted_exactly(dataset: CuratedDataset) -> None:
    go(start(REGIONS, dataset.path, "a", 500), start(REGIONS, dataset.path, "b", 500))
    again = CuratedDataset.open(dataset.path)
    ids = {region.id for region in again.sample(again.sample_ids[0]).regions}
    assert ids == {f"{name}{number}" for name in "ab" for number in range(500)}
    assert len(again.journal()) == 1000
    assert again.summaries()[0].n_regions == 1000
    assert not (dataset.path / store.LOCK_FILE).exists()


def test_samples_that_two_programs_add_are_all_listed(dataset: CuratedDataset, tmp_path: Path) -> None:
    first = dataset.resolve(dataset.sample(dataset.sample_ids[0]).raw)
    added = {name: [tmp_path / f"{name}{number}{first.suffix}" for number in range(8)] for name in "ab"}
    for path in (*added["a"], *added["b"]):
        path.write_bytes(first.read_bytes())
    before = dataset.sample_ids
    go(*(start(ADDITIONS, dataset.path, *paths) for paths in added.values()))
    again = CuratedDataset.open(dataset.path)
    assert set(again.sample_ids) == {*before, *(path.stem for paths in added.values() for path in paths)}
    assert len(again.sample_ids) == len(before) + 16


def test_undo_leaves_what_a_running_program_did(
    dataset: CuratedDataset, other_program: subprocess.Popen[str]
) -> None:
    mine = dataset.sample_ids[1]
    dataset.edit(mine, lambda now: now.edit(verdict=Verdict.accepted), "accept")
    dataset.edit(dataset.sample_ids[0], lambda now: now.edit(verdict=Verdict.rejected), "reject")
    undone = [dataset.undo(), dataset.undo(), dataset.undo()]
    assert [[each.id for each in samples] for samples in undone] == [[dataset.sample_ids[0]], [mine], []]
    now = dataset.sample(dataset.sample_ids[0])
    assert (now.note, now.verdict) == ("theirs", Verdict.undecided)


def test_undo_reaches_what_an_ended_program_did(
    dataset: CuratedDataset, other_program: subprocess.Popen[str]
) -> None:
    other_program.communicate("\n")
    (undone,) = dataset.undo()
    assert undone.note == ""


def test_what_another_program_changed_again_is_not_undone(dataset: CuratedDataset) -> None:
    first = dataset.sample_ids[0]
    dataset.edit(first, lambda now: now.edit(note="mine"), "note")
    process = start(ONE_EDIT, dataset.path)
    try:
        with pytest.raises(DatasetError, match=f"note of sample {first} has been changed again"):
            dataset.undo()
        assert dataset.sample(first).note == "theirs"
    finally:
        process.communicate("\n")


def test_undo_of_a_region_leaves_the_regions_of_others(dataset: CuratedDataset) -> None:
    first = dataset.sample_ids[0]
    triangle = {"kind": "exclude", "shape": "path", "vertices": [(0, 0), (0, 9), (9, 9)]}

    def with_region(name: str):
        return lambda now: now.edit(regions=[*now.regions, {"id": name, **triangle}])

    dataset.edit(first, with_region("mine"), "add")
    go(start(REGIONS, dataset.path, "theirs", 1))
    (undone,) = dataset.undo()  # theirs has ended, so its region is the newest change of this user
    assert [region.id for region in undone.regions] == ["mine"]
    (redone,) = dataset.redo()
    assert [region.id for region in redone.regions] == ["mine", "theirs0"]


def test_who_holds_the_dataset_is_named(dataset: CuratedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_WAIT_S", 0.05)
    lock = FileLock(dataset.path / store.LOCK_FILE, "The dataset", DatasetError)
    with (
        lock,
        pytest.raises(DatasetError, match=rf"is in use by process {os.getpid()} on .*: close it there"),
    ):
        dataset.edit(dataset.sample_ids[0], lambda now: now.edit(note="x"), "note")
    assert dataset.journal() == ()


def test_a_lock_of_an_ended_program_is_taken_over(dataset: CuratedDataset) -> None:
    code = (
        "import sys; from segloop.artifacts.dataset.curated_dataset import CuratedDataset as D; import os\n"
    )
    code += "store = D.open(sys.argv[1])._store\nwith store.locked(): os._exit(0)"
    subprocess.run([sys.executable, "-c", code, str(dataset.path)], check=True)
    assert (dataset.path / store.LOCK_FILE).exists()
    sample: Sample = dataset.edit(dataset.sample_ids[0], lambda now: now.edit(note="x"), "note")
    assert sample.note == "x"
