from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.new_samples import group_of, unique_ids
from segloop.core.errors import DatasetError
from segloop.images.pairing import Pair, pair_by_stem
from segloop.images.recipe import resolve_channels
from segloop.images.write import write_image

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
    (problem,) = problems_of(
        [*nuclei_pairs, bad("x", seg=np.full((256, 256), 0.5, np.float32))], tmp_path / "d"
    )
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


def two_channels(folder: Path, **names: tuple[str, str]) -> list[Pair]:
    """Write an image of two channels for each, with the channels' names, and a segmentation."""
    pairs = []
    for stem, channel_names in names.items():
        raw, seg = folder / "raw" / f"{stem}.tif", folder / "seg" / f"{stem}.tif"
        for file in (raw, seg):
            file.parent.mkdir(exist_ok=True)
        pixels = np.arange(128, dtype=np.uint8).reshape(2, 8, 8)
        write_image(raw, pixels, axes="CYX", channel_names=channel_names)
        write_image(seg, np.zeros((8, 8), np.uint8), axes="YX")
        pairs.append(Pair(stem, raw, seg))
    return pairs


def test_channels_in_another_order_are_found_by_name(tmp_path: Path) -> None:
    pairs = two_channels(tmp_path, a=("DAPI", "GFP"), b=("gfp", "Dapi"))
    dataset = CuratedDataset.create(tmp_path / "d", pairs)
    found = [resolve_channels(dataset.raw(sample), dataset.channels) for sample in dataset.samples()]
    assert dataset.channels == ("DAPI", "GFP")
    assert found == [(0, 1), (1, 0)]
    assert dataset.creation_warnings == ()


def test_images_added_later_may_spell_their_channels_in_other_case(tmp_path: Path) -> None:
    first, again, other = two_channels(tmp_path, a=("DAPI", "GFP"), b=("gfp", "Dapi"), c=("DAPI", "Cy5"))
    dataset = CuratedDataset.create(tmp_path / "d", [first])
    (problem,) = dataset.add([again, other])
    assert dataset.sample_ids == ("a", "b")
    assert "raw/c.tif has no channel GFP" in problem


def test_channels_with_other_names_go_by_number_and_are_reported(tmp_path: Path) -> None:
    pairs = two_channels(tmp_path, a=("DAPI", "GFP"), b=("DAPI", "GFP"), c=("GFP", "mCherry"))
    dataset = CuratedDataset.create(tmp_path / "d", pairs)
    assert dataset.channels == ("0", "1")
    assert dataset.sample_ids == ("a", "b", "c")
    assert dataset.creation_problems == ()
    (warning,) = dataset.creation_warnings
    assert warning == (
        "The channels of raw/c.tif (GFP, mCherry) have other names than those of raw/a.tif (DAPI, GFP), so "
        "channels are used by their number: rename them, or put the image into a dataset of its own."
    )


def test_channels_that_one_name_fits_twice_go_by_number_and_are_reported(tmp_path: Path) -> None:
    pairs = two_channels(tmp_path, a=("DAPI", "DAPI"), b=("DAPI", "GFP"))
    dataset = CuratedDataset.create(tmp_path / "d", pairs)
    assert dataset.channels == ("0", "1")
    assert len(dataset.creation_warnings) == 1


def test_equal_names_that_fit_twice_go_by_number_without_a_word(tmp_path: Path) -> None:
    pairs = two_channels(tmp_path, a=("DAPI", "DAPI"), b=("DAPI", "DAPI"))
    dataset = CuratedDataset.create(tmp_path / "d", pairs)
    assert (dataset.channels, dataset.creation_warnings) == (("0", "1"), ())


def test_a_single_channel_goes_by_number_without_a_word(nuclei_pairs: list[Pair], tmp_path: Path) -> None:
    raw = tmp_path / "raw.tif"
    write_image(raw, tifffile.imread(nuclei_pairs[1].raw), axes="YX", channel_names=("Hoechst",))
    pairs = [nuclei_pairs[0], Pair("x", raw, nuclei_pairs[1].seg)]
    dataset = CuratedDataset.create(tmp_path / "d", pairs)
    assert (dataset.channels, dataset.creation_warnings) == (("0",), ())


@pytest.mark.parametrize("asked", ["dapi", "DAPI"])
def test_a_channel_asked_for_by_name_keeps_its_name(tmp_path: Path, asked: str) -> None:
    pairs = two_channels(tmp_path, a=("dapi", "GFP"), b=("GFP", "DAPI"))
    dataset = CuratedDataset.create(tmp_path / "d", pairs, channel=asked)
    found = [resolve_channels(dataset.raw(sample), dataset.channels) for sample in dataset.samples()]
    assert dataset.channels == (asked,)
    assert found == [(0,), (1,)]
    assert dataset.creation_warnings == ()


@pytest.mark.parametrize(
    "metadata",
    [
        "[]",
        '{"attributes": []}',
        '{"attributes": {"ome": 5}}',
        '{"attributes": {"ome": {"multiscales": [7]}}}',
        '{"attributes": {"ome": {"multiscales": [{}]}}}',
        '{"attributes": {"ome": {"multiscales": [{"datasets": []}]}}}',
        '{"attributes": {"ome": {"multiscales": [{"datasets": [{"path": 3}]}]}}}',
        '{"attributes": {"bioformats2raw.layout": 3}}',
        "[" * 100_000,
        "\xff",
    ],
)
def test_a_zarr_with_malformed_metadata_is_left_out(
    nuclei_pairs: list[Pair], tmp_path: Path, metadata: str
) -> None:
    store = tmp_path / "broken.ome.zarr"
    store.mkdir()
    (store / "zarr.json").write_text(metadata, "latin-1")
    pairs = [*nuclei_pairs[:2], Pair("x", store, nuclei_pairs[0].seg)]
    (problem,) = problems_of(pairs, tmp_path / "d")
    assert "broken.ome.zarr" in problem


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


def test_ids_of_any_script_fit_into_a_file_name() -> None:
    long = unique_ids(["細胞核" * 40, "細胞核" * 41, "é" * 200, "a" * 200])
    assert all(len(identifier.encode()) <= 190 for identifier in long)
    assert long[0] != long[1]
    assert long[3] == "a" * 100


@pytest.mark.parametrize(
    ("pattern", "group"),
    [(None, "mouse3_slice7"), (r"(mouse\d+)_", "mouse3"), (r"mouse\d+", "mouse3"), ("rat", "mouse3_slice7")],
)
def test_group_is_found_in_the_stem(pattern: str | None, group: str) -> None:
    assert group_of("mouse3_slice7", pattern) == group


def test_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(DatasetError, match="not a regular expression"):
        group_of("a", "(")
