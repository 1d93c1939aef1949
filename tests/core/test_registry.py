"""Items by name."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from segloop.core.errors import ModelError
from segloop.core.registry import Registry


def make(built_in: dict[str, str]) -> Registry[object]:
    return Registry("segloop.toys", "toy", built_in, ModelError)


@pytest.fixture
def installed_toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with entry points, installed as pip leaves one."""
    (tmp_path / "toy_package.py").write_text("ball = 'a ball'\n", encoding="utf-8")
    info = tmp_path / "toy_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-package\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(
        "[segloop.toys]\nball = toy_package:ball\nbroken = toy_package:missing\nint = toy_package:ball\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "toy_package", raising=False)
    assert entry_points(group="segloop.toys")


def test_a_built_in_item_is_imported_when_it_is_asked_for() -> None:
    toys = make({"fraction": "fractions:Fraction", "absent": "no_such_module:thing"})

    assert toys.names() == ("fraction", "absent")
    assert toys.get("fraction") is __import__("fractions").Fraction


@pytest.mark.usefixtures("installed_toys")
def test_items_of_installed_packages_are_found() -> None:
    toys = make({"int": "builtins:int"})

    assert toys.names() == ("int", "ball", "broken")
    assert toys.get("ball") == "a ball"


@pytest.mark.usefixtures("installed_toys")
def test_an_installed_package_does_not_replace_a_built_in_item() -> None:
    assert make({"int": "builtins:int"}).get("int") is int


@pytest.mark.usefixtures("installed_toys")
def test_a_broken_package_is_named() -> None:
    with pytest.raises(ModelError, match=r"The toy 'broken' can't be loaded from toy_package:missing .*rei"):
        make({}).get("broken")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match="There is no toy 'car': choose one of int, "):
        make({"int": "builtins:int"}).get("car")


def test_an_item_can_be_registered_for_a_while() -> None:
    toys = make({"int": "builtins:int"})

    with toys.registered("car", "a car"):
        assert toys.names() == ("int", "car")
        assert toys.get("car") == "a car"
        with pytest.raises(ModelError, match="There is already a toy 'car'"):
            toys.register("car", "another")

    assert "car" not in toys


def test_a_built_in_name_can_not_be_taken() -> None:
    with pytest.raises(ModelError, match="already a toy 'int'"):
        make({"int": "builtins:int"}).register("int", float)
