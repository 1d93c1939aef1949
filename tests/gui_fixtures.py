"""Fixtures of the tests in napari's window: a viewer with docks, driven by mouse and keys."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    """A shown viewer, large enough for a dock beside the canvas."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1200, 900)
    return viewer


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """An empty workspace, which the docks open."""
    from segloop.app.workspace import Workspace

    monkeypatch.setenv("SEGLOOP_HOME", str(tmp_path / "home"))
    workspace = Workspace(tmp_path / "study")
    workspace.remember_as_last()
    return workspace


@pytest.fixture
def open_dock(viewer: Any, workspace: Any, settle: Callable[[Any], None]) -> Callable[[str], Any]:
    """Open a dock by its name in the menu, as the menu does."""

    def open_dock(name: str) -> Any:
        _, dock = viewer.window.add_plugin_dock_widget("napari-segloop", name)
        settle(dock)
        return dock

    return open_dock


@pytest.fixture
def settle(qtbot: Any) -> Callable[[Any], None]:
    """Wait until a dock's workers have answered and the answers are on screen."""

    def settle(dock: Any) -> None:
        QApplication.processEvents()
        qtbot.waitUntil(lambda: not dock.workers.busy, timeout=60_000)
        QApplication.processEvents()

    return settle


class Canvas:
    """The viewer's canvas, in image pixels ``(y, x)`` of a layer without offset."""

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.scale = 1.0

    @property
    def native(self) -> Any:
        """The Qt widget that gets the events."""
        return self.viewer.window._qt_viewer.canvas.native

    def at(self, y: float, x: float) -> QPoint:
        """Where a pixel is on the widget."""
        camera, native = self.viewer.scene.camera, self.native
        row, column = y * self.scale - camera.center[-2], x * self.scale - camera.center[-1]
        return QPoint(
            round(native.width() / 2 + column * camera.zoom), round(native.height() / 2 + row * camera.zoom)
        )

    def click(self, y: float, x: float) -> None:
        """Move there and click."""
        self.move(y, x)
        QTest.mouseClick(
            self.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, self.at(y, x)
        )
        QApplication.processEvents()

    def move(self, y: float, x: float) -> None:
        """Move there without a button."""
        self._move((y, x), Qt.MouseButton.NoButton)

    def drag(self, points: Sequence[tuple[float, float]]) -> None:
        """Press at the first point, move through the others, release at the last."""
        left, nothing = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        self.move(*points[0])
        QTest.mousePress(self.native, left, nothing, self.at(*points[0]))
        for point in points[1:]:
            self._move(point, left)
        QTest.mouseRelease(self.native, left, nothing, self.at(*points[-1]))
        QApplication.processEvents()

    def _move(self, point: tuple[float, float], buttons: Any) -> None:
        # QTest.mouseMove moves the real pointer, whose events come when they come, and knows no buttons.
        where = self.at(*point)
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(where),
            QPointF(self.native.mapToGlobal(where)),
            Qt.MouseButton.NoButton,
            buttons,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self.native, event)
        QApplication.processEvents()

    def key(self, key: Any, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
        """Press a key with the keyboard in the canvas."""
        QTest.keyClick(self.native, key, modifier)
        QApplication.processEvents()


@pytest.fixture
def canvas(viewer: Any) -> Canvas:
    """Mouse and keys on the viewer's canvas."""
    return Canvas(viewer)


@pytest.fixture
def nuclei_folders(sample_nuclei: Path, tmp_path: Path) -> Path:
    """Folder with ``raw``, ``seg`` and ``otsu`` (a second segmentation) of three real images."""
    from skimage.filters import threshold_otsu
    from skimage.measure import label
    from tifffile import imread, imwrite

    folder = tmp_path / "images"
    for name in ("raw", "seg", "otsu"):
        (folder / name).mkdir(parents=True)
    for raw in sorted((sample_nuclei / "raw").glob("*.tif"))[:3]:
        shutil.copy(raw, folder / "raw" / raw.name)
        shutil.copy(sample_nuclei / "seg" / raw.name, folder / "seg" / raw.name)
        pixels = imread(raw)
        imwrite(folder / "otsu" / raw.name, label(pixels > threshold_otsu(pixels)).astype("uint16"))
    return folder


@pytest.fixture
def nuclei_dataset(nuclei_folders: Path, workspace: Any) -> Path:
    """A dataset of three real images with two segmentations each, in the workspace."""
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.images.pairing import pair_by_stem

    pairing = pair_by_stem(nuclei_folders / "raw", nuclei_folders / "seg", {"seg2": nuclei_folders / "otsu"})
    return CuratedDataset.create(workspace.datasets_dir / "nuclei", pairing.pairs, val=0.34).path
