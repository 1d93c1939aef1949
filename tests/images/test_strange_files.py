"""Files that are not what their name says: each is refused in one sentence, and the others are used."""

from __future__ import annotations

import os
import re
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.cli.command import run as run_command
from segloop.core.errors import ImageError
from segloop.images.read import open_image, scene_names

PIXELS = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)


def good_tiff(file: Path) -> bytes:
    tifffile.imwrite(file, PIXELS)
    return file.read_bytes()


def with_tag(file: Path, tag: int, value: int) -> None:
    """Write a TIFF whose tag has another value."""
    content = bytearray(good_tiff(file))
    (offset,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, offset)
    for number in range(count):
        at = offset + 2 + 12 * number
        code, kind = struct.unpack_from("<HH", content, at)
        if code == tag:
            struct.pack_into("<H" if kind == 3 else "<I", content, at + 8, value)
    file.write_bytes(content)


STRANGE: dict[str, Callable[[Path], object]] = {
    "width 0.tif": lambda file: with_tag(file, 256, 0),
    "height 0.tif": lambda file: with_tag(file, 257, 0),
    "rows per strip 0.tif": lambda file: with_tag(file, 278, 0),
    "compression unknown.tif": lambda file: with_tag(file, 259, 9999),
    "bits 77.tif": lambda file: with_tag(file, 258, 77),
    "strip far away.tif": lambda file: with_tag(file, 273, 2**31),
    "immense.tif": lambda file: (with_tag(file, 256, 1_000_000), None),
    "cut.tif": lambda file: file.write_bytes(good_tiff(file)[:200]),
    "zeros.tif": lambda file: file.write_bytes(bytes(5000)),
    "text.tif": lambda file: file.write_text("II*\0 this is text"),
    "pipe.tif": lambda file: os.mkfifo(file),
    "zero device.tif": lambda file: file.symlink_to("/dev/zero"),
    "text.png": lambda file: file.write_text("not a picture"),
    "zeros.jpg": lambda file: file.write_bytes(bytes(5000)),
    "zeros.gif": lambda file: file.write_bytes(b"GIF89a" + bytes(5000)),
    "folder.zarr": lambda file: file.mkdir(),
    "file.zarr": lambda file: file.write_bytes(bytes(100)),
    f"{'n' * 250}.tif": lambda file: file.write_bytes(bytes(100)),
    os.fsdecode(b"latin1-\xe9.tif"): good_tiff,
}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes or devices as files")


def outcome(read: Callable[[Path], object], file: Path) -> BaseException | None:
    """Return what reading a file raises; on a thread, since it must not hang."""
    found: list[BaseException | None] = []

    def attempt() -> None:
        try:
            read(file)
        except BaseException as error:
            found.append(error)
        else:
            found.append(None)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(20)
    assert found, "it hangs"
    return found[0]


def read_all(file: Path) -> None:
    image = open_image(file)
    whole = slice(None)
    image.block(0, range(image.n_channels), whole, whole, whole)


@pytest.mark.parametrize("name", STRANGE)
def test_it_is_refused_in_one_sentence_at_once(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    STRANGE[name](file)
    error = outcome(read_all, file)
    assert isinstance(error, ImageError)
    assert len(str(error).splitlines()) == 1
    assert file.name.encode(errors="backslashreplace").decode() in str(error)
    assert isinstance(outcome(scene_names, file), ImageError | None)


@pytest.mark.parametrize("name", STRANGE)
def test_the_other_files_of_a_folder_are_used(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, seg = tmp_path / "raw", tmp_path / "seg"
    for folder in (raw, seg):
        folder.mkdir()
        for good in ("a.tif", "z.tif"):
            tifffile.imwrite(folder / good, PIXELS // 64)
    STRANGE[name](raw / name)
    tifffile.imwrite(seg / (Path(name).stem.encode(errors="replace").decode()[:240] + ".tif"), PIXELS // 64)

    status = run_command(["dataset", "create", str(tmp_path / "cells"), "--raw", str(raw), "--seg", str(seg)])

    said = capsys.readouterr()
    assert "Traceback" not in said.err
    # What only shows when pixels are read is found by `dataset check`, and by training.
    assert re.search(r"with [23] samples", said.out), said
    assert status in (0, 1)
