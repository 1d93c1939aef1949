"""The whole loop from Python, by public names only, on real nuclei."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import segloop

SHORT = {"stop.max_epochs": 2, "patch.per_epoch": 8, "network.size": "small", "device.kind": "cpu"}


def crops(folder: Path, count: int) -> list[np.ndarray]:
    return [tifffile.imread(path)[:96, :128] for path in sorted(folder.glob("*.tif"))[:count]]


@pytest.fixture(scope="module")
def events() -> list[Any]:
    """Everything that the training below has reported."""
    return []


@pytest.fixture(scope="module")
def run(sample_nuclei: Path, tmp_path_factory: pytest.TempPathFactory, events: list[Any]) -> segloop.Run:
    """A run trained for two epochs on arrays."""
    folder = tmp_path_factory.mktemp("arrays")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLOOP_HOME", str(folder / "home"))
        return segloop.train(
            crops(sample_nuclei / "raw", 6),
            labels=crops(sample_nuclei / "seg", 6),
            out=folder / "run",
            val=0.34,
            overrides=SHORT,
            on_event=events.append,
        )


@pytest.fixture(scope="module")
def image(sample_nuclei: Path) -> np.ndarray:
    """An image that was not trained on: (Y, X) uint8."""
    return crops(sample_nuclei / "raw", 8)[-1]


def test_a_run_trained_on_arrays_has_a_model(run: segloop.Run) -> None:
    assert sorted(path.name for path in (run.path / "images" / "raw").iterdir())[0] == "0001.tif"
    assert len(segloop.CuratedDataset.open(run.path / "dataset").sample_ids) == 6
    assert isinstance(run, segloop.Run)
    assert run.model().card.axes == "YX"


def test_a_run_holds_its_task_as_any_other_job(run: segloop.Run) -> None:
    assert json.loads((run.path / "task.json").read_text())["kind"] == "train"


def test_callbacks_and_loggers_of_lightning_follow_a_training(run: segloop.Run, tmp_path: Path) -> None:
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import CSVLogger

    epochs = []

    class Epochs(Callback):
        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            epochs.append(trainer.current_epoch)

    again = segloop.train(
        run.path / "dataset",
        out=tmp_path / "run",
        overrides=SHORT,
        callbacks=Epochs(),
        loggers=[CSVLogger(tmp_path, name="logs", version="1")],
    )

    assert epochs == [0, 1]
    with (tmp_path / "logs" / "1" / "metrics.csv").open() as file:
        logged = [float(row["train_loss"]) for row in csv.DictReader(file)]
    assert logged == pytest.approx([value for _, value in again.metrics()["train_loss"]], rel=1e-4)


@pytest.mark.parametrize("argument", ["callbacks", "loggers"])
def test_what_lightning_can_not_use_is_refused_before_anything_is_made(
    run: segloop.Run, tmp_path: Path, argument: str
) -> None:
    with pytest.raises(segloop.ConfigError, match=rf"^{argument} takes .* builtins\.str was passed"):
        segloop.train(run.path / "dataset", out=tmp_path / "run", **{argument: ["tensorboard"]})
    assert not (tmp_path / "run").exists()


def test_events_arrive_as_they_are_written(run: segloop.Run, events: list[Any]) -> None:
    written, _ = run.job.events()
    assert events == written
    assert {"state", "progress", "metrics"} <= {event.kind for event in events}
    assert [event.epoch for event in events if event.kind == "metrics"] == [1, 2]


@pytest.mark.parametrize("outputs", [["labels"], ["labels", "mask", "probability"]], ids="+".join)
def test_arrays_equal_what_the_command_line_writes(
    run: segloop.Run, image: np.ndarray, tmp_path: Path, outputs: list[str]
) -> None:
    tifffile.imwrite(tmp_path / "image.tif", image)
    names = ",".join(outputs)
    command = ["predict", str(run.path), str(tmp_path / "image.tif"), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "segloop", *command, "--output", names, "--device", "cpu"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr

    found = run.model().predict(image, axes="YX", outputs=outputs, overrides={"device.kind": "cpu"})

    assert list(found) == outputs
    for name, array in found.items():
        file = "image.tif" if len(outputs) == 1 else f"image.{name}.tif"
        written = tifffile.imread(tmp_path / "out" / file)
        assert array.dtype == written.dtype
        np.testing.assert_array_equal(array, written)


def test_a_loaded_model_needs_no_disk(run: segloop.Run, image: np.ndarray, tmp_path: Path) -> None:
    """The second call opens no file at all, not even one of the model; neither call writes one."""
    shutil.copytree(run.model_dir, tmp_path / "model")
    np.save(tmp_path / "image.npy", image)
    code = """
import os, sys
import numpy as np
import segloop

opened, written = [], []

def watch(event, args):
    if event == "open":
        path, mode, flags = args
        opened.append(str(path))
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and str(path) != os.devnull:
            written.append(str(path))
    elif event in ("os.mkdir", "os.rename", "os.link", "os.symlink"):
        written.append(str(args[0]))

image = np.load("image.npy")
sys.dont_write_bytecode = True
sys.addaudithook(watch)
model = segloop.Model.load("model")
first = model.predict(image, outputs=["labels", "probability"], overrides={"device.kind": "cpu"})
import shutil
shutil.rmtree("model")
opened.clear()
second = model.predict(image, outputs=["labels", "probability"], overrides={"device.kind": "cpu"})
# torch makes a folder for a compiler that we don't use when it is imported.
assert not [path for path in written if "torchinductor" not in path], written
assert not [path for path in opened if not path.startswith("/proc") and not path.startswith("/sys")], opened
assert all((first[name] == second[name]).all() for name in first)
print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


def test_predict_accepts_what_people_have(run: segloop.Run, image: np.ndarray, tmp_path: Path) -> None:
    import torch

    tifffile.imwrite(tmp_path / "image.tif", image)
    model = run.model()
    expected = model.predict(image)["labels"]
    stack = np.stack([image, image])
    same = [
        model.predict(tmp_path / "image.tif"),
        model.predict(segloop.open_image(tmp_path / "image.tif")),
        model.predict(image.tolist()),
        model.predict(torch.from_numpy(image)),
        model.predict(image[None], axes="CYX"),
        segloop.predict(run.path, image),
        segloop.predict(model, image),
    ]
    for found in same:
        np.testing.assert_array_equal(found["labels"], expected)
    slices = model.predict(stack, axes="ZYX", overrides={"slice_by_slice": True}, outputs="mask")["mask"]
    np.testing.assert_array_equal(slices, np.stack([expected > 0] * 2))


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"image": np.zeros((3, 64, 64))}, segloop.ImageError, "3 dimensions needs its axes"),
        ({"image": np.zeros((64, 64)), "axes": "ZYX"}, segloop.ImageError, "axes"),
        (
            {"image": np.zeros((64, 64)), "outputs": "lables"},
            segloop.ConfigError,
            "no output 'lables': choose",
        ),
        ({"image": np.zeros((64, 64)), "outputs": "classes"}, segloop.ConfigError, "labels, mask"),
        (
            {"image": np.zeros((64, 64)), "overrides": {"treshold": 1}},
            segloop.ConfigError,
            "treshold",
        ),
        ({"image": "nowhere.tif"}, segloop.ImageError, "nowhere.tif"),
    ],
)
def test_what_can_not_be_predicted_is_refused_in_a_sentence(
    run: segloop.Run, arguments: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        run.model().predict(**arguments)


def test_two_folders_are_enough(sample_nuclei: Path, tmp_path: Path) -> None:
    for kind in ("raw", "seg"):
        (tmp_path / kind).mkdir()
        for number, array in enumerate(crops(sample_nuclei / kind, 4)):
            tifffile.imwrite(tmp_path / kind / f"{number}.tif", array)

    run = segloop.train(
        tmp_path / "raw",
        labels=tmp_path / "seg",
        out=tmp_path / "run",
        val=0.25,
        overrides={**SHORT, "stop.max_epochs": 30},
    )

    assert len(segloop.CuratedDataset.open(run.path / "dataset").sample_ids) == 4
    assert not (run.path / "images").exists()
    assert run.model().path.is_dir()


@pytest.mark.parametrize("error", [segloop.Cancelled("enough"), ZeroDivisionError("mine")], ids=repr)
def test_a_callback_that_raises_ends_the_training_and_keeps_what_there_is(
    run: segloop.Run, tmp_path: Path, error: Exception
) -> None:
    calls = []

    def stop(event: segloop.JobEvent) -> None:
        if event.kind == "metrics":
            calls.append(event)
            raise error

    def train() -> segloop.Run:
        settings = {**SHORT, "stop.max_epochs": 50}
        return segloop.train(run.path / "dataset", out=tmp_path / "run", overrides=settings, on_event=stop)

    if isinstance(error, segloop.Cancelled):
        stopped = train()
    else:
        with pytest.raises(ZeroDivisionError, match="mine"):
            train()
        stopped = segloop.Run.open(tmp_path / "run")

    assert stopped.job.state().value == "stopped"
    assert stopped.model().path.is_dir()
    assert len(calls) == 1
    assert len(stopped.metrics()["train_loss"]) < 50


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"data": [np.zeros((64, 64))]}, segloop.DatasetError, "pass labels="),
        (
            {"data": [np.zeros((64, 64))], "labels": [np.zeros((64, 64), int)] * 2},
            segloop.DatasetError,
            "1 image and 2 label images",
        ),
        (
            {"data": [np.zeros((64, 64))], "labels": [np.zeros((64, 32), int)]},
            segloop.DatasetError,
            "labels of image 1 have the shape",
        ),
        (
            {"data": [np.zeros((3, 64, 64))], "labels": [np.zeros((64, 64), int)]},
            segloop.DatasetError,
            "axes='ZYX'",
        ),
        (
            {"data": [np.zeros((64, 64))], "labels": [np.zeros((64, 64), int)], "axes": "ZYX"},
            segloop.DatasetError,
            "doesn't describe them",
        ),
        ({"data": "nowhere", "labels": "neither"}, segloop.SegloopError, "nowhere"),
        ({"data": "nowhere", "overrides": {"network.size": "huge"}}, segloop.ConfigError, "small, medium"),
    ],
)
def test_what_can_not_be_trained_on_is_refused_and_leaves_nothing(
    tmp_path: Path, arguments: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        segloop.train(**arguments, out=tmp_path / "run")
    assert not (tmp_path / "run").exists() or not any((tmp_path / "run").iterdir())


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(segloop.RunError, match="not empty"):
        segloop.train([np.zeros((64, 64))], labels=[np.zeros((64, 64), int)], out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
