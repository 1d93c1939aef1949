"""A full or failing disk at every step of everything that is saved: the old result or the new one, whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from faults import CODES, FAULTS
from saved_results import CHANGES, Change, State, before_and_after, copied, leftovers
from segloop.core.errors import SegloopError

STRIDE = int(os.environ.get("SEGLOOP_FAULT_STRIDE", "3"))
"""Every how many calls one fails; 1 tries all, which takes about ten minutes."""


LIMITS = 12
"""How many sizes of the largest file are tried."""


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES, ids=[change.name for change in CHANGES])
def test_every_refused_call_leaves_the_old_or_the_new_result(
    model_folder: Path, tmp_path: Path, change: Change
) -> None:
    before, _, old, new = before_and_after(change, model_folder, tmp_path)

    number, refused, finished = 1 - STRIDE + CHANGES.index(change) % STRIDE, 0, False
    while not finished:
        number += STRIDE
        folder = copied(before, tmp_path / "victim")
        failed = None
        # A full disk and a failing one take turns, so that each call fails once.
        with FAULTS.at(number, CODES[number % len(CODES)], folder):
            try:
                change.act(folder)
            except SegloopError as error:
                failed = error
        finished = FAULTS.count < number

        refused += failed is not None
        require_old_or_new(change, folder, old, new, failed, f"call {number}")
        shutil.rmtree(folder)
    assert refused > 0


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="file size limits are a Unix thing")
@pytest.mark.parametrize("change", CHANGES, ids=[change.name for change in CHANGES])
def test_a_disk_that_fills_within_a_file_leaves_the_old_or_the_new_result(
    model_folder: Path, tmp_path: Path, change: Change
) -> None:
    before, after, old, new = before_and_after(change, model_folder, tmp_path)
    largest = max(path.stat().st_size for path in after.rglob("*") if path.is_file())

    refused = 0
    for limit in np.geomspace(16, 2 * largest, LIMITS).astype(int):
        folder = copied(before, tmp_path / "victim")
        failed = None
        with files_of_at_most(int(limit)):
            try:
                change.act(folder)
            except SegloopError as error:
                failed = error

        refused += failed is not None
        require_old_or_new(change, folder, old, new, failed, f"{limit} bytes")
        shutil.rmtree(folder)
    assert 0 < refused < LIMITS


def require_old_or_new(
    change: Change, folder: Path, old: State, new: State, failed: SegloopError | None, where: str
) -> None:
    """Require a whole result that agrees with what was said, and that the next try works and clears up."""
    found = change.state(folder)
    assert found in (old, new), f"{where}: neither old nor new"
    if failed is None:
        assert found == new, f"{where}: said to be done, but is not"
    else:
        assert str(folder) in str(failed), f"{where}: no file is named"
    for path in leftovers(folder):  # what nobody has touched for an hour is cleared
        os.utime(path, (0, 0))
    change.act(folder)
    assert change.state(folder) == new, f"{where}: can't be done any more"
    if not change.name.startswith("model"):  # a model that is there already is not written again
        assert leftovers(folder) == [], where


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let each write that would make a file larger than this many bytes fail, as on a full disk."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
