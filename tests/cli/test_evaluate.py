"""``segloop evaluate`` at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.cli.command import run


@pytest.mark.parametrize(("kind", "objects"), [("instances", True), ("semantic", False)])
def test_label_kind_decides_what_is_scored(
    tmp_path: Path, sample_nuclei: Path, capsys: pytest.CaptureFixture[str], kind: str, objects: bool
) -> None:
    for folder in ("predictions", "truth"):
        (tmp_path / folder).mkdir()
        classes = (tifffile.imread(sample_nuclei / "seg" / "000.tif") % 3).astype(np.uint8)
        tifffile.imwrite(tmp_path / folder / "a.tif", classes)
    paths = (str(tmp_path / "predictions"), str(tmp_path / "truth"))
    assert run(["evaluate", *paths, "--out", str(tmp_path / "out"), "--label-kind", kind]) == 0
    assert ("Dice of class 2" in capsys.readouterr().out) is not objects
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (metrics["instance"] is not None) is objects
    assert ("classes" in metrics["semantic"]) is not objects
