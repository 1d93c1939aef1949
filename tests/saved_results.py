"""What Segloop saves besides edits of a dataset: each made small, changed once, and read back critically."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from segloop.app.presenters.prediction.saving import ToSave, save_all
from segloop.app.tasks import execute, submit
from segloop.artifacts.job.task import PredictTask, RethresholdTask, Task
from segloop.artifacts.model.model import Model
from segloop.artifacts.prediction.place import find_predictions
from segloop.config.parameters import ParameterSet
from segloop.core.context import Context
from segloop.core.errors import ImageError, ModelError
from segloop.images.read import open_image
from segloop.prediction.job import ModelCache
from segloop.prediction.kept import KeptPrediction
from segloop.prediction.writing import time_points
from segloop.targets.output import LABELS, PROBABILITY

State = object
MODELS = ModelCache()
"""Shared by all, so that the network is built once."""

MODEL, IMAGES, OUT, JOB, SAVED = "instance2-2d-1c", "images", "out", "job", "saved"


@dataclass(frozen=True)
class Change:
    """One thing that a user does to what is saved.

    Attributes
    ----------
    name : str
        What is done.
    prepare : callable
        Makes the state before in a folder that holds the model.
    act : callable
        Does it in such a folder; raises where it is refused.
    state : callable
        Reads what is there, as the program does, and checks that it agrees with its record. Equal values for
        equal contents, whatever the folder and the time.
    """

    name: str
    prepare: Callable[[Path], object]
    act: Callable[[Path], object]
    state: Callable[[Path], State]


def image(folder: Path, seed: int) -> None:
    """Write a small image, another one for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 4000, (40, 56)).astype(np.uint16)
    (folder / IMAGES).mkdir(exist_ok=True)
    tifffile.imwrite(folder / IMAGES / "a.tif", pixels)


def execute_task(folder: Path, task: Task) -> None:
    """Do a task as the command line does it; a problem with one image is raised."""
    submit(folder / JOB, task)
    problems = execute(folder / JOB, MODELS).problems
    if problems:
        raise ImageError(problems[0])


def predict(folder: Path, file_format: str) -> None:
    """Predict labels and their probability."""
    config = {"outputs": ["labels", "probability"], "format": file_format, "device": {"kind": "cpu"}}
    inputs, out = [str(folder / IMAGES)], str(folder / OUT)
    execute_task(folder, PredictTask(model=str(folder / MODEL), inputs=inputs, out=out, config=config))


def predicted(folder: Path, file_format: str) -> None:
    """Predict an image that is then replaced by another one."""
    image(folder, 1)
    predict(folder, file_format)
    image(folder, 2)


def threshold(folder: Path) -> None:
    """Decode the probability again."""
    execute_task(folder, RethresholdTask(predictions=str(folder / OUT), thresholds={"foreground": 0.45}))


def save(folder: Path, foreground: float) -> None:
    """Save a result from the screen into a folder."""
    kept = KeptPrediction(folder / OUT / "a.json")
    chosen: ParameterSet = kept.target.parameters.override({"foreground": foreground})
    to_save = [ToSave(kept, "a", str(folder / IMAGES / "a.tif"), chosen)]
    save_all(to_save, [LABELS, PROBABILITY], folder / SAVED, Context())


def saved_before(folder: Path) -> None:
    """Predict, and save with other thresholds."""
    predicted(folder, "tiff")
    save(folder, 0.4)


def predictions(folder: Path) -> State:
    """Return the content of the predictions, after comparing them with their records and each other."""
    found = []
    for prediction in find_predictions(folder) if folder.is_dir() else ():
        record, outputs = prediction.provenance, prediction.outputs()
        pixels = {}
        for output in record.outputs:
            opened = open_image(outputs[output.kind])
            pixels[output.kind] = opened.load()
            assert opened.dtype == np.dtype(output.dtype)
            sizes = dict(zip("TCZYX", opened.shape, strict=True))
            assert [sizes[axis] for axis in output.axes] == output.shape
        assert set(pixels) == {"labels", "probability"}
        target = record.model.build_target()
        used = target.parameters_type.from_values(record.parameters, "threshold")
        (_, maps), *_ = time_points(open_image(outputs["probability"]))
        decoded = target.decode(maps, used).labels
        assert decoded is not None
        assert np.array_equal(pixels["labels"][0, 0], decoded), "the labels are not those of the probability"
        assert record.n_objects == decoded.max()
        source = record.input.sha256 if record.input else ""
        content = hashlib.sha256(b"".join(each.tobytes() for each in pixels.values())).hexdigest()
        found.append((prediction.stem, source, record.parameters, content))
    return found


@contextmanager
def ignoring(text: str) -> Iterator[None]:
    """Ignore a refusal with this text."""
    try:
        yield
    except ModelError as error:
        if text not in str(error):
            raise


def no_model(_: Path) -> None:
    """Prepare nothing."""


def exported(folder: Path) -> None:
    """Write the model's zip, unless it is there."""
    with ignoring("already exists"):
        Model.load(folder / MODEL).export(folder / "nuclei.zip")


def models(*paths: str) -> Callable[[Path], State]:
    """Return what reads and verifies the models at these paths, None for each that is absent."""

    def read(folder: Path) -> State:
        found = []
        for path in paths:
            if (folder / path).exists():
                model = Model.load(folder / path)
                model.verify()
                found.append(model.sha256)
            else:
                found.append(None)
        return found

    return read


def replace_model(folder: Path) -> None:
    """Save the model again with other parameters, as a training does."""
    model = Model.load(folder / MODEL)
    network = model.network()
    network.load_state_dict({name: value * 0 + 1 for name, value in network.state_dict().items()})
    Model.save(folder / MODEL, model.card, network, np.load(folder / MODEL / "test_input.npy"))


def import_model(folder: Path) -> None:
    """Install the model's zip."""
    with ignoring("already exists"):
        Model.import_zip(folder / "nuclei.zip", folder / "models")


def _outputs(folder: Path) -> State:
    return predictions(folder / OUT)


def _saved(folder: Path) -> State:
    return predictions(folder / SAVED)


def _changes_of_predictions(file_format: str) -> list[Change]:
    def again(folder: Path) -> None:
        predict(folder, file_format)

    def before(folder: Path) -> None:
        predicted(folder, file_format)

    def first(folder: Path) -> None:
        image(folder, 1)

    return [
        Change(f"predict {file_format}", first, again, _outputs),
        Change(f"predict again {file_format}", before, again, _outputs),
        Change(f"threshold {file_format}", before, threshold, _outputs),
    ]


CHANGES = [
    *_changes_of_predictions("tiff"),
    *_changes_of_predictions("zarr"),
    Change("save", saved_before, lambda folder: save(folder, 0.6), _saved),
    Change("model export", no_model, exported, models("nuclei.zip")),
    Change("model import", exported, import_model, models("models/nuclei")),
    Change("model replaced", no_model, replace_model, models(MODEL)),
]


def copied(before: Path, to: Path) -> Path:
    """Copy a prepared folder."""
    shutil.copytree(before, to)
    return to


def leftovers(folder: Path) -> list[Path]:
    """Return hidden files and folders that only a change under way may have."""
    return [path for path in folder.rglob(".*") if path.name != ".segloop"]


def before_and_after(change: Change, model_folder: Path, folder: Path) -> tuple[Path, Path, State, State]:
    """Make a change in a copy of the state before; return both folders, and what is in them."""
    before = copied(model_folder, folder / "before")
    change.prepare(before)
    old = change.state(before)
    after = copied(before, folder / "after")
    change.act(after)
    new = change.state(after)
    assert old != new
    return before, after, old, new
