from __future__ import annotations

import pytest
from pydantic import ValidationError

from segloop.artifacts.dataset.manifest import ImageRef, Region, Sample, Verdict
from segloop.core.errors import DatasetError

REF = ImageRef(path="a.tif")
SAMPLE = Sample(id="a", raw=REF, seg=REF)
SQUARE = [(0, 0), (0, 5), (5, 5), (5, 0)]


def test_a_sample_comes_back_from_its_text() -> None:
    region = Region(id="r", kind="exclude", shape="polygon", vertices=SQUARE, z_first=1)
    sample = SAMPLE.edit(verdict=Verdict.accepted, regions=[region], note="blurred µ")
    assert Sample.model_validate_json(sample.model_dump_json()) == sample


def test_an_edit_leaves_the_original_as_it_is() -> None:
    assert SAMPLE.edit(note="x").note == "x"
    assert SAMPLE.note == ""


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"base": 2}, "no second segmentation to use as the base"),
        ({"regions": [Region(id="r", kind="merge", shape="polygon", vertices=SQUARE)]}, "merge from"),
        ({"regions": [Region(id="r", kind="exclude", shape="polygon", vertices=SQUARE)] * 2}, "the same id"),
        ({"verdict": "perhaps"}, "verdict"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(changes: dict, sentence: str) -> None:
    with pytest.raises(DatasetError, match=f"Sample a can't be changed like that.*{sentence}"):
        SAMPLE.edit(**changes)


@pytest.mark.parametrize("name", ["../a", "a/b", "a\\b", ".hidden", "", "c:a", "_"])
def test_an_id_cannot_name_a_file_elsewhere(name: str) -> None:
    with pytest.raises(ValidationError, match="id"):
        Sample(id=name, raw=REF, seg=REF)


def test_vertices_are_finite() -> None:
    with pytest.raises(ValidationError):
        Region(id="r", kind="exclude", shape="polygon", vertices=[(float("nan"), 0)])
