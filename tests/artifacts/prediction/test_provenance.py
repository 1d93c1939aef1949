"""Records of predictions, and finding them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from prediction_records import make_record
from segloop.artifacts.prediction.place import find_predictions
from segloop.artifacts.prediction.provenance import (
    Provenance,
)
from segloop.core.errors import ImageError


def _record(*outputs: str, pending: tuple[str, ...] = ()) -> Provenance:
    return make_record({f"a.{kind}.tif": kind for kind in outputs}, pending)


def test_a_record_reads_back_as_written(tmp_path: Path) -> None:
    record = _record("labels", "probability")
    record.write(tmp_path / "a.json")
    assert Provenance.read(tmp_path / "a.json") == record


def test_a_record_names_its_format_and_version(tmp_path: Path) -> None:
    _record("labels").write(tmp_path / "a.json")
    saved = json.loads((tmp_path / "a.json").read_text())
    assert (saved["format"], saved["version"]) == ("segloop-prediction", 4)


def test_a_record_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    _record("labels").model_copy(update={"version": 5}).write(tmp_path / "a.json")
    with pytest.raises(ImageError, match=r"a\.json was written by a newer Segloop"):
        Provenance.read(tmp_path / "a.json")


def test_a_record_of_version_1_is_upgraded() -> None:
    record = Provenance.read(Path(__file__).parent / "prediction_v1.json")

    assert (record.version, record.model.target, record.model.options) == (4, "semantic", {"classes": 3})
    assert record.parameters == {"foreground": 0.4, "min_size": 0}
    assert record.model.build_target().dims == 2
    assert [output.kind for output in record.outputs] == ["classes", "probability"]


def test_a_record_of_version_2_was_not_resampled() -> None:
    record = Provenance.read(Path(__file__).parent / "prediction_v2.json")

    assert (record.version, record.scale, record.diameter) == (4, 1.0, None)


def test_a_record_of_version_3_was_not_inverted() -> None:
    record = Provenance.read(Path(__file__).parent / "prediction_v3.json")

    assert (record.version, record.inverted) == (4, [])
    assert record.diameter is not None


@pytest.mark.parametrize("text", ["", "{", '{"some": "other"}', "[]"])
def test_other_json_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ImageError, match=r"a\.json is not a readable record"):
        Provenance.read(tmp_path / "a.json")


@pytest.mark.parametrize(
    "name", ["/home/me", "../other", "sub/a.tif", "..", ".", "", "a\0.tif", "...", ". .", "sub/../../x"]
)
@pytest.mark.parametrize("field", ["pending", "outputs"])
def test_a_record_that_names_files_elsewhere_is_refused(tmp_path: Path, name: str, field: str) -> None:
    record = json.loads(_record("labels", pending=("a.mask.tif",)).model_dump_json())
    if field == "pending":
        record["pending"] = [name]
    else:
        record["outputs"][0]["path"] = name
    (tmp_path / "a.json").write_text(json.dumps(record))
    with pytest.raises(ImageError, match=r"a\.json is not a readable record"):
        Provenance.read(tmp_path / "a.json")


@pytest.mark.skipif(os.name != "nt", reason="ordinary characters of a name elsewhere")
@pytest.mark.parametrize("name", ["C:\\data", "C:data", "..\\other", "a.tif:stream"])
def test_a_record_that_leaves_its_folder_the_windows_way_is_refused(tmp_path: Path, name: str) -> None:
    record = json.loads(_record("labels").model_dump_json())
    (tmp_path / "a.json").write_text(json.dumps(record | {"pending": [name]}))
    with pytest.raises(ImageError, match=r"a\.json is not a readable record"):
        Provenance.read(tmp_path / "a.json")


def test_predictions_are_found_in_subfolders_by_their_records(tmp_path: Path) -> None:
    (tmp_path / "day1").mkdir()
    _record("labels").write(tmp_path / "b.json")
    _record("probability").write(tmp_path / "day1" / "a.json")
    (tmp_path / "metrics.json").write_text("{}")
    found = find_predictions(tmp_path)
    assert [(item.stem, item.outputs()) for item in found] == [
        ("b", {"labels": tmp_path / "a.labels.tif"}),
        ("a", {"probability": tmp_path / "day1" / "a.probability.tif"}),
    ]


def test_what_a_kill_left_unfinished_is_not_found(tmp_path: Path) -> None:
    _record(pending=("a.labels.tif",)).write(tmp_path / "a.json")
    assert find_predictions(tmp_path) == []


def test_job_folders_and_zarr_stores_are_not_searched(tmp_path: Path) -> None:
    for name in (".segloop", "x.ome.zarr"):
        (tmp_path / name).mkdir()
        _record("labels").write(tmp_path / name / "a.json")
    assert find_predictions(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"There is no folder .*nowhere"):
        find_predictions(tmp_path / "nowhere")


def test_names_are_those_of_outputs_and_of_what_is_pending() -> None:
    assert _record("labels", pending=("a.mask.tif",)).names() == {"a.labels.tif", "a.mask.tif"}
