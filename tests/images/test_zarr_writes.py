"""Zarr writes several files at once: when one fails, the others must not write on into what is removed."""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from zarr.storage import _local

from segloop.core.errors import ImageError
from segloop.images.write import create_zarr, write_image


class SlowDisk:
    """Refuses one write below a folder; the others take a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refused: int) -> None:
        self._put, self._refused = _local._put, refused
        self.count, self.running, self._lock = 0, 0, threading.Lock()
        monkeypatch.setattr(_local, "_put", self.put)

    def put(self, *arguments, **options) -> int:
        with self._lock:
            self.count += 1
            self.running += 1
            number = self.count
        try:
            if number == self._refused:
                raise OSError(errno.ENOSPC, "No space left on device", str(arguments[0]))
            if number > self._refused:
                time.sleep(0.2)  # how slow the disk is: nothing is waited for
            return self._put(*arguments, **options)
        finally:
            with self._lock:
                self.running -= 1


@pytest.mark.parametrize("refused", range(1, 9))
def test_after_a_failure_nothing_comes_back(tmp_path: Path, monkeypatch, refused: int) -> None:
    disk = SlowDisk(monkeypatch, refused)
    image = np.random.default_rng(0).integers(0, 99, (4, 1100, 1100)).astype(np.uint16)
    with pytest.raises(ImageError, match="full"):
        write_image(tmp_path / "a.zarr", image, axes="ZYX")
    assert disk.running == 0
    assert list(tmp_path.iterdir()) == []


def test_after_a_failure_nothing_is_written_any_more(tmp_path: Path, monkeypatch) -> None:
    disk = SlowDisk(monkeypatch, 2)
    with pytest.raises(ImageError, match="full"):
        create_zarr(tmp_path / "a.zarr", (40, 50), np.uint8, axes="YX")
    assert disk.running == 0
