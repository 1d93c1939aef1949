"""The rooms keep their order, stay light, and stay short."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src"

LIGHT_ROOMS = ("core", "config", "images", "targets", "artifacts", "app", "curation", "evaluation", "cli")
WITHOUT = shutil.ignore_patterns("*.tif", "__pycache__")
HEAVY = ("torch", "lightning", "monai", "napari", "qtpy", "PyQt5", "PyQt6", "PySide6")


def lint_imports(source: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of pyproject.toml against the package below ``source``."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()"]
    return subprocess.run(
        [*command, "--no-cache", "--config", str(REPOSITORY / "pyproject.toml")],
        env={**os.environ, "PYTHONPATH": str(source), "COLUMNS": "200"},
        cwd=source,
        capture_output=True,
        text=True,
    )


def run_python(code: str) -> str:
    """Return what ``code`` prints in a fresh interpreter that runs this checkout's package."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_rooms_import_only_downwards() -> None:
    checked = lint_imports(SOURCE)

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("room", "statement"),
    [
        pytest.param("core", "import napari", id="napari below ui"),
        pytest.param("app", "from qtpy.QtCore import QObject", id="Qt below ui"),
        pytest.param("core", "from segloop.config import knob", id="upwards"),
        pytest.param("images", "import segloop.app", id="far upwards"),
        pytest.param("training", "import segloop.prediction", id="sideways"),
        pytest.param("cli", "import segloop.ui", id="from the command line into the GUI"),
    ],
)
def test_a_forbidden_import_is_noticed(tmp_path: Path, room: str, statement: str) -> None:
    shutil.copytree(SOURCE / "segloop", tmp_path / "segloop", ignore=WITHOUT)
    (tmp_path / "segloop" / room / "intruder.py").write_text(f"{statement}\n", encoding="utf-8")

    checked = lint_imports(tmp_path)

    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert f"segloop.{room}.intruder" in checked.stdout


def test_a_room_that_no_contract_mentions_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(SOURCE / "segloop", tmp_path / "segloop", ignore=WITHOUT)
    (tmp_path / "segloop" / "annexe").mkdir()
    (tmp_path / "segloop" / "annexe" / "__init__.py").touch()

    checked = lint_imports(tmp_path)

    assert checked.returncode == 1
    assert "annexe" in checked.stdout + checked.stderr


def test_importing_segloop_loads_nothing_heavy() -> None:
    code = "import sys, segloop; print(*sorted({name.split('.')[0] for name in sys.modules}))"

    loaded = set(run_python(code).split())

    assert loaded.isdisjoint({*HEAVY, "bioio", "dask", "numpy", "pydantic", "scipy", "skimage", "zarr"})


def test_importing_segloop_takes_less_than_0_3_seconds() -> None:
    code = "import time; start = time.perf_counter(); import segloop; print(time.perf_counter() - start)"

    seconds = min(float(run_python(code)) for _ in range(5))

    assert seconds < 0.3


def test_no_module_of_a_light_room_imports_torch_or_qt() -> None:
    code = (
        "import importlib, pkgutil, sys, segloop\n"
        f"for room in {LIGHT_ROOMS}:\n"
        "    package = importlib.import_module(f'segloop.{room}')\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
        f"        found = sorted(set({HEAVY}) & set(sys.modules))\n"
        "        if found:\n"
        "            sys.exit(f'{module.name} imports {found}')\n"
    )

    run_python(code)


def test_no_python_file_is_longer_than_500_lines() -> None:
    folders = ("src", "tests", "benchmarks", "docs", "tools")
    files = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")]

    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}

    assert {str(path): length for path, length in lengths.items() if length > 500} == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    code = (
        "import grimp, networkx\n"
        "graph = grimp.build_graph('segloop', cache_dir=None)\n"
        "imports = [(m, n) for m in graph.modules for n in graph.find_modules_directly_imported_by(m)]\n"
        "circles = networkx.strongly_connected_components(networkx.DiGraph(imports))\n"
        "print([sorted(circle) for circle in circles if len(circle) > 1])\n"
    )

    assert run_python(code) == "[]"


def test_no_folders_of_a_package_import_each_other_in_a_circle() -> None:
    """A folder and what lies beside it: to understand one, nobody needs to read the other."""
    code = (
        "import grimp, networkx\n"
        "graph = grimp.build_graph('segloop', cache_dir=None)\n"
        "found = []\n"
        "for parent in ('segloop.ui', 'segloop.app.presenters', 'segloop.artifacts'):\n"
        "    inside = [m for m in graph.modules if m.startswith(parent + '.')]\n"
        "    part = lambda m: m[len(parent) + 1:].split('.')[0]\n"
        "    imports = [(part(m), part(n)) for m in inside\n"
        "               for n in graph.find_modules_directly_imported_by(m) if n in inside]\n"
        "    circles = networkx.strongly_connected_components(networkx.DiGraph(imports))\n"
        "    found += [(parent, sorted(circle)) for circle in circles if len(circle) > 1]\n"
        "print(found)\n"
    )

    assert run_python(code) == "[]"


def test_a_signal_is_passed_on_as_itself() -> None:
    """``a.connect(b.emit)`` of psygnal calls ``emit`` to see how many arguments it takes; ``b`` is fine."""
    found = [
        f"{path.name}: {line.strip()}"
        for path in (REPOSITORY / "src" / "segloop" / "app").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if ".connect(" in line and ".emit)" in line
    ]

    assert found == []
