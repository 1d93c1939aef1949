"""Lines are appended to plain files only, and read from plain files only."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from segloop.core.jsonl import append_line, read_lines, read_lines_backwards
from segloop.core.own_files import NotReadableError


def link(path: Path) -> None:
    target = path.with_name("precious.txt")
    target.write_text("precious\n")
    path.symlink_to(target)


def dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.skipif(os.name == "nt", reason="Windows has other pipes and devices, and links need rights")
@pytest.mark.parametrize("make", [link, dangling_link, pipe, device])
def test_nothing_but_a_plain_file_is_written_or_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "events.jsonl"
    make(path)
    for action in (
        lambda: append_line(path, {"a": 1}),
        lambda: read_lines(path),
        lambda: list(read_lines_backwards(path)),
    ):
        with pytest.raises(NotReadableError, match="it is "):
            action()
    assert not (tmp_path / "nowhere").exists()
    if make is link:
        assert (tmp_path / "precious.txt").read_text() == "precious\n"


def test_a_line_nested_too_deeply_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"a":1}\n' + '{"a":' * 100_000 + "\n" + '{"a":2}\n')
    assert read_lines(path)[0] == [{"a": 1}, {"a": 2}]
