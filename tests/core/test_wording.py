from __future__ import annotations

import pytest

from segloop.core.wording import counted


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
