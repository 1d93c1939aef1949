"""Files of ours that a stranger may have made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from segloop.core.own_files import NotReadableError, read_own_bytes, read_own_json


def make_link(path: Path) -> None:
    secret = path.with_name("secret")
    secret.write_text("1")
    path.symlink_to(secret)


def make_pipe(path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(path)


def make_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_link, "it is a link to another file"),
        (Path.mkdir, r"it is not a plain file|Is a directory|denied"),
        (make_pipe, "it is not a plain file"),
        (make_large, "it is larger than 1 MB"),
        (lambda path: path.write_bytes(b"\xff\xfe1"), "it is not JSON"),
        (lambda path: path.write_bytes(b""), "it is not JSON"),
        (lambda path: path.write_bytes(b"\0" * 100), "it is not JSON"),
        (lambda path: path.write_text("[" * 500_000), "it is nested too deeply"),
    ],
)
def test_what_we_never_write_is_refused_with_the_reason(tmp_path: Path, make: object, reason: str) -> None:
    make(tmp_path / "a.json")  # type: ignore[operator]

    with pytest.raises((NotReadableError, OSError), match=reason):
        read_own_json(tmp_path / "a.json", 1 << 20)


def test_a_device_that_never_ends_is_refused() -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("this system has no /dev/zero")
    with pytest.raises(NotReadableError, match="not a plain file"):
        read_own_bytes("/dev/zero")


def test_a_file_of_ours_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"name": "µm"}', encoding="utf-8")

    assert read_own_json(tmp_path / "a.json") == {"name": "µm"}
