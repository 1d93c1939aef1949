from __future__ import annotations

import time
from pathlib import Path

import pytest

from segloop.core.errors import ImageError, PairingError
from segloop.images.pairing import Pair, pair_by_stem, stem_of


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.tif", "a"),
        ("a.ome.tif", "a"),
        ("a.OME.TIFF", "a"),
        ("a.ome.zarr", "a"),
        ("a.zarr", "a"),
        ("plate.1.well.2.png", "plate.1.well.2"),
        ("a.b", "a.b"),
        ("x/y/a.czi", "a"),
    ],
)
def test_stems(name: str, stem: str) -> None:
    assert stem_of(name) == stem


def test_pairs_go_by_stem_whatever_the_suffix_and_order(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a10.ome.tif", "raw/a9.png", "seg/a9.tif", "seg/a10.zarr/x")
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert pairing.problems == ()
    assert pairing.pairs == (
        Pair("a9", tmp_path / "raw/a9.png", tmp_path / "seg/a9.tif"),
        Pair("a10", tmp_path / "raw/a10.ome.tif", tmp_path / "seg/a10.zarr"),
    )


def test_equal_numbers_of_unequal_names_are_never_paired_by_order(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a1.tif", "raw/a2.tif", "seg/a2.tif", "seg/a3.tif")
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert [pair.stem for pair in pairing.pairs] == ["a2"]
    assert len(pairing.problems) == 2
    assert str(tmp_path / "raw/a1.tif") in pairing.problems[0]
    assert str(tmp_path / "seg/a3.tif") in pairing.problems[1]


def test_subfolders_keep_equal_stems_apart(tmp_path: Path) -> None:
    touch(tmp_path, "raw/p1/a.tif", "raw/p2/a.tif", "seg/p1/a.tif", "seg/p2/a.tif")
    pairs = pair_by_stem(tmp_path / "raw", tmp_path / "seg").pairs
    assert [(pair.stem, pair.seg) for pair in pairs] == [
        ("p1/a", tmp_path / "seg/p1/a.tif"),
        ("p2/a", tmp_path / "seg/p2/a.tif"),
    ]


def test_globs_count_subfolders_from_their_first_wildcard(tmp_path: Path) -> None:
    touch(tmp_path, "raw/p1/a.tif", "seg/p1/a.tif")
    pairing = pair_by_stem(str(tmp_path / "raw" / "**" / "*.tif"), str(tmp_path / "seg" / "*" / "a.tif"))
    assert [pair.stem for pair in pairing.pairs] == ["p1/a"]


def test_lists_and_single_files(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a.tif", "raw/b.tif", "seg/a.tif", "seg/b.tif")
    raw = [tmp_path / "raw/b.tif", tmp_path / "raw/a.tif"]
    assert [pair.stem for pair in pair_by_stem(raw, tmp_path / "seg").pairs] == ["a", "b"]
    assert [pair.stem for pair in pair_by_stem(tmp_path / "raw/a.tif", tmp_path / "seg/a.tif").pairs] == ["a"]


def test_a_list_of_relative_paths_keeps_its_subfolders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["p1/a.tif", "p2/a.tif"]
    touch(tmp_path, *(f"{side}/{name}" for side in ("raw", "seg") for name in names))
    monkeypatch.chdir(tmp_path / "raw")
    pairing = pair_by_stem(names, [f"../seg/{name}" for name in names])
    assert pairing.problems == ()
    assert [(pair.stem, pair.raw.as_posix()) for pair in pairing.pairs] == [
        ("p1/a", "p1/a.tif"),
        ("p2/a", "p2/a.tif"),
    ]


def test_a_list_over_several_drives_goes_by_file_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_on_windows(_: object) -> str:
        raise ValueError("Paths don't have the same drive")

    touch(tmp_path, "c/raw/a.tif", "d/raw/b.tif", "seg/a.tif", "seg/b.tif")
    monkeypatch.setattr("os.path.commonpath", as_on_windows)
    pairing = pair_by_stem([tmp_path / "c/raw/a.tif", tmp_path / "d/raw/b.tif"], tmp_path / "seg")
    assert [pair.stem for pair in pairing.pairs] == ["a", "b"]


def test_ambiguous_stem_is_reported_and_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a.tif", "raw/a.png", "raw/b.tif", "seg/a.tif", "seg/b.tif")
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert [pair.stem for pair in pairing.pairs] == ["b"]
    assert len(pairing.problems) == 1
    assert "2 raw images are named a" in pairing.problems[0]
    assert str(tmp_path / "raw/a.png") in pairing.problems[0]


def test_second_segmentation_is_optional_image_by_image(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a.tif", "raw/b.tif", "seg/a.tif", "seg/b.tif", "seg2/b.tif", "seg2/c.tif")
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg", {"other": tmp_path / "seg2"})
    assert [pair.others for pair in pairing.pairs] == [{}, {"other": tmp_path / "seg2/b.tif"}]
    assert len(pairing.problems) == 2
    assert "raw/a.tif" in pairing.problems[0].replace("\\", "/")
    assert "used without the segmentation other" in pairing.problems[0]
    assert "seg2/c.tif" in pairing.problems[1].replace("\\", "/")


@pytest.mark.parametrize(
    ("raw", "seg"),
    [
        ("cell1", "cell001"),
        ("cell1", "cell1_mask"),
        ("Cell1", "cell1"),
        ("cell1", "sub/cell1"),
        ("nuclei_01", "nuclei-01"),
    ],
)
def test_near_match_is_hinted_at_but_not_paired(tmp_path: Path, raw: str, seg: str) -> None:
    touch(tmp_path, f"raw/{raw}.tif", "raw/x.tif", f"seg/{seg}.tif", "seg/x.tif")
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert [pair.stem for pair in pairing.pairs] == ["x"]
    assert f"the nearest is {tmp_path / 'seg' / seg}.tif" in pairing.problems[0]


@pytest.mark.parametrize(("raw", "seg"), [("cell{}", "cell{}_mask"), ("cell{}_c1", "cell{}_c2")])
def test_thousands_of_files_without_a_partner_are_told_of_in_seconds(
    tmp_path: Path, raw: str, seg: str
) -> None:
    for folder, name in (("raw", raw), ("seg", seg)):
        (tmp_path / folder).mkdir()
        for number in range(1000):
            (tmp_path / folder / f"{name.format(number)}.tif").touch()
    started = time.monotonic()
    with pytest.raises(PairingError, match=f"the nearest is .*{seg.format(0)}.tif"):
        pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert time.monotonic() - started < 8


def test_no_pair_at_all(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a.tif", "seg/b.tif")
    with pytest.raises(PairingError, match=r"None of the 1 raw images .* rename them") as error:
        pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert str(tmp_path / "raw") in str(error.value)


def test_same_folder_for_both(tmp_path: Path) -> None:
    touch(tmp_path, "a.tif", "b.tif")
    with pytest.raises(PairingError, match="choose different folders"):
        pair_by_stem(tmp_path, tmp_path)


def test_empty_folder(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a.tif")
    (tmp_path / "seg").mkdir()
    with pytest.raises(ImageError, match="holds no images"):
        pair_by_stem(tmp_path / "raw", tmp_path / "seg")


def test_bundled_sample_pairs_completely(sample_nuclei: Path) -> None:
    pairing = pair_by_stem(sample_nuclei / "raw", sample_nuclei / "seg")
    assert len(pairing.pairs) == 29
    assert pairing.problems == ()
