"""Named segmentations of a sample, their sources and corrected versions, on real images."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.labels import smallest_label_type
from segloop.artifacts.dataset.manifest import Region
from segloop.artifacts.dataset.segmentation import CorrectedCopy, FileSource, ImageRef, PredictionSource
from segloop.core.errors import DatasetError, SegloopError
from segloop.images.pairing import Pair

HERE = Path(__file__).parent


def inverted(dataset: CuratedDataset, name: str = "seg") -> np.ndarray:
    labels = dataset.labels(dataset.sample("015"), name)
    return np.where(labels > 0, 0, 1)


def test_segmentations_go_by_their_names(dataset: CuratedDataset, nuclei_pairs: list[Pair]) -> None:
    sample = dataset.sample("015")
    assert sample.segmentation_names == ("seg", "otsu")
    for name, file in nuclei_pairs[1].segmentations.items():
        assert np.array_equal(dataset.labels(sample, name)[0], tifffile.imread(file))
    with pytest.raises(DatasetError, match="Sample 015 has no segmentation cellpose: it has seg, otsu"):
        dataset.labels(sample, "cellpose")


def test_a_corrected_version_is_used_from_now_on(dataset: CuratedDataset) -> None:
    original, corrected = dataset.labels(dataset.sample("015"), "seg"), inverted(dataset)
    dataset.correct_labels("015", "seg", corrected, note="all of it")
    again = CuratedDataset.open(dataset.path)
    sample = again.sample("015")
    assert [(each.number, each.note) for each in sample.segmentation("seg").versions] == [(1, "all of it")]
    assert np.array_equal(again.labels(sample, "seg"), corrected)
    assert np.array_equal(again.labels(sample, "seg", 1), corrected)
    assert np.array_equal(again.labels(sample, "seg", 0), original)
    assert np.array_equal(again.ground_truth(sample).labels, corrected)


def test_corrections_never_touch_the_files_they_start_from(
    dataset: CuratedDataset, nuclei_pairs: list[Pair]
) -> None:
    files = [file for pair in nuclei_pairs for file in (pair.raw, *pair.segmentations.values())]
    before = [(file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]
    dataset.correct_labels("015", "seg", inverted(dataset))
    dataset.correct_labels("015", "otsu", inverted(dataset, "otsu"))
    after = [(file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]
    assert after == before


def test_a_version_is_never_overwritten_even_after_undo(dataset: CuratedDataset) -> None:
    first, second = inverted(dataset), np.zeros_like(inverted(dataset))
    dataset.correct_labels("015", "seg", first)
    dataset.undo()
    dataset.correct_labels("015", "seg", second)
    sample = dataset.sample("015")
    assert sample.segmentation("seg").newest == 2
    assert not dataset.labels(sample, "seg").any()
    dataset.undo()
    assert dataset.labels(dataset.sample("015"), "seg").any()
    (redone,) = dataset.redo()
    assert not dataset.labels(redone, "seg").any()
    stored = dataset.path / "labels" / "015" / "seg"
    assert sorted(folder.name for folder in stored.iterdir()) == ["1", "2"]


def test_a_version_that_is_not_there_is_named(dataset: CuratedDataset) -> None:
    sample = dataset.correct_labels("015", "seg", inverted(dataset))
    with pytest.raises(DatasetError, match="seg of sample 015 has no version 7: it has 0, 1"):
        dataset.labels(sample, "seg", 7)


def test_a_copy_is_corrected_independently_of_what_it_copies(dataset: CuratedDataset) -> None:
    dataset.correct_labels("015", "seg", inverted(dataset))
    dataset.copy_segmentation("015", "mine", of="seg")
    assert dataset.sample("015").segmentation("mine").source == CorrectedCopy(of="seg", version=1)
    original = dataset.labels(dataset.sample("015"), "seg")
    assert np.array_equal(dataset.labels(dataset.sample("015"), "mine"), original)
    sample = dataset.correct_labels("015", "mine", np.zeros_like(original))
    assert not dataset.labels(sample, "mine").any()
    assert np.array_equal(dataset.labels(sample, "seg"), original)


@pytest.mark.parametrize(("of", "version"), [("cellpose", 0), ("seg", 1), ("copy", 0)])
def test_a_copy_of_what_is_not_there_is_refused(dataset: CuratedDataset, of: str, version: int) -> None:
    with pytest.raises(DatasetError, match=f"copies version {version} of {of}, which is not among those"):
        dataset.add_segmentation("015", "copy", CorrectedCopy(of=of, version=version))
    with pytest.raises(DatasetError, match="has no segmentation cellpose"):
        dataset.copy_segmentation("015", "copy", of="cellpose")


def test_a_prediction_is_added_with_the_model_it_comes_from(
    dataset: CuratedDataset, nuclei_pairs: list[Pair], tmp_path: Path
) -> None:
    file = tmp_path / "predictions" / "015.tif"
    file.parent.mkdir()
    tifffile.imwrite(file, tifffile.imread(nuclei_pairs[1].seg) + 1)
    image = ImageRef(path=str(file))
    source = PredictionSource(
        image=image, model="nuclei-2d", model_sha256="ab" * 32, record=str(file.with_suffix(".json"))
    )
    dataset.add_segmentation("015", "predicted", source)
    sample = CuratedDataset.open(dataset.path).sample("015")
    kept = sample.segmentation("predicted").source
    assert isinstance(kept, PredictionSource)
    assert (kept.model, kept.model_sha256) == ("nuclei-2d", "ab" * 32)
    assert (kept.image.path, kept.record) == (
        "../../predictions/015.tif",
        "../../predictions/015.json",
    )
    assert np.array_equal(dataset.labels(sample, "predicted")[0], tifffile.imread(file))
    (undone,) = dataset.undo()
    assert undone.segmentation_names == ("seg", "otsu")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "SEG", "otsu"])
def test_a_name_that_is_taken_or_could_lead_elsewhere_is_refused(
    dataset: CuratedDataset, nuclei_pairs: list[Pair], name: str
) -> None:
    with pytest.raises(DatasetError, match="name"):
        dataset.add_segmentation("015", name, nuclei_pairs[1].seg)
    assert dataset.journal() == ()


def test_labels_of_another_size_are_refused(
    dataset: CuratedDataset, nuclei_pairs: list[Pair], tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=r"shape \(1, 4, 5\), but its raw image has"):
        dataset.correct_labels("015", "seg", np.zeros((4, 5), np.uint8))
    tifffile.imwrite(tmp_path / "small.tif", np.zeros((4, 5), np.uint8))
    with pytest.raises(DatasetError, match=r"small of sample 015 have the shape \(1, 4, 5\)"):
        dataset.add_segmentation("015", "small", tmp_path / "small.tif")
    assert dataset.journal() == ()
    assert not (dataset.path / "labels").exists()


def test_a_full_disk_leaves_the_sample_as_it_was(
    dataset: CuratedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, corrected = dataset.sample("015"), inverted(dataset)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("segloop.images.write.new_zarr", full)
    with pytest.raises(SegloopError, match="labels"):
        dataset.correct_labels("015", "seg", corrected)
    monkeypatch.undo()
    assert dataset.sample("015") == before
    assert dataset.journal() == ()
    sample = dataset.correct_labels("015", "seg", corrected)
    assert np.array_equal(dataset.labels(sample, "seg"), corrected)


def test_merge_regions_take_from_the_segmentations_they_name(dataset: CuratedDataset) -> None:
    sample = dataset.add_segmentation("015", "third", CorrectedCopy(of="otsu"))
    empty = np.zeros_like(dataset.labels(sample, "third"))
    full = np.ones_like(empty)
    dataset.correct_labels("015", "seg", empty)
    dataset.correct_labels("015", "otsu", full)
    sample = dataset.correct_labels("015", "third", 2 * full)

    def box(name: str, left: int, segmentation: str) -> Region:
        corners = [(10, left), (10, left + 9), (19, left + 9), (19, left)]
        return Region(id=name, kind="merge", shape="polygon", vertices=corners, segmentation=segmentation)

    dataset.save(sample.edit(regions=[box("a", 10, "third"), box("b", 40, "otsu")]), "merge")
    labels = dataset.ground_truth(dataset.sample("015")).labels[0]
    assert np.count_nonzero(labels) == 200
    assert len(np.unique(labels[10:20, 10:20])) == len(np.unique(labels[10:20, 40:50])) == 1
    assert labels[15, 15] != labels[15, 45]


@pytest.mark.parametrize(
    ("highest", "dtype"), [(1, np.uint8), (255, np.uint8), (256, np.uint16), (2**16, np.uint32)]
)
def test_labels_take_the_smallest_type_that_holds_them(highest: int, dtype: type) -> None:
    found = smallest_label_type(np.array([[0, highest]], np.int64), "Layer a")
    assert (found.dtype, found.tolist()) == (dtype, [[0, highest]])


def test_fractions_are_no_labels() -> None:
    with pytest.raises(DatasetError, match="Layer a holds float64 values, not labels"):
        smallest_label_type(np.zeros((2, 2)), "Layer a")


@pytest.mark.parametrize("name", ["015.tif", "015.labels.tif"])
def test_a_prediction_is_recognised_by_the_record_beside_it(
    nuclei_pairs: list[Pair], tmp_path: Path, name: str
) -> None:
    file = tmp_path / "predictions" / name
    file.parent.mkdir()
    shutil.copy(nuclei_pairs[1].seg, file)
    old = json.loads((HERE.parent / "prediction" / "prediction_v1.json").read_text("utf-8"))
    output = {**old["outputs"][0], "path": name}
    (file.parent / "015.json").write_text(json.dumps({**old, "outputs": [output]}), "utf-8")
    (file.parent / "015.other.json").write_text("{}", "utf-8")
    pair = Pair("015", nuclei_pairs[1].raw, nuclei_pairs[1].seg, {"predicted": file})

    sample = CuratedDataset.create(tmp_path / "d", [pair]).sample("015")

    assert isinstance(sample.segmentation("seg").source, FileSource)
    source = sample.segmentation("predicted").source
    assert isinstance(source, PredictionSource)
    assert (source.model, source.model_sha256) == (old["model"]["name"], old["model"]["weights_sha256"])
    assert (source.image.path, source.record) == (f"../predictions/{name}", "../predictions/015.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "segloop-prediction"}'])
def test_a_file_beside_something_else_is_a_plain_file(
    nuclei_pairs: list[Pair], tmp_path: Path, text: str
) -> None:
    file = tmp_path / "015.tif"
    shutil.copy(nuclei_pairs[1].seg, file)
    file.with_suffix(".json").write_text(text, "utf-8")
    sample = CuratedDataset.create(tmp_path / "d", [Pair("015", nuclei_pairs[1].raw, file)]).sample("015")
    assert isinstance(sample.segmentation("seg").source, FileSource)
