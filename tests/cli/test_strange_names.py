"""Names that the system refuses, or that are not Unicode, at each verb that takes one."""

from __future__ import annotations

from pathlib import Path

import pytest

from segloop.cli.command import run
from tiny_models import random_model

STRANGE = {"long": "n" * 300 + ".tif", "deep": "n/" * 3000, "not Unicode": "caf\udce9.tif"}


@pytest.mark.parametrize("name", STRANGE.values(), ids=STRANGE)
def test_a_name_that_the_system_refuses_gets_a_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model, out = random_model(tmp_path), str(tmp_path / "out")
    for arguments in (
        ["predict", str(model), name, "--out", out],
        ["predict", name, name, "--out", out],
        ["threshold", name, "foreground=0.5"],
        ["train", name, "--out", out],
        ["train", str(tmp_path), "--out", name],
        ["evaluate", str(model), name, "--out", out],
        ["evaluate", name, name, "--out", out],
        ["compare", name, name, "--dataset", name, "--out", out],
        ["model", "info", name],
        ["model", "import", name],
        ["dataset", "check", name],
        ["dataset", "create", str(tmp_path / "new"), "--raw", name, "--seg", name],
        ["dataset", "create", name, "--raw", str(tmp_path), "--seg", str(tmp_path)],
    ):
        assert run(arguments) != 0, arguments

        said = capsys.readouterr().err
        assert "unexpected" not in said, (arguments[:2], said[:300])
        assert "Error: " in said, (arguments[:2], said[:300])
