"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections import Counter
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# Without napari nothing of the GUI can be imported, so its tests are not collected; the header says so.
WITHOUT_NAPARI = find_spec("napari") is None
collect_ignore_glob = ["ui", "e2e/test_gui*"] if WITHOUT_NAPARI else []


def pytest_report_header() -> str:
    """Say which tests are left out, and why."""
    return "GUI tests: left out, napari is not installed" if WITHOUT_NAPARI else "GUI tests: included"


def pytest_configure() -> None:
    """Let a busy computer take its time for each example of Hypothesis."""
    settings.register_profile("segloop", deadline=None)
    settings.load_profile("segloop")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the fast tests first; in several processes, where files stay together, the slowest files first."""
    if hasattr(config, "workerinput"):  # set by pytest-xdist
        slow = Counter(item.path for item in items if item.get_closest_marker("slow") is not None)
        items.sort(key=lambda item: -slow[item.path])
    else:
        items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder with the larger real images, named by SEGLOOP_TEST_DATA."""
    folder = os.environ.get("SEGLOOP_TEST_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs the larger test data: set SEGLOOP_TEST_DATA to its folder")
    return Path(folder)


@pytest.fixture(scope="session")
def sample_nuclei() -> Path:
    """Folder with the bundled real fluorescence nuclei (``raw`` and ``seg``)."""
    return Path(str(files("segloop") / "app" / "sample_nuclei"))


@pytest.fixture(autouse=True)
def private_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep caches and remembered choices of a test out of the user's home."""
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    monkeypatch.setenv("SEGLOOP_HOME", str(home / "segloop"))


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that holds a small model with fixed random weights, see `saved_results.MODEL`."""
    from tiny_models import random_model  # imports torch

    folder = tmp_path_factory.mktemp("model")
    random_model(folder)
    return folder
