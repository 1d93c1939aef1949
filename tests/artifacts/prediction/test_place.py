"""The place of a prediction: what may be replaced there, and by whom."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from prediction_records import make_record
from segloop.artifacts.prediction.place import Place, find_predictions
from segloop.artifacts.prediction.provenance import Provenance
from segloop.core.commit import hidden_folder, hidden_name
from segloop.core.errors import ImageError
from segloop.core.lock import FileLock


def record(*names: str) -> Provenance:
    return make_record(dict.fromkeys(names, "labels"))


def write(place: Place, *names: str) -> None:
    """Write a prediction with these outputs, as a prediction does."""
    with place.writing([place.folder / name for name in names]) as commit:
        for name in names:
            commit.stage(name).write_text("new")
        final = record(*names)
        final.write(commit.stage(place.path.name))
        for name in place.earlier_names() - final.names():
            commit.delete(name)
        commit.commit()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("field", ["pending", "outputs"])
@pytest.mark.parametrize("name", ["../precious", "ABSOLUTE", "precious", "a.txt", "b.tif", "aa.tif"])
def test_a_strangers_record_never_deletes_what_a_prediction_of_its_name_does_not_write(
    tmp_path: Path, field: str, name: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    target = tmp_path / "precious" if name == "ABSOLUTE" else out / name
    target.mkdir()
    (target / "data.txt").touch()
    name = target.as_posix() if name == "ABSOLUTE" else name
    before = json.loads(record("a.tif").model_dump_json())
    before |= (
        {"pending": [name]} if field == "pending" else {"outputs": [before["outputs"][0] | {"path": name}]}
    )
    (out / "a.json").write_text(json.dumps(before))

    with suppress(ImageError):
        write(Place(out, "a"), "a.mask.tif")

    assert (target / "data.txt").exists()


def test_outputs_that_the_new_prediction_lacks_are_deleted(tmp_path: Path) -> None:
    write(Place(tmp_path, "a"), "a.labels.tif", "a.mask.tif")

    write(Place(tmp_path, "a"), "a.tif")

    assert files(tmp_path) == ["a.json", "a.tif"]


def test_a_file_of_the_users_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("precious")

    with pytest.raises(ImageError, match=r"a\.tif is already there and does not belong to a prediction"):
        write(Place(tmp_path, "a"), "a.tif")

    assert files(tmp_path) == ["a.tif"]


def test_two_at_once_are_told_of_each_other(tmp_path: Path) -> None:
    write(Place(tmp_path, "a"), "a.tif")

    with (
        Place(tmp_path, "a").writing([tmp_path / "a.tif"]),
        pytest.raises(ImageError, match=r"The prediction .*a\.json is in use by process"),
    ):
        write(Place(tmp_path, "a"), "a.tif")

    write(Place(tmp_path, "b"), "b.tif")
    assert files(tmp_path) == ["a.json", "a.tif", "b.json", "b.tif"]


def test_a_name_may_be_as_long_as_a_file_name_can_be(tmp_path: Path) -> None:
    name = "n" * (255 - len(".json"))

    write(Place(tmp_path, name), f"{name}.tif")

    assert [found.stem for found in find_predictions(tmp_path)] == [name]


def test_looking_finishes_what_a_dead_writer_left_and_a_new_writer_waits_for_it(tmp_path: Path) -> None:
    write(Place(tmp_path, "a"), "a.tif")
    hidden = hidden_folder(tmp_path, "a")
    hidden.mkdir()
    (hidden / "a.tif").write_text("half")

    assert [found.stem for found in find_predictions(tmp_path)] == ["a"]

    assert not hidden.exists()
    looking = FileLock(tmp_path / hidden_name("a", "lock"), "The prediction", ImageError)
    looking.acquire()
    threading.Timer(0.3, looking.release).start()
    write(Place(tmp_path, "a"), "a.labels.tif")
    assert files(tmp_path) == ["a.json", "a.labels.tif"]
