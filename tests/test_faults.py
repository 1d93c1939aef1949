"""A full or failing disk at every step of everything that is saved: the old result or the new one, whole."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from faults import CODES, FAULTS
from saved_results import CHANGES, Change, copied, leftovers
from segloop.core.errors import SegloopError
from tiny_models import random_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model."""
    folder = tmp_path_factory.mktemp("model")
    random_model(folder)
    return folder


@pytest.mark.parametrize("code", CODES, ids=[errno.errorcode[code] for code in CODES])
@pytest.mark.parametrize("change", CHANGES, ids=[change.name for change in CHANGES])
def test_every_refused_call_leaves_the_old_or_the_new_result(
    model: Path, tmp_path: Path, change: Change, code: int
) -> None:
    before = copied(model, tmp_path / "before")
    change.prepare(before)
    old = change.state(before)
    after = copied(before, tmp_path / "after")
    change.act(after)
    new = change.state(after)
    assert old != new

    number, refused, finished = 0, 0, False
    while not finished:
        number += 1
        folder = copied(before, tmp_path / "victim")
        failed = None
        with FAULTS.at(number, code, folder):
            try:
                change.act(folder)
            except SegloopError as error:
                failed = error
        finished = FAULTS.count < number

        found = change.state(folder)
        assert found in (old, new), f"call {number}: neither old nor new"
        if failed is None:
            assert found == new, f"call {number}: said to be done, but is not"
        else:
            refused += 1
            assert str(folder) in str(failed), f"call {number}: no file is named"
        assert leftovers(folder) == [], f"call {number}"
        change.act(folder)  # what happened does not hinder the next try
        assert change.state(folder) == new, f"call {number}: not to be done any more"
        shutil.rmtree(folder)
    assert refused > 2
