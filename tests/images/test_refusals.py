"""Whatever a reader raises becomes one sentence that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from segloop.core.errors import ImageError
from segloop.images.refusals import guarded


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ModuleNotFoundError("No module named 'imagecodecs'"), "a package is missing or broken"),
        (ImportError("DLL load failed"), "a package is missing or broken"),
        (NotImplementedError("JPEG XS"), "not supported"),
        (ValueError("corrupt"), "damaged"),
        (KeyError("x"), "damaged"),
    ],
)
def test_it_is_said_whether_the_file_or_the_program_is_at_fault(raised: Exception, said: str) -> None:
    with pytest.raises(ImageError, match=said) as refused, guarded(Path("a.tif")):
        raise raised
    assert str(refused.value).startswith("a.tif can't be read")
