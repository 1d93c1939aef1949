"""Names of any form that a user or a file may give."""

from __future__ import annotations

from pathlib import Path

import pytest

from segloop.core.paths import exists, is_file, is_folder, is_unicode

REFUSED = ("a" * 300, "a/" * 3000, "a\0b", "\ud800", "", "x/../y")


def test_files_and_folders_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    assert (exists(tmp_path / "a.txt"), is_file(tmp_path / "a.txt"), is_folder(tmp_path / "a.txt")) == (
        True,
        True,
        False,
    )
    assert (exists(tmp_path), is_file(tmp_path), is_folder(tmp_path)) == (True, False, True)


@pytest.mark.parametrize("name", REFUSED, ids=range(len(REFUSED)))
def test_a_name_that_the_system_refuses_does_not_exist(name: str) -> None:
    assert not exists(name)
    assert not is_file(name)
    assert not is_folder(name)


def test_bytes_of_a_disk_that_are_not_utf8_are_not_unicode() -> None:
    assert is_unicode("Zellen ä")
    assert not is_unicode(Path("caf\udce9.tif"))
