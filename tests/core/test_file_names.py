from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segloop.core.file_names import free_name, plain_file_name, safe_file_name

WINDOWS_REFUSES = re.compile(
    r'[<>:"/\\|?*\x00-\x1f]|[ .]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE
)


@pytest.mark.parametrize(
    ("text", "safe", "plain"),
    [
        ("nuclei", "nuclei", "nuclei"),
        ("my image [1]", "my image [1]", "my-image-1"),
        ("a/b:c", "a_b_c", "a-b-c"),
        ("Größe", "Größe", "Größe"),
        ("NUL.tif", "_NUL.tif_", "_NUL.tif_"),
        ("...", "layer", "layer"),
        ("???", "layer", "layer"),
        ("", "layer", "layer"),
        ("end. ", "end", "end"),
    ],
)
def test_names_stay_as_much_as_they_can(text: str, safe: str, plain: str) -> None:
    assert safe_file_name(text, "layer") == safe
    assert plain_file_name(text, "layer") == plain


@given(st.text(max_size=300))
def test_whatever_people_type_becomes_a_name_that_every_system_takes(text: str) -> None:
    for name in (safe_file_name(text, "layer"), plain_file_name(text, "layer")):
        assert not WINDOWS_REFUSES.search(name)
        assert 0 < len(name.encode()) <= 200
        assert Path(name).name == name


def test_the_first_free_name_is_found() -> None:
    taken = {"a", "a-2"}
    assert free_name("a", taken.__contains__) == "a-3"
    assert free_name("b", taken.__contains__) == "b"
    assert free_name("a", taken.__contains__, "_") == "a_2"
