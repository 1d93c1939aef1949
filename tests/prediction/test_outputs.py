"""Writers: types, growth, scratch files, and what is left when something fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.core.commit import Commit
from segloop.core.errors import ImageError
from segloop.images.read import open_image
from segloop.prediction import outputs
from segloop.prediction.outputs import OutputSpec, allocate, narrow_labels, open_writers
from segloop.targets.output import LABELS, PROBABILITY

WHOLE = (slice(None),) * 3


def _spec(path: Path, shape: tuple[int, int, int, int, int] = (2, 1, 1, 4, 5)) -> OutputSpec:
    return OutputSpec(LABELS, path, shape, np.dtype(np.uint16), (None, None, None))


def _commit(spec: OutputSpec) -> Commit:
    return Commit(spec.path.parent, "a", lambda name: name == spec.path.name)


def _write(spec: OutputSpec, planes: list[np.ndarray]) -> np.dtype:
    commit = _commit(spec)
    try:
        (writer,) = open_writers([spec], commit)
        for t, plane in enumerate(planes):
            writer.write(t, WHOLE, plane[None, None])
        dtype = writer.finish()
        commit.commit()
    finally:
        commit.discard()
    return dtype


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
@pytest.mark.parametrize(("largest", "dtype"), [(65535, np.uint16), (65536, np.uint32)])
def test_labels_are_as_wide_as_they_need_to_be(tmp_path: Path, name: str, largest: int, dtype: type) -> None:
    first = np.arange(20, dtype=np.uint32).reshape(4, 5)
    second = first.copy()
    second[0, 0] = largest
    assert _write(_spec(tmp_path / name), [first, second]) == dtype
    stored = open_image(tmp_path / name)
    assert stored.dtype == dtype
    assert np.array_equal(stored.data.compute()[:, 0, 0], np.stack([first, second]))
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
def test_failure_puts_back_what_was_there(tmp_path: Path, name: str) -> None:
    plane = np.ones((4, 5), np.uint32)
    _write(_spec(tmp_path / name), [plane, plane])
    with pytest.raises(IndexError):
        _write(_spec(tmp_path / name), [plane * 2, plane * 2, plane])
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert open_image(tmp_path / name).data.compute().max() == 1


def test_axes_of_length_one_are_dropped_but_y_and_x(tmp_path: Path) -> None:
    assert _spec(tmp_path / "a.tif", (1, 1, 1, 1, 1)).axes == "YX"
    assert _spec(tmp_path / "a.tif", (3, 2, 4, 5, 6)).axes == "TCZYX"


def test_a_block_lands_where_it_belongs(tmp_path: Path) -> None:
    spec = OutputSpec(
        PROBABILITY,
        tmp_path / "a.tif",
        (2, 3, 4, 5, 6),
        np.dtype(np.uint8),
        (None, None, None),
        ("x", "y", "z"),
    )
    commit = _commit(spec)
    (writer,) = open_writers([spec], commit)
    writer.write(1, (slice(1, 3), slice(2, 4), slice(3, 6)), np.full((3, 2, 2, 3), 7, np.uint8))
    writer.finish()
    commit.commit()
    expected = np.zeros((2, 3, 4, 5, 6), np.uint8)
    expected[1, :, 1:3, 2:4, 3:6] = 7
    assert np.array_equal(open_image(tmp_path / "a.tif").data.compute(), expected)


def test_large_buffers_live_in_a_file_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MEMORY_LIMIT", 10)
    array = allocate((4, 5), np.uint32, tmp_path)
    assert isinstance(array, np.memmap)
    assert not array.any()
    array[...] = 9
    assert narrow_labels(array, tmp_path).dtype == np.uint16
    assert (narrow_labels(array, tmp_path) == 9).all()
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_file_that_does_not_fit_on_the_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "MEMORY_LIMIT", 10)
    with pytest.raises(ImageError, match="can't be written"):
        allocate((1 << 30, 1 << 30), np.uint8, tmp_path)


def test_what_is_being_written_is_hidden(tmp_path: Path) -> None:
    commit = _commit(_spec(tmp_path / "a.tif"))
    (writer,) = open_writers([_spec(tmp_path / "a.tif")], commit)
    writer.write(0, WHOLE, np.ones((1, 1, 4, 5), np.uint32))
    writer.finish()
    assert list(tmp_path.glob("*.tif")) == []
    commit.commit()
    assert tifffile.imread(tmp_path / "a.tif").shape == (2, 4, 5)
