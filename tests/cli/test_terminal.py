"""What the command prints of names that someone else chose."""

from __future__ import annotations

from pathlib import Path

import pytest

from segloop.cli.command import run
from segloop.cli.output import say
from segloop.core.wording import printable


@pytest.mark.parametrize("name", ["\x1b[31mred", "\x1b]0;title\x07", "\u202egnp.exe", "\x9b1m"])
def test_escape_codes_in_names_are_shown_and_not_obeyed(
    name: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    say(f"one {name}\ntwo")
    out = capfd.readouterr().out
    assert out.count("\n") == 2
    assert all(line.isprintable() for line in out.splitlines())
    arguments = ["predict", str(tmp_path / name), f"{name}.tif", "--out", str(tmp_path / "out")]
    assert run(arguments) != 0
    assert run(["predict", f"--{name}"]) != 0
    err = capfd.readouterr().err
    assert "\\" in err
    assert "unexpected" not in err
    assert all(line.isprintable() for line in err.splitlines())


def test_ordinary_text_of_any_language_stays() -> None:
    text = "Zelle_µm_細胞_é.tif"
    assert printable(text) == text
