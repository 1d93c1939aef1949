"""The place of a prediction: what may be replaced there."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from segloop.artifacts.prediction import ModelUsed, OutputFile, Provenance, ThresholdValues
from segloop.core.errors import ImageError
from segloop.prediction.record import Place


def record(*names: str) -> Provenance:
    thresholds = ThresholdValues(foreground=0.5, min_size=10, splitting=0.1)
    return Provenance(
        image="a.tif",
        input=None,
        model=ModelUsed(
            name="nuclei",
            path="/models/nuclei",
            weights_sha256="00",
            target="instance",
            classes=2,
            dimensions=2,
            pixel_size_um=(None, 0.5, 0.5),
            thresholds=thresholds,
        ),
        channels=["DAPI"],
        pixel_size_um=(None, 0.5, 0.5),
        config={},
        thresholds=thresholds,
        device="cpu",
        outputs=[
            OutputFile(kind="labels", path=name, axes="YX", shape=[4, 5], dtype="uint8") for name in names
        ],
        created="2026-01-01T00:00:00+00:00",
        segloop_version="0.1.0",
        packages={},
    )


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
