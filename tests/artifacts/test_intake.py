from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.artifacts.dataset import CuratedDataset
from segloop.artifacts.enrolment import group_of, unique_ids
from segloop.core.errors import DatasetError
from segloop.images.pairing import Pair, pair_by_stem

Maker = Callable[..., Pair]


@pytest.fixture
def bad(nuclei_pairs: list[Pair], tmp_path: Path) -> Maker:
    """Makes a pair of which raw image or segmentation is replaced by another array."""

    def make(
        name: str, raw: np.ndarray | None = None, seg: np.ndarray | None = None, axes: str = "YX"
    ) -> Pair:
        files = {"raw": nuclei_pairs[0].raw, "seg": nuclei_pairs[0].seg}
        for side, array in (("raw", raw), ("seg", seg)):
            if array is not None:
                files[side] = tmp_path / side / f"{name}.tif"
                files[side].parent.mkdir(exist_ok=True)
                tifffile.imwrite(
                    files[side], array, photometric="minisblack", imagej=True, metadata={"axes": axes}
                )
        return Pair(name, **files)

    return make


def problems_of(pairs: list[Pair], path: Path, **options) -> tuple[str, ...]:
    dataset = CuratedDataset.create(path, pairs, **options)
    assert len(dataset.sample_ids) == len(pairs) - len(dataset.creation_problems)
    return dataset.creation_problems


def test_segmentation_of_another_size_is_left_out(
    nuclei_pairs: list[Pair], bad: Maker, tmp_path: Path
) -> None:
    (problem,) = problems_of([*nuclei_pairs, bad("x", seg=np.zeros((9, 8), np.uint8))], tmp_path / "d")
    assert problem.startswith("seg/x.tif is 9 × 8 pixels (Y × X) but raw/000.tif is")
    assert "export one of them again" in problem


def test_float_segmentation_is_left_out(nuclei_pairs: list[Pair], bad: Maker, tmp_path: Path) -> None:
    (problem,) = problems_of([*nuclei_pairs, bad("x", seg=np.zeros((256, 256), np.float32))], tmp_path / "d")
    assert "x.tif" in problem
    assert "not labels" in problem


def test_missing_file_is_left_out(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    gone = Pair("gone", tmp_path / "gone.tif", nuclei_pairs[0].seg)
    (problem,) = problems_of([*nuclei_pairs, gone], tmp_path / "d")
    assert "gone.tif" in problem


def test_single_slice_among_stacks_is_left_out(bad: Maker, tmp_path: Path) -> None:
    stack = np.zeros((3, 16, 16), np.uint8)
    flat = bad("flat", stack[0], stack[0])
    stacks = [bad(name, stack, stack, "ZYX") for name in ("a", "b")]
    (problem,) = problems_of([flat, *stacks], tmp_path / "d")
    assert problem.startswith("raw/flat.tif has only one slice but the other images are stacks")


def test_image_with_other_channels_is_left_out(nuclei_pairs: list[Pair], bad: Maker, tmp_path: Path) -> None:
    raw = bad("two", raw=np.zeros((2, 16, 16), np.uint8), axes="CYX").raw
    two = Pair("two", raw, bad("two", seg=np.zeros((16, 16), np.uint8)).seg)
    (problem,) = problems_of([*nuclei_pairs, two], tmp_path / "d")
    assert problem == "raw/two.tif has 2 channels but most others have 1: say which channel to use."


def test_channel_that_does_not_exist_is_named(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"None of the 6 pairs can be used.*membrane"):
        CuratedDataset.create(tmp_path / "d", nuclei_pairs, channel="membrane")
    assert not (tmp_path / "d").exists()


def test_channel_asked_for_is_what_the_dataset_uses(test_data: Path, tmp_path: Path) -> None:
    folder = test_data / "dsb2018_rgb_histology" / "val"
    pairs = pair_by_stem(folder / "raw", folder / "seg").pairs[:2]
    every = CuratedDataset.create(tmp_path / "every", pairs)
    second = CuratedDataset.create(tmp_path / "second", pairs, channel="1")
    assert len(every.channels) == 3
    assert second.channels == every.channels[1:2]


def test_numbered_objects_are_told_from_a_mask(nuclei_pairs: list[Pair], bad: Maker, tmp_path: Path) -> None:
    mask = (tifffile.imread(nuclei_pairs[0].seg) > 0).astype(np.uint8) * 255
    assert CuratedDataset.create(tmp_path / "a", nuclei_pairs).label_kind == "instances"
    assert CuratedDataset.create(tmp_path / "b", [bad("m", seg=mask)]).label_kind == "semantic"
    assert CuratedDataset.create(tmp_path / "c", nuclei_pairs, label_kind="semantic").label_kind == "semantic"


def test_pixel_size_is_the_usual_one(tmp_path: Path) -> None:
    pairs = []
    for name, resolution in (("a", 4.0), ("b", 4.0), ("c", 2.0)):
        for side in ("raw", "seg"):
            (tmp_path / side).mkdir(exist_ok=True)
            tifffile.imwrite(
                tmp_path / side / f"{name}.ome.tif",
                np.zeros((8, 8), np.uint8),
                metadata={
                    "axes": "YX",
                    "PhysicalSizeX": 1 / resolution,
                    "PhysicalSizeXUnit": "µm",
                    "PhysicalSizeY": 1 / resolution,
                    "PhysicalSizeYUnit": "µm",
                },
            )
        pairs.append(Pair(name, tmp_path / "raw" / f"{name}.ome.tif", tmp_path / "seg" / f"{name}.ome.tif"))
    assert CuratedDataset.create(tmp_path / "d", pairs).pixel_size_um[1:] == (0.25, 0.25)


def test_ids_are_unlike_each_other_on_every_file_system() -> None:
    assert unique_ids(["plate1/a01", "A b", "a_b", "a_b", "con", "...", "µ-1", "x"], taken=["X"]) == [
        "plate1__a01",
        "A_b",
        "a_b_2",
        "a_b_3",
        "_con_",
        "sample",
        "µ-1",
        "x_2",
    ]


@pytest.mark.parametrize(
    ("pattern", "group"),
    [(None, "mouse3_slice7"), (r"(mouse\d+)_", "mouse3"), (r"mouse\d+", "mouse3"), ("rat", "mouse3_slice7")],
)
def test_group_is_found_in_the_stem(pattern: str | None, group: str) -> None:
    assert group_of("mouse3_slice7", pattern) == group


def test_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(DatasetError, match="not a regular expression"):
        group_of("a", "(")
