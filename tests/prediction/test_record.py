"""The place of a prediction: what may be replaced there."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from prediction_records import make_record
from segloop.artifacts.prediction.provenance import Provenance
from segloop.core.errors import ImageError
from segloop.prediction.record import Place


def record(*names: str) -> Provenance:
    return make_record(dict.fromkeys(names, "labels"))


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("field", ["pending", "outputs"])
def test_a_strangers_record_never_deletes_what_lies_elsewhere(
    tmp_path: Path, field: str, relative: bool
) -> None:
    precious = tmp_path / "precious" / "data.txt"
    precious.parent.mkdir()
    precious.touch()
    name = "../precious" if relative else precious.parent.as_posix()
    out = tmp_path / "out"
    out.mkdir()
    before = json.loads(record("a.tif").model_dump_json())
    before |= (
        {"pending": [name]} if field == "pending" else {"outputs": [before["outputs"][0] | {"path": name}]}
    )
    (out / "a.json").write_text(json.dumps(before))
    place = Place(out, "a")
    with suppress(ImageError), place.reserve(record(), [out / "a.tif"]):
        place.complete(record("a.tif"))
    assert precious.exists()
    with pytest.raises(ImageError, match=r"a\.json is already there and is no prediction"):
        place.complete(record("a.tif"))


def test_outputs_that_the_new_prediction_lacks_are_deleted(tmp_path: Path) -> None:
    (tmp_path / "a.mask.tif").touch()
    record("a.mask.tif").write(tmp_path / "a.json")
    Place(tmp_path, "a").complete(record("a.tif"))
    assert not (tmp_path / "a.mask.tif").exists()
