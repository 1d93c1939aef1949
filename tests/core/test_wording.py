from __future__ import annotations

import pytest

from segloop.core.wording import counted, printable


@pytest.mark.parametrize(
    ("number", "words", "expected"),
    [
        (0, ("pair",), "0 pairs"),
        (1, ("pair",), "1 pair"),
        (3, ("pair",), "3 pairs"),
        (12000, ("object",), "12,000 objects"),
        (1, ("class", "classes"), "1 class"),
        (2, ("class", "classes"), "2 classes"),
    ],
)
def test_a_number_agrees_with_its_noun(number: int, words: tuple[str, ...], expected: str) -> None:
    assert counted(number, *words) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cells é µ 細胞.tif\n\tnext", "cells é µ 細胞.tif\n\tnext"),
        ("\x1b[31mred\x1b[0m.tif", r"\x1b[31mred\x1b[0m.tif"),
        ("a\rb\x07\x7f\x9b", r"a\rb\x07\x7f\x9b"),
        ("latin1-\udce9.tif", r"latin1-\udce9.tif"),
        ("gpj.\u202etif", r"gpj.\u202etif"),
    ],
)
def test_a_name_does_not_control_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown
