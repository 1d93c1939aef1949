"""One part of each kind, of installed packages that no file of Segloop knows, goes the whole way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.measure import regionprops

import segloop
from documented_packages import PAGE, PARTS_PAGE, install
from segloop.artifacts.dataset.curated_dataset import CuratedDataset

pytestmark = pytest.mark.slow

SOURCES = Path(segloop.__file__).parent
NAMES = ("boundary", "stacked", "focal", "shading", "subtract", "disc_tables")


def make_cells(folder: Path, sample_nuclei: Path) -> None:
    """Write images of two channels, and a table of discs instead of labels for each."""
    for name in ("images", "tables"):
        (folder / name).mkdir()
    for path in sorted((sample_nuclei / "raw").glob("*.tif"))[4:9]:
        raw = tifffile.imread(path)
        names = ("DAPI", "GFP")
        segloop.write_image(
            folder / "images" / f"{path.stem}.ome.tif",
            np.stack([raw, raw // 4]),
            axes="CYX",
            channel_names=names,
        )
        rows = [
            (*region.centroid, region.equivalent_diameter_area / 2)
            for region in regionprops(tifffile.imread(sample_nuclei / "seg" / path.name))
        ]
        table = folder / "tables" / f"{path.stem}.discs.csv"
        np.savetxt(table, rows, delimiter=",", header="y,x,radius")


def test_parts_from_outside_go_the_whole_way(
    sample_nuclei: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = [str(install(tmp_path / page.stem, page)) for page in (PAGE, PARTS_PAGE)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*packages, os.environ.get("PYTHONPATH", "")]),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "segloop", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    make_cells(tmp_path, sample_nuclei)

    created = run("dataset", "create", "cells", "--raw", "images", "--seg", "manual=tables", "--val", "0.2")

    assert "manual: 5 tables of discs" in created
    sample = next(CuratedDataset.open(tmp_path / "cells").samples())
    source = sample.segmentation("manual").source
    assert (source.kind, source.importer) == ("imported", "disc_tables")
    assert source.original == f"../tables/{sample.id}.discs.csv"

    chosen = ["target=boundary", "target.width=8", "network=stacked", "network.width=16"]
    chosen += ["loss.boundary={name:focal,gamma:1.5}", "augmentation/more=[shading]"]
    chosen += ["augmentation.more.shading.strength=0.5"]
    chosen += ["recipe.channels=['subtract(DAPI, GFP, factor=0.5)','DAPI']"]
    quick = ["device.kind=cpu", "patch.size=[64,64]", "patch.batch_size=4", "patch.per_epoch=160"]
    quick += ["stop.max_epochs=10", "optimiser.learning_rate=0.01"]
    plan = run("train", "cells", "--plan", *chosen, *quick)
    run("train", "cells", "--out", "run", *chosen, *quick)

    assert "subtract(DAPI, GFP, factor=0.5), DAPI" in plan
    card = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert card["target"] == {"name": "boundary", "options": {"width": 8}}
    assert (card["network"]["name"], card["network"]["width"]) == ("stacked", 16)
    assert card["recipe"]["inputs"] == [
        {"operation": "subtract", "channels": ["DAPI", "GFP"], "options": {"factor": 0.5}},
        {"operation": "pick", "channels": ["DAPI"], "options": {}},
    ]
    config = card["provenance"]["config"]
    assert config["network"]["width"] == 16
    assert config["loss"] == {"boundary": {"name": "focal", "gamma": 1.5}}
    assert config["augmentation"]["more"] == {"shading": {"strength": 0.5}}
    repeated = run("train", "--config", "run/config.yaml", "--plan")
    assert "stacked" in repeated

    image = tmp_path / "images" / f"{sample.id}.ome.tif"
    run("predict", "run", str(image), "--out", "predictions", "--output", "probability", "device.kind=cpu")
    record = json.loads((tmp_path / "predictions" / f"{sample.id}.json").read_text())
    assert record["inputs"] == ["subtract(DAPI, GFP, factor=0.5)", "DAPI"]
    assert record["channels"] == ["DAPI", "GFP"]
    written = tifffile.imread(tmp_path / "predictions" / record["outputs"][0]["path"])

    with pytest.raises(segloop.ModelError, match=r"no (target 'boundary'|recipe operation 'subtract')"):
        segloop.Model.load(tmp_path / "run")
    for package in packages:
        monkeypatch.syspath_prepend(package)
    model = segloop.Model.load(tmp_path / "run")
    found = model.predict(
        segloop.open_image(image).data[0, :, 0].compute(), axes="CYX", outputs=["probability"]
    )["probability"]
    assert np.abs(found.astype(int) - written.astype(int)).max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_no_file_of_segloop_knows_the_parts(name: str) -> None:
    knowing = [path for path in SOURCES.rglob("*.py") if f'"{name}"' in path.read_text(encoding="utf-8")]

    assert knowing == []
