"""What was curated with the Allen plugin becomes a dataset: files, base, regions, split; no pickle is run."""

from __future__ import annotations

import csv
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.cli.command import run
from segloop.core.errors import DatasetError
from segloop.curation.allen_tables import import_tables
from segloop.curation.polygon_file import read_polygons
from segloop.images.write import write_image

COLUMNS = ["", "raw", "seg1", "seg2", "merge_mask", "exclude_mask", "base_image"]
TRIANGLE = np.array([[2.2, 3.1], [20.7, 5.4], [9.5, 27.3]])
HEXAGON = np.array([[4.0, 4.0], [4.0, 20.0], [12.0, 26.0], [20.0, 20.0], [20.0, 4.0], [12.0, 1.5]])


def save_outlines(path: Path, outlines: list[NDArray[np.float64]]) -> Path:
    """Save outlines as the plugin does; numpy pickles them if their lengths differ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if len({len(each) for each in outlines}) == 1:
        np.save(path, outlines)
    else:
        ragged = np.empty(len(outlines), object)
        ragged[:] = outlines
        np.save(path, ragged)
    return path


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """The folder of an experiment: six stacks, of which the plugin has put two aside."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(6):
        files = {}
        for kind in ("raw", "seg1", "seg2"):
            files[kind] = tmp_path / "images" / kind / f"{number}.tif"
            top = 2 if kind != "raw" else 255
            pixels = generator.integers(0, top, (3, 32, 32), dtype=np.uint8)
            write_image(files[kind], pixels, axes="ZYX")
        rows.append([str(number), *map(str, files.values()), "", "", "seg1"])
    masks = tmp_path / "masks"
    rows[0][4] = str(save_outlines(masks / "merging_masks" / "merging_mask_0.npy", [TRIANGLE, HEXAGON]))
    rows[0][5] = str(save_outlines(masks / "excluding_masks" / "excluding_mask_0.npy", [TRIANGLE + 4]))
    rows[0][6] = "seg2"
    rows[1][3] = ""
    rows[1][6] = "None"
    for name, some in (("train", rows[:4]), ("test", rows[4:]), ("val", rows[4:])):
        table = tmp_path / "experiment" / "data" / f"{name}.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *some])
    return tmp_path / "experiment"


def test_everything_that_was_decided_is_kept(experiment: Path, tmp_path: Path) -> None:
    made, problems = import_tables(tmp_path / "d", experiment)

    assert problems == ()
    assert made.counts().accepted == 6
    assert len(made.split("train")) == 4
    assert len(made.split("val")) == 2
    first, second = made.sample("0"), made.sample("1")
    assert (first.base, first.segmentation_names) == ("seg2", ("seg1", "seg2"))
    assert (second.base, second.segmentation_names) == ("seg1", ("seg1",))
    assert [(region.kind, region.segmentation) for region in first.regions] == [
        ("merge", "seg1"),
        ("merge", "seg1"),
        ("exclude", ""),
    ]


def test_the_ground_truth_is_the_one_that_the_plugin_trained_on(experiment: Path, tmp_path: Path) -> None:
    made, _ = import_tables(tmp_path / "d", experiment)

    truth = made.ground_truth(made.sample("0"))

    images = tmp_path / "images"
    base, other = (tifffile.imread(images / kind / "0.tif") for kind in ("seg2", "seg1"))
    merged = polygon2mask((32, 32), TRIANGLE) | polygon2mask((32, 32), HEXAGON)
    valid = np.broadcast_to(~polygon2mask((32, 32), TRIANGLE + 4), base.shape)
    expected = np.where(merged, other, base)
    np.testing.assert_array_equal(truth.valid, valid)
    np.testing.assert_array_equal(truth.labels[valid], expected[valid])


@pytest.mark.parametrize(
    "outlines",
    [
        [TRIANGLE],
        [TRIANGLE, TRIANGLE + 1],
        [TRIANGLE, HEXAGON],
        [TRIANGLE.astype(np.float32), HEXAGON.astype(">f8"), np.asfortranarray(HEXAGON + 2)],
        [HEXAGON.astype(int), TRIANGLE],
        [],
    ],
    ids=["one", "equal", "ragged", "types", "whole numbers", "none"],
)
def test_outlines_come_back_as_they_were_saved(tmp_path: Path, outlines: list[NDArray[np.float64]]) -> None:
    found = read_polygons(save_outlines(tmp_path / "m.npy", outlines))

    assert len(found) == len(outlines)
    for each, saved in zip(found, outlines, strict=True):
        np.testing.assert_array_equal(each, saved)


def test_outlines_drawn_on_a_slice_of_a_stack_lose_their_slice(tmp_path: Path) -> None:
    in_slice = np.column_stack([np.full(3, 7.0), TRIANGLE])
    found = read_polygons(save_outlines(tmp_path / "m.npy", [in_slice]))
    np.testing.assert_array_equal(found[0], TRIANGLE)


class _Touch:
    """Creates a file when it is unpickled, as malicious code could do anything."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "it-ran"
    array = np.empty(2, object)
    array[:] = [TRIANGLE, _Touch(trace)]
    np.save(tmp_path / "m.npy", array)

    with pytest.raises(DatasetError, match=r"m\.npy"):
        read_polygons(tmp_path / "m.npy")
    assert not trace.exists()
    np.load(tmp_path / "m.npy", allow_pickle=True)
    assert trace.exists()  # so the file is a real one


def _with_header(pickled: bytes) -> bytes:
    array = np.empty(1, object)
    array[0] = TRIANGLE
    stream = io.BytesIO()
    np.save(stream, array)
    content = stream.getvalue()
    return content[: content.index(b"\n") + 1] + pickled


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no numpy file",
        _with_header(b""),
        _with_header(pickle.dumps("text")),
        _with_header(pickle.dumps({"a": [1]})),
        _with_header(pickle.dumps([TRIANGLE])),
        _with_header(pickle.dumps(np.array(["text"], object))),
        _with_header(pickle.dumps(np.array([np.nan]))),
        _with_header(b"\x80\x04cos\nsystem\n\x8c\x04true\x85R."),
        _with_header(b"\x80\x04N" + b"r\xff\xff\xff\x7f" + b"."),
        _with_header(pickle.dumps(np.array([TRIANGLE, HEXAGON], object), protocol=0)),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.npy").write_bytes(content)
    with pytest.raises(DatasetError, match=r"m\.npy holds no outlines .*: draw them again\.$"):
        read_polygons(tmp_path / "m.npy")


def test_one_array_named_many_times_does_not_fill_the_memory(tmp_path: Path) -> None:
    array = np.empty(100_000, object)
    many = np.zeros((5_000, 2))
    array[:] = [many] * len(array)
    np.save(tmp_path / "m.npy", array)
    assert (tmp_path / "m.npy").stat().st_size < 2**20
    with pytest.raises(DatasetError, match="more than 2,000,000 corners"):
        read_polygons(tmp_path / "m.npy")


def test_a_row_whose_outlines_are_missing_is_left_out_and_named(experiment: Path, tmp_path: Path) -> None:
    (tmp_path / "masks" / "excluding_masks" / "excluding_mask_0.npy").unlink()
    (tmp_path / "images" / "seg1" / "2.tif").unlink()

    made, problems = import_tables(tmp_path / "d", experiment)

    assert made.sample_ids == ("1", "3", "4", "5")
    assert [
        name in problem for name, problem in zip(("excluding_mask_0.npy", "2.tif"), problems, strict=True)
    ]


def test_by_the_command_line(experiment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dataset", "import", str(tmp_path / "d"), str(experiment), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["n_samples"], said["train"], said["val"], said["test"], said["n_regions"]) == (6, 4, 2, 0, 3)
    dataset = CuratedDataset.open(tmp_path / "d")
    assert all(dataset.sample(each).verdict is Verdict.accepted for each in dataset.sample_ids)
    # The regions can be edited and there is nothing to undo: the import is the beginning.
    assert dataset.undo() == ()


def test_one_table_of_another_name_is_split_anew(experiment: Path, tmp_path: Path) -> None:
    table = experiment / "data" / "train.csv"
    table.rename(tmp_path / "mine.csv")
    made, _ = import_tables(tmp_path / "d", tmp_path / "mine.csv", val=0.5)
    assert len(made.split("val")) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no column raw and no column seg1"),
        ("raw,mask\na,b\n", "no column seg1"),
        ("raw,seg1\n,b.tif\n", "line 2, names no file in the column raw or seg1"),
        ("raw,seg1,seg2,base_image\na.tif,b.tif,,seg2\n", "line 2, has the base_image 'seg2'"),
        ("raw,seg1\n", "names no images"),
        (b"raw,seg1\n\xff\xfe,b\n", "is no table of comma-separated values"),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, content: str | bytes, said: str) -> None:
    table = tmp_path / "train.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatasetError, match=said) as raised:
        import_tables(tmp_path / "d", tmp_path)
    assert str(tmp_path) in str(raised.value)
    assert not (tmp_path / "d").exists()
