"""Bad input gives one plain sentence; files are found and sorted as people expect."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from segloop.core.errors import ImageError
from segloop.images.listing import image_files
from segloop.images.read import open_image, scene_names
from segloop.images.write import create_zarr, write_image

ALL = slice(None)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 60000, shape).astype(np.uint16)


def one_sentence(error: pytest.ExceptionInfo[ImageError], path: Path) -> bool:
    text = str(error.value)
    return str(path) in text and "\n" not in text and text.endswith(".")


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.ome.zarr"])
def test_missing_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError, match="does not exist") as error:
        open_image(tmp_path / name)
    assert one_sentence(error, tmp_path / name)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.czi"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ImageError, match="empty") as error:
        open_image(tmp_path / name)
    assert one_sentence(error, tmp_path / name)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("a.tif", "again"), ("a.png", "again"), ("a.jpg", "again"), ("a.xyz", "not that of an image")],
)
def test_file_that_is_no_image(tmp_path: Path, name: str, remedy: str) -> None:
    (tmp_path / name).write_text("These are notes, not pixels.")
    with pytest.raises(ImageError, match=remedy) as error:
        open_image(tmp_path / name)
    assert one_sentence(error, tmp_path / name)


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is a folder, not an image") as error:
        open_image(tmp_path)
    assert one_sentence(error, tmp_path)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (64, 64)}, {"imagej": True}])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.99])
def test_tiff_cut_short(
    tmp_path: Path, options: dict[str, object], kept: float, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise(6, 200, 200), photometric="minisblack", **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with caplog.at_level(logging.DEBUG), pytest.raises(ImageError, match="damaged or cut short") as error:
        open_image(path)
    assert one_sentence(error, path)
    assert caplog.text == ""


def test_png_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    iio.imwrite(path, noise(200, 200))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ImageError) as error:
        open_image(path).block(0, [0], ALL, ALL, ALL)
    assert one_sentence(error, path)


def test_file_replaced_by_rubbish_after_opening(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise(20, 20))
    image = open_image(path)
    path.write_bytes(b"rubbish")
    with pytest.raises(ImageError, match=r"a\.tif"):
        image.block(0, [0], ALL, ALL, ALL)


@pytest.mark.parametrize("scene", ["elsewhere", 3, -1])
def test_missing_scene_lists_those_there_are(tmp_path: Path, scene: str | int) -> None:
    write_image(tmp_path / "a.tif", noise(8, 8), axes="YX")
    with pytest.raises(ImageError, match=r"no scene .*0: a") as error:
        open_image(tmp_path / "a.tif", scene)
    assert one_sentence(error, tmp_path / "a.tif")


def test_zarr_without_ome_metadata(tmp_path: Path) -> None:
    import zarr

    zarr.create_array(store=str(tmp_path / "a.zarr"), shape=(8, 8), dtype="u1")
    with pytest.raises(ImageError, match="is not an OME-Zarr image") as error:
        open_image(tmp_path / "a.zarr")
    assert one_sentence(error, tmp_path / "a.zarr")


def test_zarr_that_lost_its_array(tmp_path: Path) -> None:
    create_zarr(tmp_path / "a.zarr", (8, 8), "u1", axes="YX")
    shutil.rmtree(tmp_path / "a.zarr" / "0")
    with pytest.raises(ImageError, match="incomplete") as error:
        open_image(tmp_path / "a.zarr")
    assert one_sentence(error, tmp_path / "a.zarr")


def test_zarr_with_damaged_metadata(tmp_path: Path) -> None:
    create_zarr(tmp_path / "a.zarr", (8, 8), "u1", axes="YX")
    (tmp_path / "a.zarr" / "zarr.json").write_text("{")
    with pytest.raises(ImageError, match="damaged") as error:
        scene_names(tmp_path / "a.zarr")
    assert one_sentence(error, tmp_path / "a.zarr")


def test_files_are_sorted_as_people_count(tmp_path: Path) -> None:
    touch(tmp_path, "a10.tif", "a9.tif", "A2.tif", "b/1.png", "a1.tif")
    names = [file.relative_to(tmp_path).as_posix() for file in image_files(tmp_path)]
    assert names == ["a1.tif", "A2.tif", "a9.tif", "a10.tif", "b/1.png"]


def test_only_visible_images_count(tmp_path: Path) -> None:
    touch(tmp_path, "a.tif", "notes.txt", ".b.tif", "._a.tif", ".hidden/c.tif", "d.CZI")
    assert [file.name for file in image_files(tmp_path)] == ["a.tif", "d.CZI"]


def test_a_zarr_folder_is_one_image(tmp_path: Path) -> None:
    touch(tmp_path, "sub/a.ome.zarr/0/thumbnail.png", "b.tif")
    expected = ["b.tif", "a.ome.zarr"]
    assert [file.name for file in image_files(tmp_path)] == expected
    assert [file.name for file in image_files(str(tmp_path / "**" / "*"))] == expected


def test_globs_may_span_subfolders(tmp_path: Path) -> None:
    touch(tmp_path, "x/raw/2.tif", "y/raw/1.tif", "x/seg/2.tif")
    found = image_files(str(tmp_path / "*" / "raw" / "*.tif"))
    assert found == [tmp_path / "x/raw/2.tif", tmp_path / "y/raw/1.tif"]


@pytest.mark.parametrize(
    ("pattern", "remedy"), [("raw/**.tif", "raw/**/*.tif"), ("raw/a**.tif", "raw/**/a*.tif")]
)
def test_a_glob_with_stars_beside_a_name_says_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, remedy: str
) -> None:
    touch(tmp_path, "raw/a.tif")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImageError) as error:
        image_files(pattern)
    assert str(error.value) == f"The ** in {pattern} stands for folders and must stand alone: write {remedy}."


def test_digits_that_are_no_numbers_are_sorted_as_letters(tmp_path: Path) -> None:
    touch(tmp_path, "1²2.tif", "1²10.tif", "1①.tif")
    assert [file.name for file in image_files(tmp_path)][:2] == ["1²2.tif", "1²10.tif"]


def test_one_image_is_a_list_of_one(tmp_path: Path) -> None:
    touch(tmp_path, "a[1].tif")
    assert image_files(tmp_path / "a[1].tif") == [tmp_path / "a[1].tif"]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("full", "holds no images"),
        ("gone", "does not exist"),
        ("*.tif", "No image matches"),
        ("full/a.txt", "suffix"),
    ],
)
def test_no_images_found(tmp_path: Path, source: str, sentence: str) -> None:
    touch(tmp_path, "full/a.txt")
    with pytest.raises(ImageError, match=sentence) as error:
        image_files(tmp_path / source)
    assert one_sentence(error, tmp_path / source)


@pytest.mark.skipif(os.name == "nt", reason="links to folders need rights on Windows")
def test_linked_folders_are_searched_too_and_a_loop_ends(tmp_path: Path) -> None:
    for folder in ("study", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "elsewhere" / "a.tif").touch()
    (tmp_path / "study" / "plate").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "study")
    (tmp_path / "elsewhere" / "self").symlink_to(tmp_path / "elsewhere")

    assert image_files(tmp_path / "study") == [tmp_path / "study" / "plate" / "a.tif"]
