"""New datasets out of folders and out of pixels in memory."""

from __future__ import annotations

import numpy as np
import pytest
from tifffile import imread

from segloop.core.errors import SegloopError
from segloop.curation.creating import (
    Folders,
    Layers,
    Plane,
    SplitShares,
    create_from_folders,
    create_from_layers,
)

NO_SIZE = (None, None, None)


@pytest.fixture
def nuclei(sample_nuclei):
    return tuple(imread(sample_nuclei / name / "000.tif") for name in ("raw", "seg"))


def test_folders_are_paired_by_stem(sample_nuclei, tmp_path):
    source = Folders(str(sample_nuclei / "raw"), {"seg": str(sample_nuclei / "seg")})
    dataset, problems = create_from_folders(tmp_path / "new", source, SplitShares(val=0.5))
    assert (len(dataset.sample_ids), problems) == (29, ())
    assert 10 <= sum(sample.split == "val" for sample in dataset.samples()) <= 19


def test_a_folder_that_was_not_named_is_asked_for(sample_nuclei, tmp_path):
    with pytest.raises(SegloopError, match="raw images"):
        create_from_folders(tmp_path / "new", Folders("", {"seg": str(sample_nuclei / "seg")}), SplitShares())


def test_layers_become_files_with_channels_by_name(nuclei, tmp_path):
    raw, seg = nuclei
    planes = (Plane("DAPI", raw), Plane("GFP", raw[::-1]))
    source = Layers(planes, {"seg": Plane("nuclei", seg)}, (None, 0.5, 0.5), tmp_path / "images")
    dataset, _ = create_from_layers(tmp_path / "new", source, SplitShares())
    image = dataset.raw(next(dataset.samples()))
    assert image.channel_names == ("DAPI", "GFP")
    assert image.pixel_size_um[1:] == (0.5, 0.5)
    assert np.array_equal(dataset.labels(next(dataset.samples()))[0], seg)


def test_rgb_layers_become_three_channels(nuclei, tmp_path):
    raw, seg = nuclei
    rgb = np.stack([raw, raw, raw], axis=-1)
    source = Layers(
        (Plane("photo", rgb, rgb=True),), {"seg": Plane("nuclei", seg)}, NO_SIZE, tmp_path / "images"
    )
    dataset, _ = create_from_layers(tmp_path / "new", source, SplitShares())
    assert dataset.raw(next(dataset.samples())).channel_names == ("red", "green", "blue")


def test_layers_of_other_shapes_are_named_and_leave_nothing_behind(nuclei, tmp_path):
    raw, seg = nuclei
    source = Layers((Plane("cells", raw),), {"seg": Plane("half", seg[:10])}, NO_SIZE, tmp_path / "images")
    with pytest.raises(SegloopError, match="half"):
        create_from_layers(tmp_path / "new", source, SplitShares())
    assert list(tmp_path.iterdir()) == []


def test_a_layer_with_time_is_refused_with_the_remedy(nuclei, tmp_path):
    _, seg = nuclei
    source = Layers(
        (Plane("movie", np.zeros((2, 3, 4, 5))),), {"seg": Plane("x", seg)}, NO_SIZE, tmp_path / "images"
    )
    with pytest.raises(SegloopError, match="movie has 4 dimensions"):
        create_from_layers(tmp_path / "new", source, SplitShares())


@pytest.mark.parametrize(
    ("value", "sentence"),
    [(-1, "nuclei holds values below 0"), (2**32 + 5, "nuclei holds values up to 42949")],
)
def test_labels_that_no_file_can_hold_are_refused(nuclei, tmp_path, value, sentence):
    raw, seg = nuclei
    labels = seg.astype(np.int64)
    labels[0, 0] = value
    source = Layers((Plane("cells", raw),), {"seg": Plane("nuclei", labels)}, NO_SIZE, tmp_path / "images")
    with pytest.raises(SegloopError, match=sentence):
        create_from_layers(tmp_path / "new", source, SplitShares())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.uint64])
def test_labels_of_any_integer_type_keep_their_values(nuclei, tmp_path, dtype):
    raw, seg = nuclei
    labels = (seg % 100).astype(dtype)
    source = Layers((Plane("cells", raw),), {"seg": Plane("nuclei", labels)}, NO_SIZE, tmp_path / "images")
    dataset, _ = create_from_layers(tmp_path / "new", source, SplitShares())
    assert np.array_equal(dataset.labels(next(dataset.samples()))[0], labels)
