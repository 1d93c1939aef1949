from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.artifacts.dataset.check import check_samples
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Region
from segloop.core.context import Context
from segloop.core.errors import Cancelled
from segloop.images.pairing import Pair

EVERYTHING = [(-1, -1), (-1, 2000), (2000, 2000), (2000, -1)]


@pytest.fixture
def own(nuclei_pairs: list[Pair], tmp_path: Path) -> CuratedDataset:
    """Four accepted samples whose files may be changed."""
    pairs = []
    for pair in nuclei_pairs[:4]:
        files = {"raw": pair.raw, "seg": pair.seg}
        for side, file in files.items():
            (tmp_path / side).mkdir(exist_ok=True)
            files[side] = tmp_path / side / file.name
            files[side].write_bytes(file.read_bytes())
        pairs.append(Pair(pair.stem, **files))
    return CuratedDataset.create(tmp_path / "d", pairs, val=0.25, accept_all=True)


def sentences(dataset: CuratedDataset) -> dict[str, str]:
    return {problem.sample_id: problem.sentence for problem in check_samples(dataset, Context()).problems}


def test_a_good_dataset_has_no_problems(own: CuratedDataset) -> None:
    assert check_samples(own, Context()).problems == ()


def test_a_missing_file_is_named_and_the_others_are_checked(own: CuratedDataset) -> None:
    (own.path.parent / "raw" / "015.tif").unlink()
    found = check_samples(own, Context())
    assert [problem.sample_id for problem in found.problems] == ["015"]
    assert found.problems[0].sentence.endswith("is missing: put it back, or reject the sample.")
    assert sum(found.statistics.image_sizes.values()) == 3


def test_a_segmentation_that_became_smaller_is_named(own: CuratedDataset) -> None:
    tifffile.imwrite(own.path.parent / "seg" / "015.tif", np.ones((20, 30), np.uint8))
    assert sentences(own)["015"].startswith("seg/015.tif is 20 × 30 pixels (Y × X) but raw/015.tif is")


def test_nothing_marked_is_told(own: CuratedDataset) -> None:
    shape = tifffile.imread(own.path.parent / "raw" / "015.tif").shape
    tifffile.imwrite(own.path.parent / "seg" / "015.tif", np.zeros(shape, np.uint8))
    assert sentences(own)["015"].startswith("seg/015.tif marks nothing in raw/015.tif")


def test_a_black_image_is_told(own: CuratedDataset) -> None:
    shape = tifffile.imread(own.path.parent / "raw" / "015.tif").shape
    tifffile.imwrite(own.path.parent / "raw" / "015.tif", np.zeros(shape, np.uint8))
    assert sentences(own)["015"] == "All pixels of raw/015.tif are 0: reject the sample, or export it again."


def test_an_excluded_image_is_told(own: CuratedDataset) -> None:
    region = Region(id="r", kind="exclude", shape="rectangle", vertices=EVERYTHING)
    own.save(own.sample("015").edit(regions=[region]), "exclude")
    assert sentences(own)["015"].startswith("All of raw/015.tif is excluded")


def test_a_region_beside_the_image_is_told(own: CuratedDataset) -> None:
    far = [(y + 5000, x) for y, x in EVERYTHING]
    region = Region(id="r1", kind="exclude", shape="rectangle", vertices=far)
    own.save(own.sample("015").edit(regions=[region]), "exclude")
    assert "exclude region r1 covers no pixel" in sentences(own)["015"]


def test_a_damaged_sample_is_told(own: CuratedDataset) -> None:
    (own.path / "samples" / "015.json").write_text('{"id": "0')
    assert "can't be read" in sentences(own)["015"]


def test_rejected_samples_are_not_looked_at(own: CuratedDataset) -> None:
    (own.path.parent / "raw" / "015.tif").unlink()
    own.save(own.sample("015").edit(verdict="rejected"), "reject")
    assert "015" not in sentences(own)
    assert check_samples(own, Context()).statistics.n_rejected == 1


def test_nothing_accepted_is_told(dataset: CuratedDataset) -> None:
    assert sentences(dataset) == {"": "No sample is accepted: accept those that training should learn from."}


def test_an_empty_validation_split_is_told(own: CuratedDataset) -> None:
    (held_aside,) = own.split("val")
    own.save(own.sample(held_aside).edit(verdict="undecided"), "reconsider")
    assert sentences(own)[""].startswith("No accepted sample is in the split val")
    assert held_aside in sentences(own)[""]


def test_statistics_are_those_of_the_files(own: CuratedDataset) -> None:
    statistics = check_samples(own, Context()).statistics
    folder = own.path.parent
    segs = [tifffile.imread(file) for file in sorted((folder / "seg").iterdir())]
    raws = [tifffile.imread(file) for file in sorted((folder / "raw").iterdir())]
    sizes = np.concatenate([np.bincount(seg.ravel())[1:] for seg in segs])
    sizes = sizes[sizes > 0]
    assert statistics.n_samples == statistics.n_accepted == 4
    assert statistics.splits == {"train": 3, "val": 1, "test": 0}
    assert statistics.n_objects == len(sizes)
    assert statistics.object_size == np.median(sizes)
    assert statistics.object_diameter == pytest.approx(2 * np.sqrt(np.median(sizes) / np.pi), abs=0.1)
    assert statistics.intensity_range == (min(r.min() for r in raws), max(r.max() for r in raws))
    assert statistics.foreground_fraction == pytest.approx(
        sum((s > 0).sum() for s in segs) / sum(s.size for s in segs), abs=1e-4
    )
    assert statistics.valid_fraction == 1


def test_checking_can_be_cancelled(own: CuratedDataset) -> None:
    with pytest.raises(Cancelled):
        check_samples(own, Context(cancelled=lambda: True))
