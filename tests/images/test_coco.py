"""Annotations in the format of COCO become labels, and what Segloop exports comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from skimage.measure import find_contours, label

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.cli.command import run
from segloop.core.errors import ImageError
from segloop.images.importers import find_import
from segloop.images.labels import read_labels

SHAPE = (1, 20, 30)


def write(path: Path, segmentations: list[Any], **image: Any) -> Path:
    content = {
        "images": [{"id": 7, "file_name": "plate1/a.tif", "width": 30, "height": 20, **image}],
        "annotations": [
            {"id": number, "image_id": 7, "category_id": 1, "segmentation": each}
            for number, each in enumerate(segmentations)
        ],
        "categories": [{"id": 1, "name": "object"}],
    }
    path.write_text(json.dumps(content))
    return path


def labels_of(path: Path, shape: tuple[int, int, int] = SHAPE) -> NDArray[Any]:
    found = find_import(path)
    assert found is not None
    (item,) = found.items
    return item.read(shape)


def test_outlines_and_masks_become_objects_in_their_order(tmp_path: Path) -> None:
    square = [[2, 1, 8, 1, 8, 5, 2, 5]]
    in_two_parts = [[10, 1, 13, 1, 13, 4, 10, 4], [10, 8, 13, 8, 13, 11, 10, 11]]
    mask = np.zeros((20, 30), bool)
    mask[14:18, 20:27] = True
    mask[15, 22] = False
    runs = {"size": [20, 30], "counts": run_lengths(mask)}

    labels = labels_of(write(tmp_path / "a.json", [square, in_two_parts, runs]))

    expected = np.zeros((20, 30), int)
    expected[1:5, 2:8] = 1
    expected[1:4, 10:13] = 2
    expected[8:11, 10:13] = 2
    expected[mask] = 3
    np.testing.assert_array_equal(labels, expected)


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    lengths, inside, length = [], False, 0
    for value in mask.T.ravel():
        if bool(value) is inside:
            length += 1
        else:
            lengths.append(length)
            inside, length = not inside, 1
    return [*lengths, length]


def compressed(lengths: list[int]) -> str:
    """Write run lengths as pycocotools does: groups of five bits, the lowest first, with their sign."""
    text = ""
    for index, length in enumerate(lengths):
        value = length - lengths[index - 2] if index > 2 else length
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            text += chr((bits | 0x20 if more else bits) + 48)
    return text


def test_a_known_compressed_mask_is_read(tmp_path: Path) -> None:
    # By hand: 5 outside, 3 inside, 92 outside are the characters 5, 3 and "l2", since 92 = 2 * 32 + 28.
    assert compressed([5, 3, 92]) == "53l2"
    runs = {"size": [10, 10], "counts": "53l2"}
    labels = labels_of(write(tmp_path / "a.json", [runs], width=10, height=10), (1, 10, 10))
    np.testing.assert_array_equal(np.flatnonzero(labels.T.ravel()), [5, 6, 7])


@pytest.mark.parametrize("seed", range(5))
def test_compressed_masks_are_read(tmp_path: Path, seed: int) -> None:
    mask = np.random.default_rng(seed).random((20, 30)) < (0.02, 0.2, 0.5, 0.9, 1.0)[seed]
    runs = {"size": [20, 30], "counts": compressed(run_lengths(mask))}
    np.testing.assert_array_equal(labels_of(write(tmp_path / "a.json", [runs])), mask)


def test_the_outlines_of_real_nuclei_give_their_labels_back(sample_nuclei: Path, tmp_path: Path) -> None:
    truth = tifffile.imread(sorted((sample_nuclei / "seg").glob("*.tif"))[4])
    outlines = []
    for value in np.unique(truth[truth > 0]):
        padded = np.pad(truth == value, 1)
        # At half the height, the line would pass through corner pixels; close to 0 it goes around them.
        outline = max(find_contours(padded, 0.01), key=len) - 1
        outlines.append([(outline[:, ::-1] + 0.5).ravel().tolist()])
    shape = (1, *truth.shape)
    path = write(tmp_path / "a.json", outlines, height=truth.shape[0], width=truth.shape[1])

    found = labels_of(path, shape)

    assert np.mean((found > 0) == (truth > 0)) > 0.999
    assert len(np.unique(found)) == len(np.unique(truth))


def test_what_was_exported_is_imported_as_it_was(sample_nuclei: Path, tmp_path: Path) -> None:
    source = [str(sample_nuclei / kind) for kind in ("raw", "seg")]
    first = tmp_path / "first"
    assert run(["dataset", "create", str(first), "--raw", source[0], "--seg", source[1], "--val", "0"]) == 0
    assert run(["dataset", "export", str(first), "--to", "coco", "--out", str(tmp_path / "coco")]) == 0
    again = ["--raw", str(tmp_path / "coco" / "train")]
    again += ["--seg", str(tmp_path / "coco" / "annotations" / "train.json")]

    assert run(["dataset", "create", str(tmp_path / "second"), *again]) == 0

    before, after = (CuratedDataset.open(tmp_path / name) for name in ("first", "second"))
    assert before.sample_ids == after.sample_ids
    for sample_id in before.sample_ids:
        one, other = (each.labels(each.sample(sample_id), "seg") for each in (before, after))
        np.testing.assert_array_equal(one > 0, other > 0)
        pairs = np.unique(np.stack([one[one > 0], other[one > 0]]), axis=1)
        assert pairs.shape[1] == len(np.unique(one[one > 0]))
    assert read_labels(tmp_path / "second-imported" / "seg" / f"{after.sample_ids[0]}.tif").any()


def test_crowds_are_left_out_and_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [[[2, 1, 8, 1, 8, 5, 2, 5]], [[10, 1, 13, 1, 13, 4, 10, 4]]])
    content = json.loads(path.read_text())
    content["annotations"][1]["iscrowd"] = 1
    path.write_text(json.dumps(content))

    assert label(labels_of(path) > 0).max() == 1
    found = find_import(path)
    assert found is not None
    assert found.description == "COCO annotations of 1 image, 1 crowd left out: exclude these regions"


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ([[1, 2]], "three corners"),
        ([], "three corners"),
        ([[1, 2, 3, 4, 5]], "reshape"),
        ([[1, 2, 3, 4, "x", 6]], "could not convert"),
        ([[1, 2, 3, float("nan"), 4, 6]], "finite"),
        ({"size": [20, 30], "counts": [1, 2]}, "do not fill"),
        ({"size": [20, 30], "counts": [-1, 601]}, "do not fill"),
        ({"size": [30, 20], "counts": [600]}, "do not fill"),
        ({"size": [20, 30], "counts": "\n"}, "character"),
        ({"size": [20, 30], "counts": "o"}, "index"),
        ({"counts": [600]}, "size"),
        (None, "NoneType"),
    ],
)
def test_a_damaged_annotation_is_named(tmp_path: Path, segmentation: Any, said: str) -> None:
    path = write(tmp_path / "a.json", [segmentation])
    with pytest.raises(ImageError, match=said) as raised:
        labels_of(path)
    assert str(path) in str(raised.value)
    assert "plate1/a" in str(raised.value)


@pytest.mark.parametrize(
    ("shape", "said"), [((1, 20, 31), "30 x 20 pixels, but it is 31 x 20"), ((4, 20, 30), "is a stack")]
)
def test_another_image_is_refused(tmp_path: Path, shape: tuple[int, int, int], said: str) -> None:
    with pytest.raises(ImageError, match=said):
        labels_of(write(tmp_path / "a.json", [[[2, 1, 8, 1, 8, 5]]]), shape)


@pytest.mark.parametrize(
    "content",
    [
        '{"images": [',
        '{"images": []}',
        '{"images": [{"id": 1}], "annotations": []}',
        '{"images": 3, "annotations": 4}',
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ImageError, match=r"a\.json is no complete file of COCO annotations"):
        find_import(tmp_path / "a.json")


def test_other_json_files_are_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"version": 1}')
    assert find_import(tmp_path / "a.json") is None
