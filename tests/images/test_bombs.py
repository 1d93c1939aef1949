"""Files that would fill the memory or take minutes: each gets a sentence within 5 seconds and 1 GB."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

LIMITED = """
import resource, sys, time
import bioio, bioio_imageio, bioio_ome_zarr, tifffile  # what is imported once does not count
from segloop.core.errors import SegloopError
from segloop.images.labels import read_labels
from segloop.images.listing import image_files
from segloop.images.read import open_image

path, use = sys.argv[1:]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.process_time()
try:
    if use == "list":
        print(len(image_files(path)), "images")
    elif use == "labels":
        read_labels(path)
    else:
        image = open_image(path)
        image.block(0, [0], slice(0, 1), slice(0, 10), slice(0, 10))
except SegloopError as error:
    print(error)
seconds = time.process_time() - started
assert seconds < 5, seconds
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
assert grown < 1, grown
"""


def png(file: Path) -> Path:
    """Write the header of a picture of 60,000 x 60,000 pixels, and little more."""

    def part(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(60_001 * 100))
    signature = b"\x89PNG\r\n\x1a\n"
    file.write_bytes(signature + part(b"IHDR", header) + part(b"IDAT", pixels) + part(b"IEND", b""))
    return file


def tiff(file: Path) -> Path:
    """Write a TIFF that says that it has 1,000,000 x 1,000,000 pixels."""
    tifffile.imwrite(file, np.zeros((64, 64), np.uint8))
    content = bytearray(file.read_bytes())
    (offset,) = struct.unpack_from("<I", content, 4)
    for number in range(struct.unpack_from("<H", content, offset)[0]):
        at = offset + 2 + 12 * number
        if struct.unpack_from("<H", content, at)[0] in (256, 257):
            struct.pack_into("<HII", content, at + 2, 4, 1, 1_000_000)
    file.write_bytes(content)
    return file


def store(folder: Path, chunks: int) -> Path:
    """Write an OME-Zarr image of 1,000,000 x 1,000,000 pixels without a chunk."""
    zarr.create_array(folder / "0", shape=(10**6, 10**6), chunks=(chunks, chunks), dtype="u1", zarr_format=2)
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    axes = [{"name": name, "type": "space"} for name in "yx"]
    scale = [{"type": "scale", "scale": [1, 1]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    multiscales = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    (folder / ".zattrs").write_text(json.dumps({"multiscales": multiscales}))
    return folder


def ome_tiff(file: Path, channels: int, *, listed: bool) -> Path:
    """Write an OME-TIFF of one plane whose header declares many channels."""
    each = "".join(
        f'<Channel ID="Channel:0:{n}" SamplesPerPixel="1"/>' for n in range(channels if listed else 1)
    )
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0">'
        '<Pixels ID="P" DimensionOrder="XYCZT" Type="uint8" SizeX="64" SizeY="64" SizeZ="1" SizeT="1" '
        f'SizeC="{channels}">{each}<TiffData/></Pixels></Image></OME>'
    )
    tifffile.imwrite(file, np.zeros((64, 64), np.uint8), description=xml, metadata=None)
    return file


def crossing_links(folder: Path) -> Path:
    """Make eight folders, each with links to all of them, and one image in each."""
    names = [f"f{number}" for number in range(8)]
    for name in names:
        (folder / name).mkdir(parents=True)
        tifffile.imwrite(folder / name / "a.tif", np.zeros((8, 8), np.uint8))
    for name in names:
        for other in names:
            (folder / name / f"to_{other}").symlink_to(folder / other)
    return folder


BOMBS: dict[str, tuple[str, Callable[[Path], Path], str]] = {
    "picture": ("open", lambda folder: png(folder / "bomb.png"), "bomb.png"),
    "labels": ("labels", lambda folder: png(folder / "bomb.png"), "bomb.png"),
    "TIFF": ("open", lambda folder: tiff(folder / "bomb.tif"), "bomb.tif"),
    "one chunk": ("open", lambda folder: store(folder / "bomb.zarr", 10**6), "bomb.zarr"),
    "many chunks": ("open", lambda folder: store(folder / "bomb.zarr", 1), "more than the 1,000,000"),
    "listed channels": (
        "open",
        lambda folder: ome_tiff(folder / "bomb.ome.tif", 10**6, listed=True),
        "metadata of more than 48 MB",
    ),
    "channels": (
        "open",
        lambda folder: ome_tiff(folder / "bomb.ome.tif", 10**9, listed=False),
        "bomb.ome.tif",
    ),
    "links": ("list", lambda folder: crossing_links(folder / "links"), "8 images"),
}

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows does not measure the memory like this"
)


@pytest.mark.parametrize("bomb", BOMBS)
def test_it_costs_neither_time_nor_memory(tmp_path: Path, bomb: str) -> None:
    use, make, said = BOMBS[bomb]
    path = make(tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), use],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert len(done.stdout.splitlines()) == 1
