"""Models compared on the images of a dataset, with models that were really trained."""

import csv
from pathlib import Path

import numpy as np
import tifffile

from segloop.app.comparing import compare
from segloop.app.training import train
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.config.compose import compose
from segloop.config.train import TrainConfig
from segloop.images.pairing import pair_by_stem


def test_a_2d_model_is_scored_on_stacks_with_the_channel_it_was_trained_on(
    sample_nuclei: Path, tmp_path: Path
) -> None:
    for kind in ("raw", "seg"):
        (tmp_path / kind).mkdir()
        for path in sorted((sample_nuclei / kind).glob("*.tif"))[:4]:
            plane = tifffile.imread(path)[:96, :96]
            planes = np.stack([plane, plane])
            if kind == "raw":  # two channels without names, of which the first is learned from
                planes = np.stack([planes, planes // 2], axis=1)
            axes = "ZCYX" if kind == "raw" else "ZYX"
            tifffile.imwrite(tmp_path / kind / path.name, planes, imagej=True, metadata={"axes": axes})
    pairs = pair_by_stem(tmp_path / "raw", tmp_path / "seg").pairs
    dataset = CuratedDataset.create(tmp_path / "dataset", pairs, val=0.25, accept_all=True, channel="0").path
    overrides = ["network.dimensions=2", "stop.max_steps=30", "patch.batch_size=4", "device.kind=cpu"]
    train(dataset, compose(TrainConfig, [f"dataset={dataset}", *overrides]), out=tmp_path / "run")

    result = compare([tmp_path / "run"], dataset, out=tmp_path / "comparison")

    assert result.problems == ()
    assert result.metrics["run"]["n_images"] == 1


def test_each_class_has_columns_in_the_table_as_in_an_evaluation(sample_nuclei: Path, tmp_path: Path) -> None:
    for kind in ("raw", "seg"):
        (tmp_path / kind).mkdir()
        for path in sorted((sample_nuclei / kind).glob("*.tif"))[:4]:
            plane = tifffile.imread(path)[:96, :96]
            classes = np.where(plane > 0, 1 + plane % 2, 0).astype(np.uint8)
            tifffile.imwrite(tmp_path / kind / path.name, plane if kind == "raw" else classes)
    pairs = pair_by_stem(tmp_path / "raw", tmp_path / "seg").pairs
    dataset = CuratedDataset.create(
        tmp_path / "dataset", pairs, val=0.25, accept_all=True, label_kind="semantic"
    ).path
    overrides = ["target=semantic", "stop.max_steps=30", "patch.batch_size=4", "device.kind=cpu"]
    train(dataset, compose(TrainConfig, [f"dataset={dataset}", *overrides]), out=tmp_path / "run")

    result = compare([tmp_path / "run"], dataset, out=tmp_path / "comparison")

    with (tmp_path / "comparison" / "metrics.csv").open() as file:
        (row,) = (row for row in csv.DictReader(file) if row["model"] == "run")
    for name, scores in result.metrics["run"]["semantic"]["classes"].items():
        assert float(row[f"dice_class_{name}"]) == scores["dice"]
        assert float(row[f"iou_class_{name}"]) == scores["iou"]
    filled = [name for name, value in row.items() if value]
    assert filled[:4] == ["model", "sample", "dice", "iou"]
    assert len(filled) == 4 + 2 * 2
