from __future__ import annotations

import pytest
from pydantic import ValidationError

from segloop.artifacts.dataset.manifest import Region, Sample, Verdict
from segloop.artifacts.dataset.segmentation import FileSource, ImageRef, Segmentation
from segloop.core.errors import DatasetError

REF = ImageRef(path="a.tif")
SEG = Segmentation(name="seg", source=FileSource(image=REF))
SAMPLE = Sample(id="a", raw=REF, segmentations=[SEG])
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
        ({"base": "otsu"}, "no segmentation otsu to use as the base: it has seg"),
        (
            {"regions": [Region(id="r", kind="merge", shape="polygon", vertices=SQUARE, segmentation="x")]},
            "no segmentation x to merge from",
        ),
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
        Sample(id=name, raw=REF, segmentations=[SEG])


def test_vertices_are_finite() -> None:
    with pytest.raises(ValidationError):
        Region(id="r", kind="exclude", shape="polygon", vertices=[(float("nan"), 0)])
