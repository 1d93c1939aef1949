"""Datasets that begin without segmentations: blank labels for each image, to be drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.label_changes import LabelChange
from segloop.artifacts.dataset.manifest import LabelStatus, Verdict
from segloop.cli.command import run
from segloop.curation.adding import add_pairs
from segloop.curation.creating import Folders, SplitShares, create_from_pairs, pair_folders
from segloop.images.write import write_image


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two images with one channel and one with two channels, in a subfolder."""
    for name, shape, axes in (
        ("a", (20, 30), "YX"),
        ("b", (25, 30), "YX"),
        ("sub/a", (2, 20, 30), "CYX"),
    ):
        pixels = np.random.default_rng(0).integers(0, 200, shape).astype(np.uint8)
        write_image(tmp_path / "images" / f"{name}.ome.tif", pixels, axes=axes)
    return tmp_path / "images"


def test_each_image_gets_blank_labels_of_its_size(images: Path, tmp_path: Path) -> None:
    source = Folders(str(images), {"seg": ""}, channel="0")
    before = sorted(path.read_bytes() for path in images.rglob("*.tif"))
    made, _ = create_from_pairs(tmp_path / "cells", pair_folders(source).pairs, source, SplitShares())
    assert len(made.sample_ids) == 3
    assert made.label_kind == "instances"
    for sample in map(made.sample, made.sample_ids):
        labels = made.labels(sample)
        assert labels.shape == made.raw(sample).shape[2:]
        assert not labels.any()
        assert sample.label_status is LabelStatus.unlabelled
        assert sample.verdict is Verdict.undecided
    assert sorted(path.read_bytes() for path in images.rglob("*.tif")) == before


def test_a_stroke_makes_them_corrected_labels(images: Path, tmp_path: Path) -> None:
    source = Folders(str(images), {"seg": ""}, channel="0")
    made, _ = create_from_pairs(tmp_path / "cells", pair_folders(source).pairs, source, SplitShares())
    before = made.labels(made.sample("a")).astype(np.uint32)
    after = before.copy()
    after[0, 3:9, 4:10] = 1
    made.change_labels("a", "seg", LabelChange.between(before, after), "paint")
    sample = made.sample("a")
    assert sample.label_status is LabelStatus.corrected
    assert np.array_equal(made.labels(sample), after)
    # Accepted without a stroke, a sample says that its image shows nothing.
    made.save(made.sample("b").edit(verdict=Verdict.accepted), "accept")
    assert made.sample("b").label_status is LabelStatus.unlabelled
    assert made.ground_truth(made.sample("b")).valid.all()


def test_stacks_get_blank_stacks(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "s.tif", np.ones((4, 20, 30), np.uint8), axes="ZYX")
    source = Folders(str(tmp_path / "images"), {"seg": ""})
    made, _ = create_from_pairs(tmp_path / "cells", pair_folders(source).pairs, source, SplitShares())
    assert made.labels(made.sample("s")).shape == (4, 20, 30)


def test_images_to_label_are_added(images: Path, tmp_path: Path) -> None:
    source = Folders(str(images), {"seg": ""}, channel="0")
    made, _ = create_from_pairs(tmp_path / "cells", pair_folders(source).pairs, source, SplitShares())
    write_image(tmp_path / "more" / "x.tif", np.eye(9, dtype=np.uint8), axes="YX")
    more = Folders(str(tmp_path / "more"), {"seg": ""})
    added = add_pairs(made.path, pair_folders(more).pairs, more)
    assert added.sample_ids == ("x",)
    assert added.problems == ()
    sample = CuratedDataset.open(made.path).sample("x")
    assert sample.label_status is LabelStatus.unlabelled


def test_the_command_line_asks_for_segmentations_or_blank(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, raw = str(tmp_path / "cells"), str(images)
    assert run(["dataset", "create", target, "--raw", raw]) == 2
    assert "Name the segmentations with --seg, or begin without any with --blank." in capsys.readouterr().err
    assert run(["dataset", "create", target, "--raw", raw, "--seg", raw, "--blank"]) == 2
    capsys.readouterr()
    assert run(["dataset", "create", target, "--raw", raw, "--blank", "--channel", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_samples"] == 3
    made = CuratedDataset.open(target)
    assert {made.sample(each).verdict for each in made.sample_ids} == {Verdict.undecided}
    (tmp_path / "more").mkdir()
    write_image(tmp_path / "more" / "x.tif", np.eye(9, dtype=np.uint8), axes="YX")
    assert run(["dataset", "add", target, "--raw", str(tmp_path / "more"), "--blank"]) == 0
    assert "Added 1 sample" in capsys.readouterr().out
