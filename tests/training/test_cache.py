from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from damage import DAMAGES
from segloop.training.cache import CachedSample, DamagedEntryError, cache_folder, entry_key, prune
from training_fixtures import tiny_sample

FILES = ("meta.json", *(f"{name}.npy" for name in ("raw", "maps", "valid", "labels", "foreground", "sizes")))


def entry(root: Path, name: str, n_bytes: int, used: int) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "raw.npy").write_bytes(b"x" * n_bytes)
    os.utime(folder, (used, used))
    return folder


def test_the_cache_lives_where_segloop_home_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGLOOP_HOME", str(tmp_path))

    assert cache_folder() == tmp_path / "cache" / "samples"


def test_a_key_depends_on_all_values_and_not_on_their_order() -> None:
    key = entry_key({"a": 1, "b": [1, 2]})

    assert key == entry_key({"b": [1, 2], "a": 1})
    assert key != entry_key({"a": 1, "b": [2, 1]})


def test_pruning_deletes_what_was_not_used_for_longest(tmp_path: Path) -> None:
    old, newer, newest = (entry(tmp_path, name, 100, used) for name, used in (("a", 1), ("b", 2), ("c", 3)))

    deleted = prune(tmp_path, [], limit_bytes=200)

    assert deleted == [old]
    assert sorted(tmp_path.iterdir()) == [newer, newest]


def test_pruning_never_deletes_what_is_in_use(tmp_path: Path) -> None:
    used, other = entry(tmp_path, "a", 100, 1), entry(tmp_path, "b", 100, 2)

    prune(tmp_path, [used], limit_bytes=0)

    assert used.is_dir()
    assert not other.exists()


def test_pruning_spares_what_another_training_used_within_a_day(tmp_path: Path) -> None:
    hour = 3600
    old, recent = (
        entry(tmp_path, name, 100, int(time.time()) - hours * hour) for name, hours in (("a", 25), ("b", 23))
    )

    deleted = prune(tmp_path, [], limit_bytes=0)

    assert deleted == [old]
    assert recent.is_dir()


def one_bit_flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [*DAMAGES, one_bit_flipped])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_entry_is_never_used(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    entry = tiny_sample(tmp_path / "entry").folder
    damage(entry / name)

    with pytest.raises(DamagedEntryError):
        CachedSample.open(entry, "tiny")


def test_a_value_changed_in_the_description_is_noticed(tmp_path: Path) -> None:
    entry = tiny_sample(tmp_path / "entry").folder
    meta = entry / "meta.json"
    meta.write_text(meta.read_text().replace("0.0", "0.5"))

    with pytest.raises(DamagedEntryError):
        CachedSample.open(entry, "tiny")


def test_a_whole_entry_comes_back_as_it_was(tmp_path: Path) -> None:
    made = tiny_sample(tmp_path / "entry")
    found = CachedSample.open(made.folder, "tiny")

    assert found == made
    np.testing.assert_array_equal(found.arrays().raw, made.arrays().raw)
    assert CachedSample.open(tmp_path / "missing", "tiny") is None


def test_an_entry_that_a_killed_process_was_writing_is_deleted_though_there_is_room(tmp_path: Path) -> None:
    torn, whole = entry(tmp_path, ".01234567.partial-key", 100, used=1), entry(tmp_path, "key", 100, used=1)
    growing = entry(tmp_path, ".89abcdef.partial-key", 100, used=1)
    os.utime(torn / "raw.npy", (1, 1))

    assert prune(tmp_path, [], limit_bytes=10**9) == []

    assert set(tmp_path.iterdir()) == {whole, growing}
