from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.core.errors import ImageError
from segloop.images.labels import read_labels
from segloop.images.read import open_image
from segloop.images.write import complete_zarr, create_zarr, write_image

ALL = slice(None)
SHAPES = {
    "YX": (30, 40),
    "ZYX": (5, 30, 40),
    "CYX": (3, 30, 40),
    "CZYX": (3, 5, 30, 40),
    "TCZYX": (2, 3, 5, 30, 40),
}


def noise(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    values = np.random.default_rng(1).integers(0, 120, shape)
    return values.astype(dtype)


def read_tczyx(path: Path) -> np.ndarray:
    return np.asarray(open_image(path).data.compute())


def as_tczyx(array: np.ndarray, axes: str) -> np.ndarray:
    return array[tuple(ALL if axis in axes else None for axis in "TCZYX")]


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".ome.zarr"])
@pytest.mark.parametrize("axes", list(SHAPES))
def test_axes_survive(tmp_path: Path, suffix: str, axes: str) -> None:
    array = noise(SHAPES[axes], "uint16")
    path = write_image(tmp_path / f"a{suffix}", array, axes=axes)
    assert np.array_equal(read_tczyx(path), as_tczyx(array, axes))


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]
)
def test_dtype_pixel_size_and_names_survive(tmp_path: Path, suffix: str, dtype: str) -> None:
    array = noise(SHAPES["CZYX"], dtype)
    size, names = (0.5, 0.1083, 0.1084), ("nuclei", "µ-tubes & <co>", "actin")
    path = write_image(tmp_path / f"a{suffix}", array, axes="CZYX", channel_names=names, pixel_size_um=size)
    image = open_image(path)
    assert image.dtype == dtype
    assert np.array_equal(image.block(0, range(3), ALL, ALL, ALL), array)
    assert image.channel_names == names
    assert image.pixel_size_um == pytest.approx(size)


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_labels_of_32_bits_survive(tmp_path: Path, suffix: str) -> None:
    labels = np.zeros((4, 30, 40), np.uint32)
    labels[2, 3:9, 3:9] = 4_000_000_000
    write_image(tmp_path / f"a{suffix}", labels, axes="ZYX", pixel_size_um=(2.0, None, 0.3))
    assert np.array_equal(read_labels(tmp_path / f"a{suffix}"), labels)
    assert open_image(tmp_path / f"a{suffix}").pixel_size_um == (2.0, None, 0.3)


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_unknown_pixel_size_stays_unknown(tmp_path: Path, suffix: str) -> None:
    path = write_image(tmp_path / f"a{suffix}", noise((5, 8, 8), "uint8"), axes="ZYX")
    assert open_image(path).pixel_size_um == (None, None, None)


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_name_of_a_single_channel_survives(tmp_path: Path, suffix: str) -> None:
    path = write_image(tmp_path / f"a{suffix}", noise((8, 8), "uint8"), axes="YX", channel_names=["DAPI"])
    assert open_image(path).channel_names == ("DAPI",)


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_axes_in_another_order_are_put_in_order(tmp_path: Path, suffix: str) -> None:
    array = noise((30, 40, 3), "uint8")
    path = write_image(tmp_path / f"a{suffix}", array, axes="YXC")
    assert np.array_equal(read_tczyx(path)[0, :, 0], np.moveaxis(array, -1, 0))


def test_three_planes_are_not_taken_for_colours(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.tif", noise((3, 30, 40), "uint8"), axes="ZYX")
    assert open_image(path).shape == (1, 1, 3, 30, 40)


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_bool_is_stored_as_0_and_1(tmp_path: Path, suffix: str) -> None:
    path = write_image(tmp_path / f"a{suffix}", np.eye(9, dtype=bool), axes="YX")
    assert np.array_equal(read_labels(path)[0], np.eye(9, dtype=np.uint8))


@pytest.mark.parametrize(("lowest", "dtype"), [(0, "uint32"), (-1, "int32")])
def test_64_bit_integers_go_into_32_bits_of_a_tiff(tmp_path: Path, lowest: int, dtype: str) -> None:
    array = np.array([[lowest, 2_000_000_000]] * 2, np.int64)
    image = open_image(write_image(tmp_path / "a.tif", array, axes="YX"))
    assert image.dtype == dtype
    assert np.array_equal(image.data[0, 0, 0].compute(), array)


def test_values_that_a_tiff_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"a\.tif can't hold values up to 4294967296 .*\.zarr"):
        write_image(tmp_path / "a.tif", np.array([[0, 2**32]]), axes="YX")
    assert list(tmp_path.iterdir()) == []


def test_large_tiffs_are_tiled_and_compressed(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.tif", np.zeros((1500, 1400), np.uint16), axes="YX")
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_ome
        assert tiff.pages.first.is_tiled
    assert path.stat().st_size < 100_000


@pytest.mark.slow
def test_more_than_4_gb_becomes_a_bigtiff(tmp_path: Path) -> None:
    planes = np.broadcast_to(np.zeros((1, 1, 1), np.uint8), (257, 4096, 4096))
    path = write_image(tmp_path / "a.tif", planes, axes="ZYX")
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff
    assert open_image(path).shape == (1, 1, 257, 4096, 4096)


def test_ome_tiff_reads_alike_through_bioio(tmp_path: Path) -> None:
    import warnings

    array = noise(SHAPES["CZYX"], "uint16")
    path = write_image(
        tmp_path / "a.ome.tif", array, axes="CZYX", channel_names="abc", pixel_size_um=(2.0, 0.5, 0.5)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from bioio import BioImage

        reference = BioImage(path)
        assert np.array_equal(reference.data[0], array)
        assert tuple(reference.physical_pixel_sizes) == (2.0, 0.5, 0.5)
        assert [str(name) for name in reference.channel_names] == ["a", "b", "c"]


def test_existing_image_is_replaced_and_nothing_left_beside_it(tmp_path: Path) -> None:
    for value in (1, 2):
        write_image(tmp_path / "a.tif", np.full((8, 8), value, np.uint8), axes="YX")
        write_image(tmp_path / "a.zarr", np.full((8, 8), value, np.uint8), axes="YX")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.tif", "a.zarr"]
    assert read_tczyx(tmp_path / "a.tif").max() == read_tczyx(tmp_path / "a.zarr").max() == 2


def test_missing_folders_are_made(tmp_path: Path) -> None:
    assert write_image(tmp_path / "x" / "y" / "a.tif", noise((8, 8), "uint8"), axes="YX").is_file()


def test_zarr_is_filled_block_by_block(tmp_path: Path) -> None:
    array = noise((2, 5, 100, 120), "uint16")
    stored = create_zarr(
        tmp_path / "a.zarr",
        array.shape,
        array.dtype,
        axes="CZYX",
        chunks=(1, 5, 64, 64),
        channel_names=["a", "b"],
        pixel_size_um=(2.0, 0.5, 0.5),
    )
    for y in (slice(0, 64), slice(64, 100)):
        for x in (slice(0, 64), slice(64, 120)):
            stored[:, :, y, x] = array[:, :, y, x]
    image = open_image(tmp_path / "a.zarr")
    assert stored.chunks == (1, 5, 64, 64)
    assert np.array_equal(image.block(0, [0, 1], ALL, ALL, ALL), array)
    assert image.channel_names == ("a", "b")
    assert image.pixel_size_um == (2.0, 0.5, 0.5)


def test_zarr_reads_as_0_where_not_filled_yet(tmp_path: Path) -> None:
    create_zarr(tmp_path / "a.zarr", (5, 700, 700), "uint8", axes="ZYX")
    assert open_image(tmp_path / "a.zarr").data.max().compute() == 0


def test_zarr_is_not_created_over_something(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(ImageError, match=r"a\.zarr already exists"):
        create_zarr(tmp_path / "a.zarr", (8, 8), "uint8", axes="YX")


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_a_folder_with_something_else_is_never_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("precious")
    with pytest.raises(ImageError, match="choose another name"):
        write_image(tmp_path / name, noise((8, 8), "uint8"), axes="YX")
    assert (tmp_path / name / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_folder_that_cannot_be_written_to(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").write_text("a file where a folder should be")
    with pytest.raises(ImageError, match="choose a folder you may write to") as error:
        write_image(tmp_path / "out" / name, noise((8, 8), "uint8"), axes="YX")
    assert str(tmp_path / "out" / name) in str(error.value)
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits file size by a POSIX resource limit")
@pytest.mark.parametrize("name", ["a.tif", "large.tif", "a.zarr"])
def test_full_disk_leaves_the_old_image_whole_and_nothing_else(tmp_path: Path, name: str) -> None:
    side = 1200 if name == "large.tif" else 400
    write_image(tmp_path / name, np.full((side, side), 7, np.uint8), axes="YX")
    code = (
        "import resource, sys\n"
        "import numpy as np\n"
        "from segloop.core.errors import ImageError\n"
        "from segloop.images.write import write_image\n"
        "noise = np.random.default_rng(1).integers(0, 255, (int(sys.argv[2]),) * 2).astype(np.uint8)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try:\n    write_image(sys.argv[1], noise, axes='YX')\n"
        "except ImageError as error:\n    sys.stdout.write(str(error))\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / name), str(side)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert f"{tmp_path / name} can't be written, the disk is full" in done.stdout
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert read_tczyx(tmp_path / name).min() == 7


@pytest.mark.parametrize(
    ("array", "options", "sentence"),
    [
        (np.zeros((4, 4)), {"axes": "ZYX"}, "name each axis"),
        (np.zeros((4, 4)), {"axes": "ZY"}, "name each axis"),
        (np.zeros((4, 4), complex), {"axes": "YX"}, "convert them"),
        (np.zeros((0, 4)), {"axes": "YX"}, "no pixels"),
        (np.zeros((2, 4, 4)), {"axes": "CYX", "channel_names": ["a"]}, "one name for each channel"),
    ],
)
def test_what_is_no_image_is_refused(
    tmp_path: Path, array: np.ndarray, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ImageError, match=sentence):
        write_image(tmp_path / "a.tif", array, **options)
    assert list(tmp_path.iterdir()) == []


def test_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"choose a name ending in \.tif or \.zarr"):
        write_image(tmp_path / "a.jpeg", np.zeros((4, 4), np.uint8), axes="YX")


def chunks_of(path: Path) -> list[Path]:
    return [file for file in (path / "0" / "c").rglob("*") if file.is_file()]


def filled_by_blocks(path: Path, pixels: np.ndarray) -> None:
    array = create_zarr(path, pixels.shape, pixels.dtype, axes="YX", chunks=(10, 10))
    array[...] = pixels
    complete_zarr(path)


def written_at_once(path: Path, pixels: np.ndarray) -> None:
    write_image(path, pixels, axes="YX")


@pytest.mark.parametrize("write", [filled_by_blocks, written_at_once])
def test_a_lost_chunk_is_missed_instead_of_read_as_zeros(
    tmp_path: Path, write: Callable[[Path, np.ndarray], None]
) -> None:
    path = tmp_path / "a.ome.zarr"
    pixels = noise((1030, 40), "uint8") + 1
    pixels[-20:] = 0  # such chunks are not stored
    write(path, pixels)
    assert np.array_equal(open_image(path).load()[0, 0, 0], pixels)

    chunks_of(path)[0].unlink()

    with pytest.raises(ImageError, match=rf"{path} is incomplete \(1 of its \d+ chunks are missing\)"):
        open_image(path)


def test_a_zarr_of_another_program_may_leave_chunks_out(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    array = create_zarr(path, (30, 40), np.uint8, axes="YX", chunks=(10, 10))
    array[:10, :10] = 7
    assert open_image(path).load().sum() == 700
