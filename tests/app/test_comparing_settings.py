"""Baselines, thresholds, degraded images and the report of a comparison, with the bundled model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from segloop.app.comparing import compare
from segloop.app.evaluating import evaluate
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.cli.command import run
from segloop.core.errors import ConfigError, SegloopError
from segloop.images.labels import read_labels
from segloop.images.pairing import pair_by_stem
from segloop.images.read import open_image
from segloop.images.write import write_image


@pytest.fixture(scope="module")
def dataset(sample_nuclei: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six real images, cut to 128 x 128 pixels, for training."""
    folder = tmp_path_factory.mktemp("comparing")
    for path in sorted((sample_nuclei / "raw").iterdir())[:6]:
        for kind in ("raw", "seg"):
            plane = np.asarray(open_image(sample_nuclei / kind / path.name).data[0, 0, 0, :128, :128])
            write_image(folder / kind / path.name, plane, axes="YX")
    pairs = pair_by_stem(folder / "raw", folder / "seg").pairs
    return CuratedDataset.create(folder / "dataset", pairs, val=0.0, accept_all=True).path


def test_baselines_and_paired_differences_are_in_the_table(dataset: Path, tmp_path: Path) -> None:
    result = compare(["nuclei-2d"], dataset, out=tmp_path / "out", split="train")

    summary = result.summary
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == json.loads(json.dumps(summary))
    assert summary["best"] == "nuclei-2d"
    assert summary["score"] == "ap50"
    assert summary["baselines"]["all background"]["instance"]["ap"]["0.50"] == 0
    otsu = summary["differences"]["smoothed Otsu"]
    ap = {name: scores["instance"]["ap"]["0.50"] for name, scores in summary["models"].items()}
    other = summary["baselines"]["smoothed Otsu"]["instance"]["ap"]["0.50"]
    assert otsu["difference"] == pytest.approx(other - ap["nuclei-2d"])
    assert otsu["n_images"] == 6
    low, high = otsu["interval"]
    assert low <= otsu["difference"] <= high
    lines = result.table()
    assert [line.split("   ")[0].strip() for line in lines[1:]] == [
        "nuclei-2d",
        "smoothed Otsu",
        "all background",
    ]
    with (tmp_path / "out" / "metrics.csv").open() as file:
        models = [row["model"] for row in csv.DictReader(file)]
    assert sorted(set(models)) == ["all background", "nuclei-2d", "smoothed Otsu"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Images on which the models differ most" in page
    assert page.count('<section class="sample">') == 6


def test_thresholds_are_scored_as_predictions_with_them_are(dataset: Path, tmp_path: Path) -> None:
    arguments = ["nuclei-2d", "threshold.foreground=0.3,0.9", "threshold.min_size=0,40"]
    out = tmp_path / "out"

    assert run(["compare", *arguments, "--dataset", str(dataset), "--split", "train", "--out", str(out)]) == 0

    summary = json.loads((out / "metrics.json").read_text())
    assert set(summary["models"]) == {
        f"nuclei-2d foreground={foreground} min_size={size}" for foreground in (0.3, 0.9) for size in (0, 40)
    }
    raw = CuratedDataset.open(dataset)
    folder = dataset.parent
    overrides = ["threshold.foreground=0.9", "threshold.min_size=40"]
    assert (
        run(["predict", "nuclei-2d", str(folder / "raw"), "--out", str(tmp_path / "again"), *overrides]) == 0
    )
    scores = evaluate(tmp_path / "again", folder / "seg", out=tmp_path / "scores").metrics
    found = summary["models"]["nuclei-2d foreground=0.9 min_size=40"]
    assert found["instance"]["ap"] == scores["instance"]["ap"]
    # The files are those of the best combination.
    best = dict(each.split("=") for each in summary["best"].split()[1:])
    overrides = [f"threshold.{name}={value}" for name, value in best.items()]
    assert (
        run(["predict", "nuclei-2d", str(folder / "raw"), "--out", str(tmp_path / "best"), *overrides]) == 0
    )
    for name in raw.sample_ids:
        (labels,) = (out / "nuclei-2d").glob(f"{name}.labels.*")
        (expected,) = (tmp_path / "best").glob(f"{raw.raw(raw.sample(name)).path.stem}.tif")
        assert np.array_equal(read_labels(labels), read_labels(expected))


def test_degraded_images_are_scored_beside_the_original_ones(dataset: Path, tmp_path: Path) -> None:
    result = compare(
        ["nuclei-2d"], dataset, out=tmp_path / "out", split="train", degraded=["intensity", "scale"]
    )

    degraded = result.summary["degraded"]["nuclei-2d"]
    assert list(degraded) == ["intensity × 0.5", "intensity × 2", "scale × 0.5", "scale × 2"]
    ap = result.metrics["nuclei-2d"]["instance"]["ap"]["0.50"]
    # Intensities are normalised, so that a factor changes next to nothing.
    assert degraded["intensity × 2"]["ap50"] == pytest.approx(ap, abs=0.03)
    assert 0.5 < degraded["scale × 2"]["ap50"] <= 1
    assert "Degraded images" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        ({"foreground": [0.3]}, "'foreground' is not a threshold: write threshold.NAME"),
        ({"threshold.foreground": list(range(101))}, "The grid has 101 combinations, and 100 at most"),
        ({"threshold.foreground": []}, "threshold.foreground has no values"),
        ({"threshold.foregroud": [0.3]}, "foregroud"),
        ({"threshold.foreground": [3]}, "foreground"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused_before_anything_is_predicted(
    dataset: Path, tmp_path: Path, grid: dict[str, list[float]], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        compare(["nuclei-2d"], dataset, out=tmp_path / "out", split="train", grid=grid)
    assert not (tmp_path / "out").exists()


def test_a_degradation_that_does_not_exist_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(SegloopError, match="'fog' is not a degradation"):
        compare(["nuclei-2d"], dataset, out=tmp_path / "out", split="train", degraded=["fog"])
