import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segloop.app.sample import make_sample_dataset
from segloop.images.write import write_image

VERBS = ("compare", "dataset", "demo", "doctor", "evaluate", "model", "predict", "threshold", "train")


def segloop(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "segloop", *arguments], capture_output=True, text=True, check=False
    )


def test_help_lists_every_verb() -> None:
    done = segloop("--help")

    assert done.returncode == 0
    assert all(f"\n  {verb} " in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_has_an_example_and_comes_without_heavy_imports(verb: str) -> None:
    code = (
        "import sys; from segloop.cli.command import run; status = run([sys.argv[1], '--help']);"
        "heavy = {'torch', 'numpy', 'bioio', 'hydra', 'lightning', 'napari'} & set(sys.modules);"
        "sys.exit(status or (f'imported {heavy}' if heavy else 0))"
    )
    done = subprocess.run([sys.executable, "-c", code, verb], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "segloop " + verb in done.stdout or verb in ("dataset", "model")


@pytest.mark.parametrize(
    "verb", ["dataset create", "dataset check", "model list", "model info", "model export", "model import"]
)
def test_help_of_a_nested_verb_has_an_example(verb: str) -> None:
    assert f"segloop {verb}" in segloop(*verb.split(), "--help").stdout


def test_bad_usage_exits_with_2() -> None:
    assert segloop("train").returncode == 2
    assert segloop("fly").returncode == 2


def test_an_error_is_one_line_and_exits_with_1(tmp_path: Path) -> None:
    done = segloop("dataset", "check", str(tmp_path / "none"))

    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_debug_shows_the_traceback_also_behind_the_verb(tmp_path: Path) -> None:
    done = segloop("dataset", "check", str(tmp_path / "none"), "--debug")

    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_slip_in_a_sweep_is_told_before_anything_is_made(sample_nuclei: Path, tmp_path: Path) -> None:
    folders = ("--raw", str(sample_nuclei / "raw"), "--seg", str(sample_nuclei / "seg"))
    assert segloop("dataset", "create", str(tmp_path / "nuclei"), *folders).returncode == 0
    for dataset, override, words in (
        ("nuclei", "nonsense=1,2", "nonsense"),
        ("nuclei", "network.size=small,huge", "huge"),
        ("none", "seed=1,2", "none"),
    ):
        done = segloop(
            "train", str(tmp_path / dataset), "--out", str(tmp_path / "sweep"), "--multirun", override
        )

        assert done.returncode == 1
        assert done.stderr.startswith("Error: ")
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not (tmp_path / "sweep").exists()


def test_a_demo_that_can_open_no_window_says_so_before_it_trains(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['napari'] = None; from segloop.cli.command import run;"
        "sys.exit(run(['demo', '--gui', '--out', sys.argv[1]]))"
    )
    out = tmp_path / "demo"
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 1
    assert done.stderr.startswith("Error: The window needs napari and Qt")
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "nowhere", "--out", "run"],
        ["train", "dataset", "--out", "taken"],
        ["train", "dataset", "--out", "run", "--init", "nowhere"],
        ["train", "--resume", "nowhere"],
        ["predict", "nowhere", "image.tif", "--out", "out"],
        ["predict", "nowhere", "missing.tif", "--out", "out"],
        ["compare", "nowhere", "--dataset", "dataset", "--out", "out"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_told_without_waiting_for_torch(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_sample_dataset("dataset", accept_all=True)
    write_image("image.tif", np.zeros((8, 8), np.uint8), axes="YX")
    write_image("taken/image.tif", np.zeros((8, 8), np.uint8), axes="YX")
    code = (
        "import sys; from segloop.cli.command import run; status = run(sys.argv[1:]);"
        "sys.exit('imported torch' if 'torch' in sys.modules else status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "imported torch" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_scored_is_said_once(tmp_path: Path) -> None:
    for folder, stem, shape in [("a", "x", 16), ("b", "x", 16), ("a", "y", 16), ("b", "y", 20)]:
        write_image(tmp_path / folder / f"{stem}.tif", np.eye(shape, dtype=np.uint8), axes="YX")

    done = segloop("evaluate", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "out"))

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Warning: ")
    assert "y.tif" in line
