"""Files and folders are whole, or as they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from segloop.core.atomic import (
    atomic_path,
    clear_abandoned,
    clear_leftovers,
    remove,
    text_replaced,
    write_json,
    write_text,
)


class InterruptedWriteError(Exception):
    """Stands for whatever may go wrong halfway."""


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with atomic_path(target) as partial:
        partial.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert listing(tmp_path) == ["a.txt"]


def test_a_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as partial:
            partial.write_text("half of the n")
            raise InterruptedWriteError

    with pytest.raises(InterruptedWriteError):
        write_half()
    assert target.read_text() == "old"
    assert listing(tmp_path) == ["a.txt"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "store.zarr"
    target.mkdir()
    (target / "stale").write_text("old")
    with atomic_path(target) as partial:
        partial.mkdir()
        (partial / "fresh").write_text("new")
        assert listing(target) == ["stale"]
    assert listing(target) == ["fresh"]
    assert listing(tmp_path) == ["store.zarr"]


def test_a_failure_keeps_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "store.zarr"
    target.mkdir()
    (target / "chunk").write_text("old")

    def write_half() -> None:
        with atomic_path(target) as partial:
            partial.mkdir()
            (partial / "chunk").write_text("new")
            raise InterruptedWriteError

    with pytest.raises(InterruptedWriteError):
        write_half()
    assert (target / "chunk").read_text() == "old"
    assert listing(tmp_path) == ["store.zarr"]


def test_writing_nothing_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "store.zarr"
    target.mkdir()
    (target / "chunk").write_text("old")
    with pytest.raises(OSError, match=r"No such file|cannot find"), atomic_path(target):
        pass
    assert (target / "chunk").read_text() == "old"
    assert listing(tmp_path) == ["store.zarr"]


def test_the_temporary_name_keeps_the_suffix_by_which_writers_choose_a_format(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.ome.tif") as partial:
        assert partial.name.endswith("a.ome.tif")
        assert partial.parent == tmp_path
        partial.touch()


def test_two_writers_do_not_share_a_temporary_name(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt") as first, atomic_path(tmp_path / "a.txt") as second:
        assert first != second
        first.touch()
        second.touch()


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "nowhere" / "a.txt", "text")


def test_text_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "0.5 µm, Größe")
    assert (tmp_path / "a.txt").read_bytes().decode("utf-8") == "0.5 µm, Größe"


def test_json_comes_back_as_written(tmp_path: Path) -> None:
    value = {"n": 3, "list": [1.5, None, "µm"]}
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == value


def test_json_without_a_meaning_for_others_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"score": 1.0})
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"score": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"score": 1.0}


def test_removing_takes_a_file_a_folder_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    for name in ("file", "folder", "missing"):
        remove(tmp_path / name)
    assert listing(tmp_path) == []


def test_removing_a_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    try:
        (tmp_path / "link").symlink_to(tmp_path / "folder", target_is_directory=True)
    except OSError:
        pytest.skip("links need a privilege on this system")
    remove(tmp_path / "link")
    assert listing(tmp_path) == ["folder"]


KILLED = """
import os, sys
from pathlib import Path
from segloop.core import atomic

target, rename = Path(sys.argv[1]), Path.replace

def kill_at_second(source, destination, calls=[]):
    calls.append(source)
    if len(calls) == 2:
        os._exit(9)
    return rename(source, destination)

Path.replace = kill_at_second
with atomic.atomic_path(target) as partial:
    partial.mkdir()
    (partial / "part").write_text("new")
"""


def kill_between_the_renames(target: Path) -> None:
    target.mkdir()
    (target / "part").write_text("old")
    assert subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False).returncode == 9
    assert not target.exists()


def test_a_kill_between_the_two_renames_of_a_folder_ends_with_the_new_one(tmp_path: Path) -> None:
    kill_between_the_renames(tmp_path / "store.zarr")
    clear_leftovers(tmp_path)
    assert (tmp_path / "store.zarr" / "part").read_text() == "new"
    assert listing(tmp_path) == ["store.zarr"]


def test_the_old_folder_comes_back_when_only_it_is_left(tmp_path: Path) -> None:
    kill_between_the_renames(tmp_path / "store.zarr")
    for left in tmp_path.glob(".*.partial-*"):
        remove(left)
    clear_leftovers(tmp_path)
    assert (tmp_path / "store.zarr" / "part").read_text() == "old"
    assert listing(tmp_path) == ["store.zarr"]


def test_a_half_written_folder_never_takes_the_place_of_a_missing_one(tmp_path: Path) -> None:
    kill_between_the_renames(tmp_path / "store.zarr")
    (new,) = tmp_path.glob(".*.partial-*")
    new.rename(tmp_path / ".00000000.partial-store.zarr")  # as of another writer, which was not done
    clear_leftovers(tmp_path)
    assert (tmp_path / "store.zarr" / "part").read_text() == "old"


def test_leftovers_are_deleted_where_the_target_is_there(tmp_path: Path) -> None:
    kill_between_the_renames(tmp_path / "store.zarr")
    (tmp_path / "store.zarr").mkdir()
    (tmp_path / ".notes").touch()
    clear_leftovers(tmp_path)
    assert listing(tmp_path / "store.zarr") == []
    assert listing(tmp_path) == [".notes", "store.zarr"]


HOUR = 3600


def aged(path: Path, hours: float) -> None:
    changed = time.time() - hours * HOUR
    os.utime(path, (changed, changed))


@pytest.mark.parametrize(
    ("name", "hours", "deleted"),
    [
        (".0123abcd.partial-a.txt", 2, True),
        (".0123abcd.partial-a.txt", 0.5, False),
        (".0123abcd.partial-b.txt", 2, False),
        (".0123abcd.replaced-a.txt", 2, False),
        (".0123.partial-a.txt", 2, False),
        ("a.txt", 2, False),
    ],
)
def test_only_what_a_dead_process_was_writing_is_deleted_where_others_may_write(
    tmp_path: Path, name: str, hours: float, deleted: bool
) -> None:
    (tmp_path / name).touch()
    aged(tmp_path / name, hours)

    clear_abandoned(tmp_path, lambda _, name: name == "a.txt")

    assert listing(tmp_path) == ([] if deleted else [name])


def test_a_folder_in_which_a_file_still_grows_is_not_deleted(tmp_path: Path) -> None:
    partial = tmp_path / ".0123abcd.partial-store.zarr"
    (partial / "0").mkdir(parents=True)
    (partial / "0" / "chunk").touch()
    for path in (partial / "0", partial):
        aged(path, 2)

    clear_abandoned(tmp_path, lambda *_: True)
    assert listing(tmp_path) == [partial.name]

    aged(partial / "0" / "chunk", 2)
    clear_abandoned(tmp_path, lambda *_: True)
    assert listing(tmp_path) == []


def test_a_link_with_the_name_of_a_leftover_stays(tmp_path: Path) -> None:
    (tmp_path / ".0123abcd.partial-a.txt").symlink_to(tmp_path / "precious")

    clear_abandoned(tmp_path, lambda *_: True)

    assert len(listing(tmp_path)) == 1


def test_looking_for_leftovers_in_a_folder_that_is_missing_does_nothing(tmp_path: Path) -> None:
    clear_abandoned(tmp_path / "nowhere", lambda *_: True)


@pytest.mark.skipif(os.name != "nt", reason="elsewhere an open file can be replaced")
def test_a_reader_that_soon_lets_go_does_not_stop_a_write(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    reader = target.open()
    timer = threading.Timer(0.3, reader.close)
    timer.start()
    write_text(target, "new")
    timer.join()
    assert target.read_text() == "new"
    assert listing(tmp_path) == ["a.txt"]


def test_text_is_put_back_when_what_follows_fails(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(b"old\r\n")

    def fail() -> None:
        with text_replaced(target, "new"):
            assert target.read_text() == "new"
            raise InterruptedWriteError

    with pytest.raises(InterruptedWriteError):
        fail()
    assert target.read_bytes() == b"old\r\n"
    assert listing(tmp_path) == ["a.txt"]


def test_text_stays_replaced_when_what_follows_succeeds(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with text_replaced(tmp_path / "a.txt", "new"):
        pass
    assert (tmp_path / "a.txt").read_text() == "new"
    assert listing(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("is_folder", [True, False])
def test_what_must_be_new_never_replaces_what_appeared_meanwhile(tmp_path: Path, is_folder: bool) -> None:
    target = tmp_path / "cells"

    def write() -> None:
        with atomic_path(target, exclusive=True) as partial:
            if is_folder:
                partial.mkdir()
                (target).mkdir()
                (target / "precious").touch()
            else:
                partial.write_text("new")
                target.write_text("precious")

    with pytest.raises(FileExistsError):
        write()
    assert (target / "precious").exists() if is_folder else target.read_text() == "precious"
    assert listing(tmp_path) == ["cells"]


@pytest.mark.parametrize("is_folder", [True, False])
def test_what_must_be_new_is_there_in_the_end(tmp_path: Path, is_folder: bool) -> None:
    target = tmp_path / "cells"
    if is_folder:
        target.mkdir()  # an empty folder holds nothing that could be lost
    with atomic_path(target, exclusive=True) as partial:
        if is_folder:
            partial.mkdir()
            (partial / "new").touch()
        else:
            partial.write_text("new")
    assert (target / "new").exists() if is_folder else target.read_text() == "new"
    assert listing(tmp_path) == ["cells"]
