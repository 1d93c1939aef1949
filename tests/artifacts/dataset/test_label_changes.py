"""Changes of single pixels: stored like strokes, taken back one by one, equal to arrays edited in memory."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.label_changes import LabelChange
from segloop.core.errors import DatasetError


def stroke(labels: np.ndarray, rng: random.Random) -> np.ndarray:
    """Return a copy with a rectangle of another value somewhere."""
    changed = labels.astype(np.uint32)
    _, height, width = labels.shape
    y, x = rng.randrange(height - 9), rng.randrange(width - 9)
    region = changed[0, y : y + 9, x : x + 9]
    value = rng.choice([0, 1, 7, 300, 2**32 - 1])
    region[:] = value if (region != value).any() else 8
    return changed


def change(dataset: CuratedDataset, labels: np.ndarray, version: int | None = None) -> int:
    """Store what differs from the newest version; return the number of the version that holds it."""
    before = dataset.labels(dataset.sample("015"), "seg").astype(np.uint32)
    found = LabelChange.between(before, labels)
    return dataset.change_labels("015", "seg", found, "paint", version).segmentation("seg").newest


@pytest.mark.parametrize("seed", range(4))
def test_any_strokes_undos_and_redos_equal_arrays_in_memory(dataset: CuratedDataset, seed: int) -> None:
    rng = random.Random(seed)
    states = [dataset.labels(dataset.sample("015"), "seg").astype(np.uint32)]
    at, version = 0, None
    for _ in range(40):
        action = rng.choice(["stroke", "stroke", "undo", "redo", "sitting", "whole", "reopen"])
        if action in ("stroke", "whole"):
            del states[at + 1 :]
            new = stroke(states[at], rng)
            if (new == states[at]).all():
                continue
            states.append(new)
            at += 1
            if action == "whole":
                dataset.correct_labels("015", "seg", new)
            else:
                version = change(dataset, new, version)
        elif action == "sitting":
            version = None
        elif action == "reopen":
            dataset = CuratedDataset.open(dataset.path)
        elif action == "undo" and at > 0:
            assert dataset.undo()
            at -= 1
        elif action == "redo" and at < len(states) - 1:
            assert dataset.redo()
            at += 1
        assert np.array_equal(dataset.labels(dataset.sample("015"), "seg"), states[at])


def test_strokes_of_one_sitting_are_one_version_and_take_the_space_of_strokes(
    dataset: CuratedDataset,
) -> None:
    rng = random.Random(0)
    version = None
    for _ in range(30):
        labels = dataset.labels(dataset.sample("015"), "seg")
        version = change(dataset, stroke(labels, rng), version)
    (kept,) = dataset.sample("015").segmentation("seg").versions
    assert (kept.number, kept.base) == (1, 0)
    stored = [file for file in (dataset.path / "labels").rglob("*") if file.is_file()]
    assert [file.name for file in stored] == ["changes.jsonl"]
    assert stored[0].stat().st_size < 30 * 800


def test_a_copy_keeps_the_strokes_that_were_there_when_it_was_made(dataset: CuratedDataset) -> None:
    rng = random.Random(1)
    first = stroke(dataset.labels(dataset.sample("015"), "seg"), rng)
    version = change(dataset, first)
    dataset.copy_segmentation("015", "copy", "seg")
    second = stroke(first, rng)
    assert change(dataset, second, version) == version + 1
    sample = dataset.sample("015")
    assert np.array_equal(dataset.labels(sample, "copy"), first)
    assert np.array_equal(dataset.labels(sample, "seg"), second)
    assert np.array_equal(dataset.labels(sample, "seg", version), first)


def test_the_way_between_two_states_is_that_of_their_strokes(dataset: CuratedDataset) -> None:
    rng = random.Random(2)
    start = dataset.sample("015")
    labels = dataset.labels(start, "seg").astype(np.uint32)
    version = change(dataset, stroke(labels, rng))
    change(dataset, stroke(dataset.labels(dataset.sample("015"), "seg"), rng), version)
    dataset.undo()
    change(dataset, stroke(dataset.labels(dataset.sample("015"), "seg"), rng), version)
    change(dataset, stroke(dataset.labels(dataset.sample("015"), "seg"), rng))
    end = dataset.sample("015")
    wanted = dataset.labels(end, "seg")

    there = dataset.label_changes("seg", start, end, labels.size)
    back = dataset.label_changes("seg", end, start, labels.size)

    assert there is not None
    assert back is not None
    shown = labels.copy()
    for each in there:
        each.apply(shown)
    assert np.array_equal(shown, wanted)
    for each in back:
        each.apply(shown)
    assert np.array_equal(shown, labels)


def test_whole_label_images_are_not_reached_by_strokes(dataset: CuratedDataset) -> None:
    start = dataset.sample("015")
    labels = dataset.labels(start, "seg")
    dataset.correct_labels("015", "seg", np.zeros_like(labels))
    assert dataset.label_changes("seg", start, dataset.sample("015"), labels.size) is None


def damaged(line: dict[str, object], how: str) -> dict[str, object]:
    changes: dict[str, dict[str, object]] = {
        "no digest": {"digest": None},
        "too many pixels": {"pixels": 10**9},
        "no number": {"pixels": "many"},
        "fewer bytes": {"pixels": 10**4},
        "no base64": {"data": "%"},
        "no compressed data": {"data": "AAAA"},
    }
    line = {**line, **changes[how]}
    return {key: value for key, value in line.items() if value is not None}


@pytest.mark.parametrize(
    "how",
    ["no digest", "too many pixels", "no number", "fewer bytes", "no base64", "no compressed data"],
)
def test_a_damaged_change_is_refused_in_a_sentence(dataset: CuratedDataset, how: str) -> None:
    change(dataset, stroke(dataset.labels(dataset.sample("015"), "seg"), random.Random(3)))
    file = dataset.path / "labels" / "015" / "seg" / "1" / "changes.jsonl"
    file.write_text(json.dumps(damaged(json.loads(file.read_text("utf-8")), how)) + "\n", "utf-8")
    with pytest.raises(DatasetError, match=r"changes\.jsonl is damaged at byte 0.*: restore it from a copy"):
        dataset.labels(dataset.sample("015"), "seg")


def test_a_missing_file_of_changes_is_named(dataset: CuratedDataset, tmp_path: Path) -> None:
    change(dataset, stroke(dataset.labels(dataset.sample("015"), "seg"), random.Random(3)))
    file = dataset.path / "labels" / "015" / "seg" / "1" / "changes.jsonl"
    file.rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match=r"changes\.jsonl.*restore it from a copy"):
        dataset.labels(dataset.sample("015"), "seg")


def test_a_torn_line_is_ended_and_the_next_change_is_read(dataset: CuratedDataset) -> None:
    rng = random.Random(4)
    version = change(dataset, stroke(dataset.labels(dataset.sample("015"), "seg"), rng))
    file = dataset.path / "labels" / "015" / "seg" / "1" / "changes.jsonl"
    with file.open("ab") as torn:
        torn.write(b'{"follows":0,"pix')
    wanted = stroke(dataset.labels(dataset.sample("015"), "seg"), rng)
    change(dataset, wanted, version)
    assert np.array_equal(dataset.labels(dataset.sample("015"), "seg"), wanted)
