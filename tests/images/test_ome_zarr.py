"""OME-Zarr: one definition of an image; plates and labels; old versions; unsupported is not damaged."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from segloop.core.errors import ImageError
from segloop.images.image import Image
from segloop.images.labels import read_labels
from segloop.images.listing import image_files, is_image
from segloop.images.pairing import pair_by_stem
from segloop.images.read import open_image, scene_names
from segloop.images.write import write_image

ALL = slice(None)
V4_AXES = [{"name": axis, "type": "space"} for axis in "yx"]


def noise(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 250, shape).astype(np.uint8)


def plane(image: Image) -> np.ndarray:
    return image.block(0, [0], ALL, ALL, ALL)[0, 0]


def group(folder: Path, attributes: dict[str, Any], zarr_format: int = 2) -> Path:
    made = zarr.create_group(store=str(folder), zarr_format=zarr_format)
    made.attrs.update({"ome": {"version": "0.5", **attributes}} if zarr_format == 3 else attributes)
    return folder


def plain_image(folder: Path, pixels: np.ndarray, zarr_format: int = 2, **entry: Any) -> Path:
    """An OME-Zarr image 0.4 or 0.5 with axes YX, unless ``entry`` says otherwise."""
    scale = [{"type": "scale", "scale": [1.0] * pixels.ndim}]
    described = {
        "axes": V4_AXES,
        "datasets": [{"path": "0", "coordinateTransformations": scale}],
        **({"version": "0.4"} if zarr_format == 2 else {}),
        **entry,
    }
    group(folder, {"multiscales": [described]}, zarr_format)
    zarr.create_array(store=str(folder / "0"), data=pixels, chunks=pixels.shape, zarr_format=zarr_format)
    return folder


@pytest.fixture(params=[2, 3], ids=["zarr2", "zarr3"])
def plate(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A plate of two wells with two fields each; field n holds noise of seed n."""
    root, zarr_format = tmp_path / "screen.zarr", request.param
    wells = [("A", "1"), ("B", "2")]
    group(
        root,
        {
            "plate": {
                "wells": [{"path": "/".join(well)} for well in wells],
                "rows": [{"name": "A"}, {"name": "B"}],
                "columns": [{"name": "1"}, {"name": "2"}],
            }
        },
        zarr_format,
    )
    for number, (row, column) in enumerate(wells):
        group(root / row / column, {"well": {"images": [{"path": "0"}, {"path": "1"}]}}, zarr_format)
        for field in range(2):
            plain_image(root / row / column / str(field), noise(12, 14, seed=2 * number + field), zarr_format)
    return root


def test_a_plate_opens_field_by_field(plate: Path) -> None:
    names = ("A/1/0", "A/1/1", "B/2/0", "B/2/1")
    assert scene_names(plate) == names
    for number, name in enumerate(names):
        image = open_image(plate, name)
        assert (image.scene, image.scenes) == (name, names)
        assert np.array_equal(plane(image), noise(12, 14, seed=number))
    assert scene_names(plate / "B" / "2") == ("0", "1")
    assert np.array_equal(plane(open_image(plate / "B" / "2", 1)), noise(12, 14, seed=3))


def test_whatever_opens_is_found_by_path_glob_and_folder(plate: Path, tmp_path: Path) -> None:
    """One definition of an image: for every folder of a plate, opening and listing agree."""
    plain_image(tmp_path / "without suffix", noise(4, 5))
    folders = [path for path in tmp_path.rglob("*") if path.is_dir()]
    for folder in [*folders, plate]:
        try:
            open_image(folder)
        except ImageError:
            assert not is_image(folder)
        else:
            assert is_image(folder)
            assert image_files(folder) == [folder]
            assert image_files(str(folder.parent / f"[{folder.name[0]}]{folder.name[1:]}")) == [folder]
    assert image_files(tmp_path) == [plate, tmp_path / "without suffix"]
    assert image_files(f"{plate}/*/*/*") == [
        plate / "A" / "1" / "0",
        plate / "A" / "1" / "1",
        plate / "B" / "2" / "0",
        plate / "B" / "2" / "1",
    ]


@pytest.mark.parametrize("inside", ["A", "labels"])
def test_the_advice_that_a_refusal_gives_works(plate: Path, inside: str) -> None:
    """What a message says to open can be opened, and is listed."""
    field = plate / "A" / "1" / "0"
    group(field / "labels", {"labels": ["cells"]})
    plain_image(field / "labels" / "cells", noise(12, 14, seed=9))
    folder = plate / "A" if inside == "A" else field / "labels"
    if not (folder / ".zgroup").exists() and not (folder / "zarr.json").exists():
        group(folder, {})
    with pytest.raises(ImageError, match="choose an image in it, such as") as error:
        open_image(folder)
    advised = Path(re.search(r"such as (.*)\.$", str(error.value)).group(1))  # type: ignore[union-attr]
    assert open_image(advised).shape[3:] == (12, 14)
    assert image_files(advised) == [advised]


def test_labels_inside_images_pair_with_them(tmp_path: Path) -> None:
    for name in ("a", "b"):
        image = plain_image(tmp_path / "raw" / f"{name}.ome.zarr", noise(8, 9))
        group(image / "labels", {"labels": ["cells"]})
        plain_image(image / "labels" / "cells", noise(8, 9, seed=3))
    pattern = tmp_path / "raw" / "*.zarr" / "labels" / "cells"
    for seg in (tmp_path / "raw", pattern):
        pairing = pair_by_stem(tmp_path / "raw", seg)
        assert [(pair.stem, pair.seg.name) for pair in pairing.pairs] == [("a", "cells"), ("b", "cells")]
        assert pairing.problems == ()
    assert read_labels(pairing.pairs[0].seg).shape == (1, 8, 9)
    one = tmp_path / "raw" / "a.ome.zarr"
    assert [pair.stem for pair in pair_by_stem(one, one / "labels" / "cells").pairs] == ["a"]
    assert [pair.stem for pair in pair_by_stem(one, one / "labels").pairs] == ["a"]


def test_names_that_lead_out_of_a_plate_are_not_followed(plate: Path, tmp_path: Path) -> None:
    plain_image(tmp_path / "secret", noise(4, 4))
    attributes = {"plate": {"wells": [{"path": "../secret"}, {"path": "A/1"}, {"path": str(tmp_path)}]}}
    (plate / "zarr.json").unlink(missing_ok=True)
    (plate / ".zattrs").write_text(json.dumps(attributes))
    assert scene_names(plate) == ("A/1/0", "A/1/1")


@pytest.mark.parametrize(
    ("version", "entry", "shape", "expected"),
    [
        ("0.1", {}, (2, 3, 4, 5, 6), (2, 3, 4, 5, 6)),
        ("0.2", {}, (1, 2, 3, 5, 6), (1, 2, 3, 5, 6)),
        ("0.3", {"axes": ["c", "y", "x"]}, (2, 5, 6), (1, 2, 1, 5, 6)),
        ("0.3", {"axes": ["t", "z", "y", "x"]}, (2, 3, 5, 6), (2, 1, 3, 5, 6)),
    ],
)
def test_old_versions_are_read(
    tmp_path: Path, version: str, entry: dict[str, Any], shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    pixels = noise(*shape)
    described = {"version": version, "datasets": [{"path": "0"}], "name": "old", **entry}
    folder = group(
        tmp_path / "a.zarr",
        {
            "multiscales": [described],
            "omero": {"channels": [{"label": f"dye {c}"} for c in range(expected[1])]},
        },
    )
    zarr.create_array(store=str(folder / "0"), data=pixels, chunks=shape, zarr_format=2)
    image = open_image(folder)
    assert (image.shape, image.scenes) == (expected, ("old",)) == (expected, scene_names(folder))
    assert image.channel_names == tuple(f"dye {c}" for c in range(expected[1]))
    assert image.pixel_size_um == (None, None, None)
    assert np.array_equal(np.asarray(image.data), pixels.reshape(expected))


@pytest.mark.parametrize("version", ["0.6", "0.6.dev1", "1.0"])
def test_a_newer_version_is_named(tmp_path: Path, version: str) -> None:
    folder = plain_image(tmp_path / "a.zarr", noise(4, 4), version=version)
    with pytest.raises(ImageError, match=rf"a\.zarr .*OME-Zarr version {re.escape(version)}.*0\.1 to 0\.5"):
        open_image(folder)


def unknown_compression(path: Path) -> None:
    tifffile.imwrite(path, noise(64, 64), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        where = tiff.pages.first.tags["Compression"].valueoffset
    content = bytearray(path.read_bytes())
    content[where : where + 2] = struct.pack("<H", 34999)
    path.write_bytes(content)


def unknown_codec(path: Path, zarr_format: int) -> None:
    plain_image(path, noise(8, 8), zarr_format)
    file = path / "0" / (".zarray" if zarr_format == 2 else "zarr.json")
    content = json.loads(file.read_text())
    content |= {"compressor": {"id": "fancy"}} if zarr_format == 2 else {"codecs": [{"name": "fancy"}]}
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.tif", unknown_compression),
        ("two.zarr", lambda path: unknown_codec(path, 2)),
        ("three.zarr", lambda path: unknown_codec(path, 3)),
        ("complex.tif", lambda path: tifffile.imwrite(path, np.zeros((4, 4), np.complex64))),
    ],
)
def test_what_is_unsupported_is_not_called_damaged(tmp_path: Path, name: str, make: Any) -> None:
    make(tmp_path / name)
    with pytest.raises(ImageError, match=name) as error:
        plane(open_image(tmp_path / name))
    assert "damaged" not in str(error.value)
    assert "save it" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_written_image_is_found_as_it_opens(tmp_path: Path) -> None:
    file = write_image(tmp_path / "a.zarr", noise(5, 6), axes="YX")
    assert image_files(tmp_path) == [file]
    assert not is_image(file / "0")
