from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from segloop.core.errors import DatasetError, ImageError
from segloop.core.file_errors import cannot_read, cannot_write, reading, writing


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "a.tif can't be written, the disk is full: free some space or choose another folder.",
        ),
        (
            OSError("4096 requested and 512 written"),  # numpy's tofile on a full disk
            "a.tif can't be written, the disk is full: free some space or choose another folder.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied"),
            "a.tif can't be written (Permission denied): choose a folder you may write to.",
        ),
        (OSError("odd"), "a.tif can't be written (odd): choose a folder you may write to."),
        (OSError(), "a.tif can't be written (OSError): choose a folder you may write to."),
    ],
)
def test_a_refused_write_is_one_sentence_with_the_remedy(error: OSError, sentence: str) -> None:
    assert cannot_write("a.tif", error) == sentence


def test_a_refused_read_is_one_sentence_with_the_remedy_of_the_caller() -> None:
    error = OSError(errno.EIO, "Input/output error")
    assert cannot_read(Path("a.tif"), error, "copy it again") == (
        "a.tif can't be read (Input/output error): copy it again."
    )


def test_reading_what_is_missing_raises_the_error_that_was_asked_for(tmp_path: Path) -> None:
    missing = tmp_path / "missing.tif"
    with pytest.raises(ImageError) as caught, reading(missing, ImageError):
        missing.read_bytes()
    assert str(caught.value).startswith(f"{missing} can't be read (")
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_writing_below_a_file_raises_the_error_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    target = tmp_path / "file" / "a.tif"
    with pytest.raises(DatasetError) as caught, writing(target, DatasetError, "choose another folder"):
        target.write_bytes(b"")
    assert str(caught.value).startswith(f"{target} can't be written (")
    assert str(caught.value).endswith("): choose another folder.")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")  # noqa: PTH110
def test_a_disk_that_is_really_full_is_said_to_be() -> None:
    with pytest.raises(ImageError, match="the disk is full"), writing("/dev/full", ImageError):
        Path("/dev/full").write_bytes(b"x")
