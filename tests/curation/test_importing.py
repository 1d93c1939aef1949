"""New datasets from segmentations of other tools."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from roifile import ROI_TYPE, ImagejRoi

from faults import CODES, FAULTS
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.cli.command import run as run_command
from segloop.core.context import Context
from segloop.core.errors import DatasetError, SegloopError
from segloop.curation.creating import Folders, SplitShares, create_from_folders, create_from_pairs
from segloop.curation.importing import plan_import
from segloop.curation.pairing_table import make_pairing_table, pair_by_hand


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three raw images; ROI sets of two of them, one of which has no areas, and of another image."""
    for name in ("raw", "rois"):
        (tmp_path / name).mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
    for name in ("a1", "a2", "a3"):
        tifffile.imwrite(tmp_path / "raw" / f"{name}_raw.tif", pixels)
    areas = [ImagejRoi(roitype=ROI_TYPE.RECT, top=y, left=3, bottom=y + 8, right=30) for y in (2, 20)]
    line = ImagejRoi(roitype=ROI_TYPE.LINE, x1=0, y1=0, x2=5, y2=5)
    for name, rois in {"a1": areas, "a2": [line], "other": areas}.items():
        with zipfile.ZipFile(tmp_path / "rois" / f"RoiSet_{name}.zip", "w") as archive:
            for number, roi in enumerate(rois):
                archive.writestr(f"{number}.roi", roi.tobytes())
    return tmp_path


def test_roi_sets_become_a_segmentation_whose_origin_is_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--raw", str(folder / "raw"), "--seg", f"manual={folder / 'rois'}", "--val", "0"]

    status = run_command(["dataset", "create", str(folder / "cells"), *arguments])

    said = capsys.readouterr()
    assert status == 1  # two of the images are left out
    assert f"manual: 3 ImageJ ROI sets, written as label images into {folder / 'cells-imported'}" in said.out
    assert "RoiSet_a2.zip holds lines or points only" in said.err
    assert f"{folder / 'rois' / 'RoiSet_other.zip'}" in said.err
    assert "other.tif" not in said.err
    dataset = CuratedDataset.open(folder / "cells")
    (sample,) = dataset.samples()
    labels = dataset.labels(sample, "manual")
    assert labels.shape == (1, 40, 50)
    assert labels[0, 2:10, 3:30].min() == 1 == labels[0, :19].max()
    assert (labels[0, 20:28, 3:30] == 2).all()
    source = sample.segmentation("manual").source
    assert (source.kind, source.importer) == ("imported", "imagej_rois")
    assert source.original == "../rois/RoiSet_a1.zip"


def test_a_dry_run_names_the_original_files_and_writes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--raw", str(folder / "raw"), "--seg", str(folder / "rois"), "--dry-run"]

    run_command(["dataset", "create", str(folder / "cells"), *arguments])

    assert str(folder / "rois" / "RoiSet_a1.zip") in capsys.readouterr().out
    assert not (folder / "cells-imported").exists()


def test_the_dock_creates_a_dataset_of_them_too(folder: Path) -> None:
    source = Folders(str(folder / "raw"), {"seg": str(folder / "rois" / "*a1.zip")})

    dataset, said = create_from_folders(folder / "cells", source, SplitShares(0, 0))

    assert len(dataset.sample_ids) == 1
    assert any("seg: 1 ImageJ ROI set" in sentence for sentence in said)
    assert f"segmentations in {folder / 'rois' / '*a1.zip'}" in said[0]


def test_nothing_is_left_of_an_import_that_fails(folder: Path) -> None:
    planned = plan_import(folder / "raw", {"seg": str(folder / "rois" / "*a2.zip")}, folder / "cells")

    with (
        pytest.raises(DatasetError, match=r"None of the segmentations can be imported.*a2\.zip"),
        planned.written(Context()),
    ):
        pass

    assert not (folder / "cells-imported").exists()


def test_the_table_of_pairs_examines_roi_sets_as_it_does_label_images(folder: Path) -> None:
    source = Folders(str(folder / "raw"), {"manual": str(folder / "rois")})

    table = make_pairing_table(source, Context())

    rows = {row.raw.name: row for row in table.rows if row.raw is not None}
    assert rows["a1_raw.tif"].status == "paired"
    assert rows["a1_raw.tif"].segmentations == {"manual": folder / "rois" / "RoiSet_a1.zip"}
    assert rows["a2_raw.tif"].status == "unusable"
    assert "RoiSet_a2.zip holds lines or points only" in rows["a2_raw.tif"].why
    assert set(table.free) == {folder / "rois" / f"RoiSet_{name}.zip" for name in ("a2", "other")}


def test_a_roi_set_that_was_chosen_by_hand_is_imported(folder: Path) -> None:
    source = Folders(str(folder / "raw"), {"manual": str(folder / "rois")})
    rows = {row.raw: row for row in make_pairing_table(source, Context()).rows}
    by_name = rows[folder / "raw" / "a1_raw.tif"]
    chosen = folder / "rois" / "RoiSet_other.zip"
    by_hand = pair_by_hand(rows[folder / "raw" / "a3_raw.tif"], chosen, source, Context())

    assert by_hand.status == "paired"
    assert by_name.pair is not None
    assert by_hand.pair is not None
    dataset, _ = create_from_pairs(
        folder / "cells", [by_name.pair, by_hand.pair], source, SplitShares(0, 0), Context()
    )

    origins = {sample.id: sample.segmentation("manual").source.original for sample in dataset.samples()}
    assert origins == {"a1_raw": "../rois/RoiSet_a1.zip", "a3_raw": "../rois/RoiSet_other.zip"}
    assert all(dataset.labels(sample, "manual").max() == 2 for sample in dataset.samples())


def test_a_folder_that_appears_meanwhile_is_left_as_it_is(folder: Path) -> None:
    planned = plan_import(folder / "raw", {"seg": str(folder / "rois" / "*a1.zip")}, folder / "cells")
    (folder / "cells-imported").mkdir()
    (folder / "cells-imported" / "mine.txt").write_text("precious")

    with (
        pytest.raises(DatasetError, match=r"cells-imported, the folder .*, already exists"),
        planned.written(Context()),
    ):
        pass

    assert [path.name for path in (folder / "cells-imported").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("code", CODES, ids=["disk full", "disk error"])
def test_every_refused_call_of_an_import_leaves_a_whole_dataset_or_nothing(folder: Path, code: int) -> None:
    source = Folders(str(folder / "raw"), {"manual": str(folder / "rois" / "*a1.zip")})
    number, refused, finished = 0, 0, False
    while not finished:
        number += 1
        made = folder / f"study{number}"
        made.mkdir()
        failed = None
        with FAULTS.at(number, code, made):
            try:
                create_from_folders(made / "cells", source, SplitShares(0, 0))
            except SegloopError as error:
                failed = error
        finished = FAULTS.count < number
        if failed is not None:
            refused += 1
            assert str(made) in str(failed), f"call {number}"
            assert list(made.iterdir()) == [], f"call {number}"
            create_from_folders(made / "cells", source, SplitShares(0, 0))
        dataset = CuratedDataset.open(made / "cells")
        assert [dataset.labels(sample, "manual").max() for sample in dataset.samples()] == [2]
        assert sorted(path.name for path in made.iterdir()) == ["cells", "cells-imported"], f"call {number}"
    assert refused > 3
