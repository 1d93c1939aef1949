"""Large TIFFs are read piece by piece, and odd ones right or not at all."""

from __future__ import annotations

import gc
import pickle
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.core.errors import ImageError
from segloop.images.image import Image
from segloop.images.read import open_image
from segloop.images.write import write_image

ALL = slice(None)
SIDE = 3072
TILE = 256


def noise(*shape: int, dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(1).integers(0, 250, shape).astype(dtype)


def read_all(image: Image, t: int = 0) -> np.ndarray:
    return image.block(t, range(image.n_channels), ALL, ALL, ALL)


def sized(expected: tuple[float | None, ...]) -> tuple[object, ...]:
    return tuple(None if size is None else pytest.approx(size, rel=1e-6) for size in expected)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return noise(SIDE, SIDE)


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray) -> Path:
    path = tmp_path_factory.mktemp("large") / "tiled.tif"
    tifffile.imwrite(path, pixels, tile=(TILE, TILE), compression="zlib", photometric="minisblack")
    return path


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "flat.tif"
    tifffile.imwrite(path, noise(2, 4096, 4096, dtype="uint16"), imagej=True, metadata={"axes": "ZYX"})
    return path


def test_one_tile_takes_the_memory_of_a_tile(tiled: Path, pixels: np.ndarray) -> None:
    open_image(tiled).block(
        0, [0], ALL, slice(0, 8), slice(0, 8)
    )  # what is imported on first use does not count
    tracemalloc.start()
    try:
        block = open_image(tiled).block(0, [0], ALL, slice(512, 768), slice(1024, 1280))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.array_equal(block[0, 0], pixels[512:768, 1024:1280])
    assert peak < SIDE * SIDE / 10


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's count of bytes read")
def test_one_tile_reads_the_bytes_of_a_tile(tiled: Path) -> None:
    def bytes_read() -> int:
        return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])

    open_image(tiled).block(0, [0], ALL, slice(0, 8), slice(0, 8))
    before = bytes_read()
    open_image(tiled).block(0, [0], ALL, slice(512, 768), slice(1024, 1280))
    assert bytes_read() - before < 4 * TILE * TILE
    assert tiled.stat().st_size > 50 * 4 * TILE * TILE / 4


def test_tiles_not_asked_for_are_never_decoded(tiled: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    content = bytearray(tiled.read_bytes())
    with tifffile.TiffFile(tiled) as tiff:
        page = tiff.pages.first
        for number, (start, size) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
            if number != SIDE // TILE + 2:
                content[start : start + size] = b"\xff" * size
    damaged = tmp_path / "damaged.tif"
    damaged.write_bytes(content)
    image = open_image(damaged)
    assert np.array_equal(
        image.block(0, [0], ALL, slice(256, 512), slice(512, 768))[0, 0], pixels[256:512, 512:768]
    )
    with pytest.raises(ImageError, match=r"damaged\.tif can't be read further"):
        image.block(0, [0], ALL, slice(0, 300), slice(0, 300))


def test_large_uncompressed_plane_is_mapped_not_read(flat: Path) -> None:
    open_image(flat).block(0, [0], ALL, slice(0, 8), slice(0, 8))
    tracemalloc.start()
    try:
        block = open_image(flat).block(0, [0], slice(1, 2), slice(1000, 1100), slice(4000, 4096))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.array_equal(block[0, 0], tifffile.imread(flat)[1, 1000:1100, 4000:4096])
    assert block.dtype.isnative
    assert peak < 1 << 20


@pytest.mark.parametrize("y", [slice(0, 1), slice(250, 260), slice(3000, 3072), slice(0, 3072)])
def test_blocks_across_tiles_equal_the_whole(tiled: Path, pixels: np.ndarray, y: slice) -> None:
    assert np.array_equal(open_image(tiled).block(0, [0], ALL, y, slice(100, 900))[0, 0], pixels[y, 100:900])


@pytest.mark.parametrize(
    ("axes", "shape", "options"),
    [
        ("YXS", (1200, 1100, 3), {"photometric": "rgb", "tile": (256, 256), "compression": "zlib"}),
        ("YXS", (1200, 1100, 3), {"photometric": "rgb", "rowsperstrip": 16, "compression": "lzw"}),
        ("SYX", (3, 1200, 1100), {"photometric": "rgb", "planarconfig": "separate", "tile": (128, 128)}),
        ("CYXS", (2, 800, 900, 3), {"photometric": "rgb", "tile": (256, 256), "metadata": {"axes": "CYXS"}}),
        (
            "ZCYX",
            (5, 2, 600, 700),
            {"photometric": "minisblack", "compression": "zlib", "metadata": {"axes": "ZCYX"}},
        ),
        ("TYX", (5, 800, 900), {"photometric": "minisblack", "metadata": {"axes": "TYX"}, "byteorder": ">"}),
    ],
)
def test_parts_of_any_layout_equal_the_whole(
    tmp_path: Path, axes: str, shape: tuple[int, ...], options: dict[str, object]
) -> None:
    array = noise(*shape, dtype="uint16")
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    image = open_image(tmp_path / "a.tif")
    reference = Image.from_array(array, axes)
    t, channel = image.n_timepoints - 1, image.n_channels - 1
    where = (slice(0, 3), slice(250, 520), slice(130, 131))
    assert image.shape == reference.shape
    assert np.array_equal(image.block(t, [channel, 0], *where), reference.block(t, [channel, 0], *where))


def test_slices_beyond_the_image_are_empty(tiled: Path) -> None:
    assert open_image(tiled).block(0, [0], slice(1, 2), ALL, slice(0, 5)).shape == (1, 0, SIDE, 5)


def test_dask_slicing_of_any_kind_equals_numpys(tiled: Path, pixels: np.ndarray) -> None:
    plane = open_image(tiled).data[0, 0, 0]
    assert np.array_equal(plane[10:3000:700, ::-900].compute(), pixels[10:3000:700, ::-900])
    assert np.array_equal(plane[[5, 2000, 7]][:, 3].compute(), pixels[[5, 2000, 7], 3])


def test_pyramids_open_at_full_resolution(tmp_path: Path) -> None:
    array = noise(2048, 2048)
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as tiff:
        tiff.write(array, tile=(256, 256), subifds=1, photometric="minisblack")
        tiff.write(array[::2, ::2], tile=(256, 256), subfiletype=1, photometric="minisblack")
    image = open_image(tmp_path / "pyramid.tif")
    assert image.shape == (1, 1, 1, 2048, 2048)
    assert np.array_equal(image.block(0, [0], ALL, slice(300, 310), ALL)[0, 0], array[300:310])


def test_more_than_colours_in_samples_is_all_kept(tmp_path: Path) -> None:
    array = noise(64, 64, 5)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", planarconfig="contig")
    image = open_image(tmp_path / "a.tif")
    assert image.channel_names == tuple(f"Channel {i}" for i in range(5))
    assert np.array_equal(read_all(image)[:, 0], np.moveaxis(array, -1, 0))


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 1)])
def test_lines_and_points_keep_their_axes(tmp_path: Path, shape: tuple[int, int]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(*shape), photometric="minisblack")
    assert open_image(tmp_path / "a.tif").shape == (1, 1, 1, *shape)


def test_one_slice_volume_has_one_slice(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(1, 32, 32), imagej=True, metadata={"axes": "ZYX"})
    assert open_image(tmp_path / "a.tif").n_slices == 1


def test_bilevel_image_reads_as_0_and_1(tmp_path: Path) -> None:
    array = noise(40, 41) > 100
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack")
    block = read_all(open_image(tmp_path / "a.tif"))
    assert block.dtype == np.uint8
    assert np.array_equal(block[0, 0], array)


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((20000, 20000), "CENTIMETER", (None, 0.5, 0.5)),
        ((72, 72), "INCH", (None, None, None)),
        ((300, 300), "INCH", (None, None, None)),
        ((25400, 50800), "INCH", (None, 0.5, 1.0)),
        ((2, 2), "NONE", (None, None, None)),
    ],
)
def test_resolution_tags_count_where_plausible(
    tmp_path: Path, resolution: tuple[int, int], unit: str, expected: tuple[float | None, ...]
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(8, 8), resolution=resolution, resolutionunit=unit)
    assert open_image(tmp_path / "a.tif").pixel_size_um == sized(expected)


@pytest.mark.parametrize(
    ("unit", "size", "factor"), [("nm", 500.0, 1e-3), ("µm", 0.5, 1.0), ("mm", 5e-4, 1e3)]
)
def test_ome_units_are_converted(tmp_path: Path, unit: str, size: float, factor: float) -> None:
    metadata = {"axes": "ZYX", "PhysicalSizeX": size, "PhysicalSizeXUnit": unit, "PhysicalSizeZ": 2.0}
    tifffile.imwrite(tmp_path / "a.ome.tif", noise(3, 8, 8), metadata=metadata)
    assert open_image(tmp_path / "a.ome.tif").pixel_size_um == sized((2.0, None, size * factor))


def test_imagej_labels_of_channels_become_their_names(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", noise(2, 8, 8), imagej=True, metadata={"axes": "CYX", "Labels": ["a", "b"]}
    )
    assert open_image(tmp_path / "a.tif").channel_names == ("a", "b")


def test_unknown_axes_are_named_in_the_refusal(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(3, 8, 8), photometric="minisblack", metadata={"axes": "PYX"})
    with pytest.raises(ImageError, match=r"a\.tif has axes PYX.*save it"):
        open_image(tmp_path / "a.tif")


def test_image_survives_pickling(tiled: Path, pixels: np.ndarray) -> None:
    image = open_image(tiled)
    image.block(0, [0], ALL, slice(0, 8), slice(0, 8))
    copy = pickle.loads(pickle.dumps(image))
    assert np.array_equal(copy.block(0, [0], ALL, slice(7, 9), ALL)[0, 0], pixels[7:9])


@pytest.mark.skipif(sys.platform != "linux", reason="lists open files by /proc")
def test_no_file_stays_open_behind_a_dropped_image(tiled: Path) -> None:
    image = open_image(tiled)
    image.block(0, [0], ALL, slice(0, 8), slice(0, 8))
    del image
    gc.collect()
    assert tiled.resolve() not in {file.resolve() for file in Path("/proc/self/fd").iterdir()}


def test_opening_is_quick(sample_nuclei: Path) -> None:
    file = sample_nuclei / "raw" / "015.tif"
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        open_image(file)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05


@pytest.mark.parametrize(
    ("unit", "dots", "expected"),
    [
        ("inch", 72, (None, None, None)),
        ("inch", 300, (None, None, None)),
        ("inch", 25400 / 0.5, (2.0 * 25400, 0.5, 0.5)),
        ("cm", 28.3, (None, None, None)),
        ("mm", 10, (None, None, None)),
        ("um", 2, (2.0, 0.5, 0.5)),
        ("micron", 0.02, (None, None, None)),
    ],
)
def test_pixel_sizes_of_screens_and_printers_are_unknown_in_imagej_files_too(
    tmp_path: Path, unit: str, dots: float, expected: tuple[float | None, ...]
) -> None:
    metadata = {"axes": "ZYX", "unit": unit, "spacing": 2.0}
    tifffile.imwrite(
        tmp_path / "a.tif", noise(2, 8, 8), imagej=True, resolution=(dots, dots), metadata=metadata
    )
    z, y, x = open_image(tmp_path / "a.tif").pixel_size_um
    assert (y, x) == sized(expected[1:])
    assert z == (None if expected[0] is None or expected[0] > 1000 else expected[0])


@pytest.mark.parametrize("size", [352.8, 1e-9, 21.2])
def test_impossible_pixel_sizes_are_unknown_in_every_format(tmp_path: Path, size: float) -> None:
    """One limit for OME-XML, tifffile's JSON and OME-Zarr."""
    metadata = {"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": size}
    tifffile.imwrite(tmp_path / "a.ome.tif", noise(8, 8), metadata=metadata)
    tifffile.imwrite(tmp_path / "b.tif", noise(8, 8), metadata=metadata)
    write_image(tmp_path / "c.zarr", noise(8, 8), axes="YX", pixel_size_um=(None, size, size))
    for name in ("a.ome.tif", "b.tif", "c.zarr"):
        assert open_image(tmp_path / name).pixel_size_um == (None, None, None)


def test_white_is_zero_is_said_and_values_stay(tmp_path: Path) -> None:
    array = noise(8, 8)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="miniswhite")
    image = open_image(tmp_path / "a.tif")
    assert "white is zero" in image.notes[0]
    assert np.array_equal(read_all(image)[0, 0], array)


@pytest.mark.parametrize("n_channels", [4, 5, 10])
def test_channels_last_are_recognised_and_said(tmp_path: Path, n_channels: int) -> None:
    array = noise(64, 50, n_channels)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack")
    image = open_image(tmp_path / "a.tif")
    assert image.shape == (1, n_channels, 1, 64, 50)
    assert "read as YXC: if that is wrong, say which they are" in image.notes[0]
    assert np.array_equal(read_all(image)[:, 0], np.moveaxis(array, -1, 0))


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("TYX", (6, 1, 1, 40, 33)),
        ("CYX", (1, 6, 1, 40, 33)),
        ("ZYX", (1, 1, 6, 40, 33)),
        ("xyz", (1, 1, 33, 40, 6)),
    ],
)
def test_axes_that_were_guessed_may_be_given(tmp_path: Path, axes: str, shape: tuple[int, ...]) -> None:
    """The guess is said, the user's word replaces it, and pixels go where it says."""
    array = noise(6, 40, 33)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack")
    guessed = open_image(tmp_path / "a.tif")
    assert "does not name its axes, they are read as ZYX" in guessed.notes[0]
    image = open_image(tmp_path / "a.tif", axes=axes)
    assert image.notes == ()
    assert image.shape == shape
    assert np.array_equal(np.asarray(image.data), np.asarray(Image.from_array(array, axes).data))


@pytest.mark.parametrize("axes", ["YX", "ZZYX", "ZCYX", "ABC", "CZT"])
def test_axes_that_do_not_fit_are_refused(tmp_path: Path, axes: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(6, 40, 33), photometric="minisblack")
    with pytest.raises(ImageError, match=r"a\.tif has 3 axes of the sizes 6 x 40 x 33"):
        open_image(tmp_path / "a.tif", axes=axes)


def test_files_that_name_their_axes_have_no_notes(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(3, 8, 8), photometric="minisblack", metadata={"axes": "TYX"})
    tifffile.imwrite(tmp_path / "b.tif", noise(8, 8))
    assert [open_image(tmp_path / name).notes for name in ("a.tif", "b.tif")] == [(), ()]


@pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_alpha_is_no_channel(tmp_path: Path, alpha: str, n_channels: int) -> None:
    array = noise(32, 33, n_channels + 1)
    extra = ["unspecified"] * (n_channels - 1) + [alpha]
    tifffile.imwrite(
        tmp_path / "a.tif", array, photometric="minisblack", planarconfig="contig", extrasamples=extra
    )
    image = open_image(tmp_path / "a.tif")
    assert image.n_channels == n_channels
    assert np.array_equal(read_all(image)[:, 0], np.moveaxis(array, -1, 0)[:n_channels])


def test_grey_png_with_alpha_has_one_channel(tmp_path: Path) -> None:
    import imageio.v3 as iio

    array = noise(20, 21, 2)
    iio.imwrite(tmp_path / "a.png", array, mode="LA")
    image = open_image(tmp_path / "a.png")
    assert image.n_channels == 1
    assert np.array_equal(read_all(image)[0, 0], array[..., 0])
