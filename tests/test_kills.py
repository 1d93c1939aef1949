"""Kills at random moments while something is saved over an earlier one: the old result or the new one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import killing
from saved_results import CHANGES, Change, before_and_after, leftovers

N_KILLS = 20
"""Of each change; 200 in all."""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the killed processes are forked")
@pytest.mark.parametrize("change", CHANGES, ids=[change.name for change in CHANGES])
def test_a_kill_leaves_the_old_or_the_new_result(
    model_folder: Path, tmp_path: Path, record_property: Any, change: Change
) -> None:
    before, _, old, new = before_and_after(change, model_folder, tmp_path)
    outcomes = tmp_path / "outcomes"

    script = [sys.executable, killing.__file__, str(before), str(outcomes), change.name, str(N_KILLS)]
    subprocess.run(script, check=True, timeout=280)

    found = []
    for seed in range(N_KILLS):
        folder = outcomes / str(seed)
        found.append(change.state(folder))
        assert found[-1] in (old, new), f"kill {seed}: neither old nor new"
        for path in leftovers(folder):  # what nobody has touched for an hour is cleared
            os.utime(path, (0, 0))
        change.act(folder)
        assert change.state(folder) == new, f"kill {seed}: can't be done any more"
        if not change.name.startswith("model"):  # a model that is there already is not written again
            assert leftovers(folder) == [], f"kill {seed}"
        shutil.rmtree(folder)
    record_property("new results", f"{found.count(new)} of {N_KILLS}")
    assert old in found, "no kill came in time"
