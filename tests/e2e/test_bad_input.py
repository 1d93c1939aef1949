"""Bad input at the command line: one plain sentence that names the file, status 1, nothing half-written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.cli.command import run

Segloop = Callable[..., str]
QUICK = ("stop.max_epochs=1", "patch.per_epoch=2", "patch.size=[64,64]", "network.size=small")


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Segloop:
    """Run the command, expect exit status 1, and return the one line that says why."""

    def refused(*arguments: object) -> str:
        status = run([str(argument) for argument in arguments])
        errors = [
            line for line in capsys.readouterr().err.splitlines() if line.startswith(("Error: ", "Warning: "))
        ]
        assert status == 1
        assert errors
        assert not any("Traceback" in line or "unexpected" in line for line in errors)
        return "\n".join(errors)

    return refused


@pytest.fixture
def images(tmp_path: Path, sample_nuclei: Path) -> Path:
    """Folder with three real raw images and their labels."""
    for kind in ("raw", "seg"):
        (tmp_path / kind).mkdir()
        for file in sorted((sample_nuclei / kind).glob("*.tif"))[:3]:
            shutil.copy(file, tmp_path / kind)
    return tmp_path


def create(folder: Path, *more: object) -> tuple[object, ...]:
    return ("dataset", "create", folder / "ds", "--raw", folder / "raw", "--seg", folder / "seg", *more)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_that_is_missing(images: Path, refused: Segloop) -> None:
    said = refused("dataset", "create", images / "ds", "--raw", images / "none", "--seg", images / "seg")

    assert "none" in said
    assert "ds" not in names(images)


def test_a_folder_that_is_empty(images: Path, refused: Segloop) -> None:
    (images / "empty").mkdir()

    assert "empty" in refused(
        "dataset", "create", images / "ds", "--raw", images / "empty", "--seg", images / "seg"
    )


def test_a_file_that_is_damaged_is_left_out_and_the_others_go_in(images: Path, refused: Segloop) -> None:
    (images / "raw" / "015.tif").write_bytes(b"II*\0 and then nothing")

    assert "015.tif" in refused(*create(images))
    assert names(images / "ds" / "samples") == {"000.json", "030.json"}


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        pytest.param(np.zeros((100, 100), np.uint16), "100", id="another shape"),
        pytest.param(np.full((256, 256), 0.5, np.float32), "float", id="float"),
        pytest.param(np.zeros((256, 256, 3), np.uint8), "channel", id="RGB"),
    ],
)
def test_labels_that_do_not_fit(images: Path, refused: Segloop, labels: np.ndarray, word: str) -> None:
    photometric = "rgb" if labels.ndim == 3 else "minisblack"
    tifffile.imwrite(images / "seg" / "015.tif", labels, photometric=photometric)

    said = refused(*create(images))

    assert "015.tif" in said
    assert word in said
    assert names(images / "ds" / "samples") == {"000.json", "030.json"}


def test_a_channel_that_does_not_exist(images: Path, refused: Segloop) -> None:
    assert "DAPI" in refused(*create(images, "--channel", "DAPI"))
    assert "ds" not in names(images)


def test_a_name_that_is_taken(images: Path, refused: Segloop) -> None:
    (images / "ds").mkdir()
    (images / "ds" / "mine.txt").write_text("keep me")

    assert "ds" in refused(*create(images))
    assert names(images / "ds") == {"mine.txt"}


def test_a_folder_that_can_not_be_written(images: Path, refused: Segloop) -> None:
    (images / "file").write_text("in the way")

    said = refused(
        "dataset", "create", images / "file" / "ds", "--raw", images / "raw", "--seg", images / "seg"
    )

    assert "file" in said


def test_nothing_but_background_to_learn_from(images: Path, refused: Segloop) -> None:
    for file in (images / "seg").iterdir():
        tifffile.imwrite(file, np.zeros_like(tifffile.imread(file)))
    assert run([str(argument) for argument in create(images)]) == 0

    said = refused("train", images / "ds", "--out", images / "run", *QUICK)

    assert "foreground" in said or "object" in said


def test_a_3d_network_for_one_slice(images: Path, refused: Segloop) -> None:
    run([str(argument) for argument in create(images)])

    assert "slice" in refused("train", images / "ds", "--out", images / "run", "network.dimensions=3", *QUICK)


def test_a_knob_that_does_not_exist_starts_nothing(images: Path, refused: Segloop) -> None:
    run([str(argument) for argument in create(images)])

    assert "network.colour" in refused("train", images / "ds", "--out", images / "run", "network.colour=red")
    assert "run" not in names(images)


def test_a_run_folder_that_is_taken(images: Path, refused: Segloop) -> None:
    run([str(argument) for argument in create(images)])
    (images / "run").mkdir()
    (images / "run" / "mine.txt").write_text("keep me")

    assert "run" in refused("train", images / "ds", "--out", images / "run", *QUICK)
    assert names(images / "run") == {"mine.txt"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run trained for a moment on one-channel 2D images, some all black, some smaller than the stride."""
    from importlib.resources import files

    folder = tmp_path_factory.mktemp("model")
    sample = Path(str(files("segloop") / "app" / "sample_nuclei"))
    for kind in ("raw", "seg"):
        (folder / kind).mkdir()
        for file in sorted((sample / kind).glob("*.tif"))[:4]:
            shutil.copy(file, folder / kind)
        pixels = tifffile.imread(folder / kind / "000.tif")
        tifffile.imwrite(folder / kind / "tiny.tif", pixels[100:105, 100:107])
        tifffile.imwrite(folder / kind / "black.tif", np.zeros_like(pixels))
    assert run([str(argument) for argument in create(folder)]) == 0
    command = (
        "train",
        folder / "ds",
        "--out",
        folder / "run",
        *QUICK[:2],
        "patch.size=[512,512]",
        "patch.batch_size=1",
    )
    assert run([str(argument) for argument in command]) == 0
    return folder / "run"


def test_black_and_tiny_images_and_large_patches_are_trained_on(model: Path) -> None:
    assert (model / "model" / "model.json").is_file()


def test_black_and_tiny_images_are_predicted(model: Path, tmp_path: Path) -> None:
    raw = model.parent / "raw"

    assert (
        run(["predict", str(model), str(raw / "tiny.tif"), str(raw / "black.tif"), "--out", str(tmp_path)])
        == 0
    )
    assert tifffile.imread(tmp_path / "tiny.tif").shape == (5, 7)
    assert tifffile.imread(tmp_path / "black.tif").shape == (256, 256)


@pytest.mark.parametrize(
    ("shape", "word"), [((3, 64, 64), "3 channels"), ((9, 64, 64), "slice")], ids=["channels", "dimensions"]
)
def test_a_model_for_other_images(
    model: Path, tmp_path: Path, refused: Segloop, shape: tuple[int, ...], word: str
) -> None:
    axes = "CYX" if shape[0] == 3 else "ZYX"
    tifffile.imwrite(tmp_path / "other.tif", np.zeros(shape, np.uint8), imagej=True, metadata={"axes": axes})

    said = refused("predict", model, tmp_path / "other.tif", "--out", tmp_path / "out")

    assert "other.tif" in said
    assert word in said
    assert not list((tmp_path / "out").glob("*.tif"))


def test_a_model_that_is_none(images: Path, refused: Segloop) -> None:
    assert "raw" in refused("predict", images / "raw", images / "raw", "--out", images / "out")


@pytest.mark.skipif(os.name == "nt", reason="the limit on a file's size is a Unix thing")
def test_a_full_disk_leaves_nothing_half_written(model: Path, tmp_path: Path) -> None:
    # A limit on the size of files stands for the full disk: writing on fails in the same way.
    code = (
        "import resource, signal, sys; from segloop.cli.command import run;"
        "import torch; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); sys.exit(run(sys.argv[1:]))"
    )
    image = sorted((model.parent / "raw").glob("*.tif"))[1]
    command = ("predict", model, image, "--out", tmp_path / "out", "--output", "probability")

    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, command)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").glob("*.tif"))
