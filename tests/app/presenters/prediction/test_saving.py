"""How saved results are called."""

from __future__ import annotations

import pytest

from segloop.app.presenters.prediction.saving import file_stems, not_kept
from segloop.core.errors import SegloopError


@pytest.mark.parametrize(
    ("images", "stems"),
    [
        ([("nuclei", "")], ["nuclei"]),
        ([("nuclei", "/data/a.tif")], ["a"]),
        ([("nuclei", "/data/a.ome.tif")], ["a"]),
        ([("red", "/data/a.tif"), ("green", "/data/a.tif")], ["red", "green"]),
        ([("a", ""), ("x", "/data/b.tif")], ["a", "b"]),
    ],
)
def test_results_are_called_like_their_file_or_like_their_layer(images, stems):
    assert file_stems(images) == stems


def test_two_results_of_one_name_are_refused():
    with pytest.raises(SegloopError, match="rename one of the layers"):
        file_stems([("a", ""), ("A", "")])


def test_what_can_not_be_saved_is_named():
    assert not_kept(["a", "b"]).startswith("The probability of `a`, `b` was not kept")
