"""YAML of a stranger: references count as what they refer to."""

from __future__ import annotations

import pytest

from segloop.core.own_files import NotReadableError
from segloop.core.own_yaml import checked_yaml


def test_references_are_refused_unless_they_are_allowed() -> None:
    content = b"a: &axes [y, x]\nb: *axes\nc: &name text\nd: *name\n"

    assert checked_yaml(content, references=True) == content.decode()
    with pytest.raises(NotReadableError, match="uses references"):
        checked_yaml(content)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: &a [*a]", "refers to what it does not hold"),
        (b"a: *b", "refers to what it does not hold|not YAML"),
        (b"- &a [" + b"1, " * 1000 + b"1]\n" + b"- *a\n" * 20, "too many values"),
        (b"[" * 40 + b"]" * 40, "nested too deeply"),
    ],
)
def test_references_can_not_hold_more_than_a_file_may(content: bytes, problem: str) -> None:
    with pytest.raises(NotReadableError, match=problem):
        checked_yaml(content, references=True)
