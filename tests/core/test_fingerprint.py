from __future__ import annotations

import os
from pathlib import Path

import pytest

from segloop.core import fingerprint as module
from segloop.core.fingerprint import fingerprint, quick_identity


def test_a_fingerprint_follows_the_content_not_the_name(tmp_path: Path) -> None:
    for name, content in {"a": b"same", "b": b"same", "c": b"Same"}.items():
        (tmp_path / name).write_bytes(content)
    a, b, c = (fingerprint(tmp_path / name) for name in "abc")
    assert a.sha256 == b.sha256 != c.sha256
    assert (a.path, a.size, a.sampled) == (str(tmp_path / "a"), 4, False)


def test_a_folder_has_a_fingerprint_over_all_its_files(tmp_path: Path) -> None:
    for name in ("x.zarr", "y.zarr", "z.zarr"):
        (tmp_path / name / "c").mkdir(parents=True)
        (tmp_path / name / "zarr.json").write_text("{}")
        (tmp_path / name / "c" / "0").write_bytes(b"1" if name != "z.zarr" else b"2")
    x, y, z = (fingerprint(tmp_path / f"{name}.zarr") for name in "xyz")
    assert x.size == 3
    assert x.sha256 == y.sha256 != z.sha256


def test_large_files_are_sampled_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SAMPLE_ABOVE", 1000)
    monkeypatch.setattr(module, "_SAMPLE_SIZE", 10)
    content = bytearray(5000)
    (tmp_path / "a").write_bytes(content)
    before = fingerprint(tmp_path / "a")
    content[-1] = 1
    (tmp_path / "a").write_bytes(content)
    after = fingerprint(tmp_path / "a")
    assert before.sampled
    assert before.sha256 != after.sha256


def test_a_quick_identity_changes_with_the_content_of_the_same_size(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"one")
    os.utime(path, (1, 1))
    before = quick_identity(path)

    path.write_bytes(b"two")
    os.utime(path, (1, 1))

    assert quick_identity(path) != before


def test_a_file_of_zarr_chunks_is_known_by_all_its_files(tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    (store / "c").mkdir(parents=True)
    (store / "zarr.json").write_text("{}")
    (store / "c" / "0").write_bytes(b"1234")
    before = quick_identity(store)

    (store / "c" / "0").write_bytes(b"5678")
    os.utime(store / "c" / "0", ns=(1, 1))

    assert quick_identity(store) != before
