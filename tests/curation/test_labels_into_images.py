"""Ground truth is written into the OME-Zarr images of a dataset, in their version of the format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Region
from segloop.cli.command import run
from segloop.core.errors import DatasetError
from segloop.curation.labels_into_images import write_into_images
from segloop.images.labels import read_labels
from segloop.images.ome_zarr import listed_labels
from segloop.images.pairing import Pair
from segloop.images.read import open_image
from segloop.images.write import write_image

UM = (2.0, 0.5, 0.5)
SHAPES = {
    "zyx": (4, 30, 40),
    "czyx": (2, 4, 30, 40),
    "cyx": (2, 30, 40),
    "tczyx": (1, 2, 4, 30, 40),
    "yx": (30, 40),
}


def older_image(path: Path, axes: str) -> Path:
    """Write an image of OME-Zarr 0.4 as other programs do, with labels of another tool inside."""
    shape = SHAPES[axes]
    pixels = np.random.default_rng(0).integers(0, 900, shape).astype(np.uint16)
    sizes = dict(zip("zyx", UM, strict=True))
    kinds = {"t": "time", "c": "channel"}
    described = [
        {"name": axis, "type": kinds.get(axis, "space"), **({"unit": "micrometer"} if axis in sizes else {})}
        for axis in axes
    ]
    scale = [{"type": "scale", "scale": [sizes.get(axis, 1.0) for axis in axes]}]
    for folder, data in ((path, pixels), (path / "labels" / "cells", np.ones(shape[-2:], np.uint8))):
        group = zarr.create_group(store=str(folder), zarr_format=2)
        own = described if folder == path else described[-2:]
        fits = scale if folder == path else [{"type": "scale", "scale": [0.5, 0.5]}]
        datasets = [{"path": "0", "coordinateTransformations": fits}]
        group.attrs["multiscales"] = [{"version": "0.4", "axes": own, "datasets": datasets}]
        group.create_array("0", data=data, chunk_key_encoding={"name": "v2", "separator": "/"})
    zarr.create_group(store=str(path / "labels"), zarr_format=2, attributes={"labels": ["cells"]})
    return path


def newer_image(path: Path, axes: str) -> Path:
    pixels = np.random.default_rng(0).integers(0, 900, SHAPES[axes]).astype(np.uint16)
    return write_image(path, pixels, axes=axes.upper(), pixel_size_um=UM)


def dataset_of(folder: Path, image: Path) -> CuratedDataset:
    """Make a dataset of an image with labels in a TIFF, and an excluded region."""
    shape = open_image(image).shape[2:]
    labels = np.zeros(shape, np.uint16)
    labels[:, 4:14, 5:20], labels[:, 18:26, 22:38] = 3, 300
    seg = write_image(folder / "seg" / "a.tif", labels, axes="ZYX")
    made = CuratedDataset.create(folder / "made", [Pair("a", image, seg)], accept_all=True)
    corners = ((0.0, 0.0), (0.0, 12.0), (29.0, 12.0), (29.0, 0.0))
    region = Region(id="a", kind="exclude", shape="polygon", vertices=corners)
    made.edit("a", lambda sample: sample.edit(regions=(region,)), "draw")
    return made


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize("axes", SHAPES)
@pytest.mark.parametrize("make", [older_image, newer_image])
def test_labels_lie_in_the_image_beside_those_that_are_there(tmp_path: Path, make, axes: str) -> None:
    image = make(tmp_path / "a.ome.zarr", axes)
    made = dataset_of(tmp_path, image)
    before, pixels = files(image), open_image(image).load()
    others = [path.name for path in listed_labels(image)]

    assert write_into_images(made.path, "nuclei").images == (image,)

    after = files(image)
    changed = {name for name in before if after[name] != before[name]}
    assert changed <= {"labels/.zattrs"}
    assert np.array_equal(open_image(image).load(), pixels)
    assert [path.name for path in listed_labels(image)] == [*others, "nuclei", "nuclei-valid"]
    truth = made.ground_truth(made.sample("a"))
    assert np.array_equal(read_labels(image / "labels" / "nuclei"), truth.labels * truth.valid)
    assert np.array_equal(read_labels(image / "labels" / "nuclei-valid") > 0, truth.valid)
    stored = open_image(image / "labels" / "nuclei")
    assert stored.pixel_size_um[1:] == UM[1:]
    older = make is older_image
    assert (image / "labels" / "nuclei" / ".zattrs").exists() == older
    attributes = dict(zarr.open_group(str(image / "labels" / "nuclei"), mode="r").attrs)
    metadata = attributes if older else attributes["ome"]
    assert metadata["image-label"]["source"] == {"image": "../../"}
    assert [axis["name"] for axis in metadata["multiscales"][0]["axes"]] == list(axes.replace("c", ""))
    assert (metadata["multiscales"][0] if older else metadata)["version"] == ("0.4" if older else "0.5")


def test_labels_are_replaced_on_request_only(tmp_path: Path) -> None:
    image = older_image(tmp_path / "a.ome.zarr", "zyx")
    made = dataset_of(tmp_path, image)
    write_into_images(made.path)
    before = files(image)
    made.correct_labels("a", "seg", np.ones((4, 30, 40), np.uint8))
    with pytest.raises(DatasetError, match="has labels named truth"):
        write_into_images(made.path)
    assert files(image) == before
    write_into_images(made.path, replace=True)
    assert read_labels(image / "labels" / "truth")[0, 15, 30] == 1
    assert [path.name for path in listed_labels(image)] == ["cells", "truth", "truth-valid"]


def test_consolidated_metadata_know_the_labels(tmp_path: Path) -> None:
    image = older_image(tmp_path / "a.ome.zarr", "zyx")
    zarr.consolidate_metadata(str(image))
    made = dataset_of(tmp_path, image)
    write_into_images(made.path)
    assert "labels/truth/0/.zarray" in json.loads((image / ".zmetadata").read_text())["metadata"]


def test_other_images_are_left_out(tmp_path: Path) -> None:
    image = newer_image(tmp_path / "a.ome.zarr", "zyx")
    made = dataset_of(tmp_path, image)
    plain = write_image(tmp_path / "b.tif", np.ones((30, 40), np.uint16), axes="YX")
    labels = write_image(tmp_path / "seg" / "b.tif", np.full((30, 40), 2, np.uint16), axes="YX")
    made.add([Pair("b", plain, labels)], accept_all=True)
    written = write_into_images(made.path)
    assert written.images == (image,)
    (problem,) = written.problems
    assert f"{plain} is no OME-Zarr image" in problem


@pytest.mark.parametrize("name", ["../up", "a/b", ""])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    made = dataset_of(tmp_path, newer_image(tmp_path / "a.ome.zarr", "zyx"))
    with pytest.raises(DatasetError, match="the name of labels"):
        write_into_images(made.path, name)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = newer_image(tmp_path / "a.ome.zarr", "zyx")
    made = dataset_of(tmp_path, image)
    export = ["dataset", "export", str(made.path), "--to"]
    assert run([*export, "ome-zarr", "--into-images", "--name", "nuclei"]) == 0
    assert "Wrote the labels nuclei into 1 image." in capsys.readouterr().out
    assert run([*export, "coco", "--into-images"]) == 2
    assert run([*export, "ome-zarr", "--into-images", "--out", str(tmp_path / "out")]) == 2
    assert run([*export, "ome-zarr"]) == 2
    assert "--out" in capsys.readouterr().err
