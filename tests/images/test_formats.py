"""Every file of the formats collection reads as its table says, or is refused with the right sentence."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from segloop.images.image import Image
from segloop.images.read import open_image, scene_names

FORMATS = Path(os.environ.get("SEGLOOP_TEST_DATA", "")) / "formats"
TABLE = FORMATS / "formats.csv"


def rows() -> list[dict[str, str]]:
    if not TABLE.is_file():
        return []
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ROWS = rows()
READABLE = [row for row in ROWS if row["bioio_shape"]]
TIFFS = sorted({row["file"] for row in READABLE if Path(row["file"]).suffix in (".tif", ".tiff")})

needs_formats = pytest.mark.skipif(not ROWS, reason="needs SEGLOOP_TEST_DATA")


def name_of(row: dict[str, str]) -> str:
    return f"{row['file']}-{row['scene_index']}"


def pixels(image: Image) -> np.ndarray:
    everything = slice(None)
    channels = range(image.n_channels)
    return np.stack(
        [image.block(t, channels, everything, everything, everything) for t in range(image.n_timepoints)]
    )


def expected_shape(row: dict[str, str]) -> tuple[int, ...]:
    t, c, z, y, x, *samples = (int(n) for n in row["bioio_shape"].split("x"))
    return t, min(samples[0], 3) if samples else c, z, y, x


def described(file: str) -> dict[str, str]:
    return next(row for row in ROWS if row["file"] == file)


@needs_formats
@pytest.mark.parametrize("row", READABLE, ids=name_of)
def test_reads_as_the_table_says(row: dict[str, str]) -> None:
    image = open_image(FORMATS / row["file"], int(row["scene_index"]))
    data = pixels(image)
    # The table's maximum of the RGBA file is that of its alpha channel, which reading drops.
    colours = described("yxs_uint8_rgb.png") if "rgba" in row["file"] else row
    assert image.shape == data.shape == expected_shape(row)
    assert str(image.dtype) == str(data.dtype) == row["dtype"]
    assert (data.min(), data.max()) == (float(colours["min"]), float(colours["max"]))
    assert len(image.scenes) == int(row["n_scenes"])


@needs_formats
@pytest.mark.parametrize("row", [row for row in READABLE if "S" in row["bioio_axes"]], ids=name_of)
def test_colour_samples_become_channels(row: dict[str, str]) -> None:
    image = open_image(FORMATS / row["file"])
    assert image.channel_names == ("red", "green", "blue")


@needs_formats
@pytest.mark.parametrize("file", TIFFS)
def test_tiffs_equal_what_bioio_reads(file: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from bioio import BioImage

        reference = BioImage(FORMATS / file)
        for scene in range(len(reference.scenes)):
            reference.set_scene(scene)
            data = reference.data
            if "S" in reference.dims.order:
                data = np.moveaxis(data[:, 0, ..., :3], -1, 1)
            assert np.array_equal(pixels(open_image(FORMATS / file, scene)), data)


@needs_formats
@pytest.mark.parametrize(
    ("file", "scene", "size"),
    [
        ("zyx_uint8_calibrated_imagej.tif", 0, (3.0, 0.0851964, 0.0851964)),
        ("tzcyx_uint16_imagej_hyperstack_5d.tif", 0, (0.125, 0.1242424, 0.1242424)),
        ("tczyx_uint16_5d.ome.tif", 0, (0.125, 0.1242424, 0.1242424)),
        ("multiscene_3x_mixed.ome.tif", 0, (None, None, None)),
        ("multiscene_3x_mixed.ome.tif", 1, (3.0, 0.0852, 0.0852)),
        ("multiscene_6x_cyx_uint16.ome.tiff", 5, (1.0, 0.65, 0.65)),
        ("multipage_uint16_no_metadata.tif", 0, (None, None, None)),
        ("yx_float64.tif", 0, (None, None, None)),
        ("cyx_uint16_imagej_hyperstack2.tif", 0, (None, None, None)),
        ("yx_uint16_imagej.tif", 0, (None, 2.4859235, 2.4859235)),
        ("yx_uint8_gray.png", 0, (None, None, None)),
        ("cyx_uint16_v04.ome.zarr", 0, (None, 1.0, 1.0)),
        ("zyx_uint16_v05.ome.zarr", 0, (1.75, 0.8, 0.8)),
        ("tczyx_uint8_bf2raw_v04.ome.zarr", 0, (3.0, 0.0851964, 0.0851964)),
    ],
)
def test_pixel_size_is_what_the_file_really_says(
    file: str, scene: int, size: tuple[float | None, ...]
) -> None:
    expected = tuple(None if n is None else pytest.approx(n, rel=1e-6) for n in size)
    assert open_image(FORMATS / file, scene).pixel_size_um == expected


@needs_formats
@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("tczyx_uint16_5d.ome.tif", ("channel 1", "channel 2")),
        ("cyx_uint16_v04.ome.zarr", ("tubulin", "nuclei")),
        ("zyx_uint16_v05.ome.zarr", ("H2B-mRFP1",)),
        ("zcyx_uint16_imagej_hyperstack.tif", ("Channel 0", "Channel 1")),
    ],
)
def test_channel_names(file: str, names: tuple[str, ...]) -> None:
    assert open_image(FORMATS / file).channel_names == names


@needs_formats
def test_scenes_go_by_name_too() -> None:
    file = FORMATS / "multiscene_3x_mixed.ome.tif"
    assert scene_names(file) == ("cell_dna_mts_actin", "mitotic_plate", "nuclei_various_shapes")
    assert open_image(file, "mitotic_plate").shape == (1, 1, 6, 263, 263)


@needs_formats
def test_root_of_a_bioformats2raw_store_opens_as_its_images() -> None:
    root = FORMATS / "tczyx_uint8_bf2raw_v04.ome.zarr"
    image = open_image(root)
    assert scene_names(root) == image.scenes == ("0",)
    assert np.array_equal(pixels(image), pixels(open_image(FORMATS / "tczyx_uint8_v04.ome.zarr")))


@needs_formats
def test_czi_reads_where_its_reader_is_installed() -> None:
    pytest.importorskip("bioio_czi", reason="needs the reader for CZI, which is an extra")
    row = described("multi_image.czi")
    scenes = [open_image(FORMATS / "multi_image.czi", i) for i in range(int(row["n_scenes"]))]
    data = [pixels(scene) for scene in scenes]
    assert [scene.shape for scene in scenes] == [(1, 1, 2, 251, 251)] * 2
    assert str(data[0].dtype) == row["dtype"]
    assert (data[0].min(), data[0].max()) == (int(row["min"]), int(row["max"]))
    assert not np.array_equal(data[0], data[1])


@needs_formats
def test_missing_reader_package_is_named_with_the_line_that_installs_it() -> None:
    code = (
        "import sys; sys.modules['bioio_czi'] = None\n"
        "from segloop.core.errors import ImageError\n"
        "from segloop.images.read import open_image\n"
        "try:\n    open_image(sys.argv[1])\n"
        "except ImageError as error:\n    sys.stdout.write(str(error))\n"
    )
    file = str(FORMATS / "multi_image.czi")
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True)
    assert file in done.stdout
    assert "`pip install bioio-czi`" in done.stdout
    assert done.stderr == ""
