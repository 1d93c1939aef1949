"""Annotations of labelme become labels."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imagecodecs import png_encode
from numpy.typing import NDArray
from skimage.draw import disk

from segloop.cli.command import run
from segloop.core.errors import ImageError
from segloop.images.importers import find_import
from segloop.images.labels import read_labels
from segloop.images.write import write_image

SHAPE = (1, 20, 30)
SQUARE = [[2, 1], [8, 1], [8, 5], [2, 5]]


def shape(
    points: Any, kind: str = "polygon", label: str = "cell", group: int | None = None, **more: Any
) -> dict:
    return {"label": label, "points": points, "group_id": group, "shape_type": kind, "flags": {}, **more}


def mask(inside: NDArray[np.bool_], top: int, left: int) -> dict:
    height, width = inside.shape
    box = [[left, top], [left + width - 1, top + height - 1]]
    png = base64.b64encode(png_encode(inside.astype(np.uint8) * 255)).decode()
    return {**shape(box, "mask"), "mask": png}


def write(path: Path, shapes: Any, **more: Any) -> Path:
    content = {"version": "5.4", "flags": {}, "shapes": shapes, "imagePath": "a.png", "imageData": None}
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps({**content, "imageHeight": 20, "imageWidth": 30, **more}))
    return path


def labels_of(path: Path, shape: tuple[int, int, int] = SHAPE) -> NDArray[Any]:
    found = find_import(path)
    assert found is not None
    assert found.importer == "labelme"
    (item,) = found.items
    assert item.stem == path.stem
    return item.read(shape)


def test_areas_become_objects_in_their_order(tmp_path: Path) -> None:
    inside = np.ones((3, 5), bool)
    inside[1, 1] = False
    shapes = [
        shape(SQUARE),
        shape([[14, 8], [10, 4]], "rectangle"),
        shape([[3, 9]], "point"),
        shape([[0, 0], [29, 19]], "line"),
        shape([[22, 10], [27, 10]], "circle"),
        mask(inside, 16, 3),
    ]
    labels = labels_of(write(tmp_path / "a.json", shapes))
    assert (labels[1:5, 2:8] == 1).all()
    assert (labels[4:8, 10:14] == 2).all()
    circle = np.zeros(SHAPE[1:], bool)
    circle[disk((9.5, 21.5), 5)] = True
    assert np.count_nonzero((labels == 3) ^ circle) <= 4
    assert np.array_equal(labels[16:19, 3:8] == 4, inside)
    assert np.count_nonzero(labels) == 24 + 16 + np.count_nonzero(labels == 3) + 14


def test_areas_of_a_group_are_one_object(tmp_path: Path) -> None:
    boxes = [[[x, 2], [x + 3, 6]] for x in (1, 6, 11, 16)]
    groups = [("cell", 1), ("cell", 1), ("nucleus", 1), ("cell", None)]
    shapes = [shape(box, "rectangle", *each) for box, each in zip(boxes, groups, strict=True)]
    labels = labels_of(write(tmp_path / "a.json", shapes))
    assert labels[3, [2, 7, 12, 17]].tolist() == [1, 1, 2, 3]


def test_a_folder_with_the_images_becomes_a_dataset(tmp_path: Path) -> None:
    """labelme puts each file beside its image."""
    for stem in ("a", "sub/b"):
        write_image(tmp_path / "images" / f"{stem}.tif", np.eye(20, 30, dtype=np.uint8), axes="YX")
        write(tmp_path / "images" / f"{stem}.json", [shape(SQUARE)])
    folder = str(tmp_path / "images")
    assert run(["dataset", "create", str(tmp_path / "made"), "--raw", folder, "--seg", folder]) == 0
    made = sorted((tmp_path / "made-imported").rglob("*.tif"))
    assert [path.name for path in made] == ["a.tif", "sub__b.tif"]
    assert np.count_nonzero(read_labels(made[0])) == 24


def test_a_folder_of_label_images_is_none(tmp_path: Path) -> None:
    write(tmp_path / "a.json", [shape(SQUARE)])
    write_image(tmp_path / "b.tif", np.eye(20, dtype=np.uint8), axes="YX")
    assert find_import(tmp_path) is None
    (tmp_path / "b.tif").unlink()
    assert find_import(tmp_path).importer == "labelme"


@pytest.mark.parametrize(
    ("shapes", "more", "said"),
    [
        ([shape(SQUARE)], {"imageHeight": 21}, "is 30 x 21 pixels, but it is 30 x 20"),
        ([shape([[1, 2]])], {}, "damaged shape"),
        ([shape([[1, 2], [3, float("nan")], [4, 4]])], {}, "damaged shape"),
        ([shape([[1, 2], [3, 4, 5]])], {}, "damaged shape"),
        ([shape(None)], {}, "damaged shape"),
        (["text"], {}, "damaged shape"),
        ([{**mask(np.ones((3, 5), bool), 16, 3), "mask": "####"}], {}, "damaged shape"),
        ([{**mask(np.ones((3, 5), bool), 16, 3), "points": [[3, 16], [29, 18]]}], {}, "as large as its box"),
        ([mask(np.ones((3, 5), bool), 18, 3)], {}, "outside the image"),
        ("text", {}, "no list of shapes"),
    ],
)
def test_what_is_damaged_is_said_in_a_sentence(tmp_path: Path, shapes: Any, more: dict, said: str) -> None:
    path = write(tmp_path / "a.json", shapes, **more)
    with pytest.raises(ImageError, match=said) as refused:
        labels_of(path)
    assert str(path) in str(refused.value)


def test_a_file_that_is_cut_short_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [shape(SQUARE)])
    path.write_text(path.read_text()[:-30])
    with pytest.raises(ImageError, match="no complete file"):
        labels_of(path)


def test_a_stack_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [shape(SQUARE)])
    with pytest.raises(ImageError, match="stack"):
        labels_of(path, (4, 20, 30))
