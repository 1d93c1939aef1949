import subprocess
import sys
from pathlib import Path

import pytest

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
