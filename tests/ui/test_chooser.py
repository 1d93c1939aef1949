"""Paths chosen in file dialogs and dropped, by the events that the window gets."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QLineEdit

from segloop.ui.training.path_box import PathBox
from segloop.ui.widgets.chooser import PathChooser, PathKind

LEFT, NO_KEYS = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture(autouse=True)
def own_dialogs(qapp):
    """Qt's own file dialogs: those of macOS and Windows get no events from here."""
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
    yield
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs, False)


@pytest.fixture
def choose(qtbot):
    """Type names into the dialog that is open, and press Enter."""

    def choose(*paths):
        dialog = open_dialog(qtbot)
        names = dialog.findChild(QLineEdit, "fileNameEdit")
        names.setText(" ".join(f'"{path}"' for path in paths) if len(paths) > 1 else str(paths[0]))
        QTest.keyClick(names, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: not dialogs())

    return choose


@pytest.fixture
def chooser(qtbot):
    """Make a chooser of a kind, and note what it tells."""

    def make(kind=PathKind.folder):
        chooser = PathChooser(kind)
        chooser.told = []
        chooser.changed.connect(chooser.told.append)
        qtbot.addWidget(chooser)
        chooser.show()
        qtbot.waitExposed(chooser)
        return chooser

    return make


def dialogs():
    widgets = QApplication.topLevelWidgets()
    return [each for each in widgets if isinstance(each, QFileDialog) and each.isVisible()]


def open_dialog(qtbot):
    qtbot.waitUntil(lambda: len(dialogs()) == 1)
    return dialogs()[0]


def drop(widget, paths, where):
    """Drop files on a window, which finds out itself which of its widgets takes them."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    window = widget.window().windowHandle()
    at = widget.mapTo(widget.window(), where)
    entered = QDragEnterEvent(at, Qt.DropAction.CopyAction, data, LEFT, NO_KEYS)
    QApplication.sendEvent(window, entered)
    if entered.isAccepted():
        QApplication.sendEvent(window, QDropEvent(QPointF(at), Qt.DropAction.CopyAction, data, LEFT, NO_KEYS))
    QApplication.processEvents()


def test_a_folder_is_chosen_in_the_dialog(chooser, choose, tmp_path):
    folders = chooser()
    QTest.mouseClick(folders.button, LEFT)
    choose(tmp_path)
    assert folders.value() == str(tmp_path)
    assert folders.told == [str(tmp_path)]


def test_a_folder_that_is_chosen_again_is_told_again(chooser, choose, tmp_path):
    folders = chooser()
    for _ in range(2):
        QTest.mouseClick(folders.button, LEFT)
        choose(tmp_path)
    assert folders.told == [str(tmp_path)] * 2


def test_a_folder_from_elsewhere_is_found_again_after_one_of_the_list(choose, qtbot, tmp_path):
    box = PathBox("Other folder…")
    qtbot.addWidget(box)
    box.show()
    own = str(tmp_path / "own")
    box.offer([("own", own)])
    told = []
    box.chosen.connect(told.append)
    for _ in range(2):
        box.activated.emit(box.count() - 1)
        choose(tmp_path)
        box.activated.emit(box.findText("own"))
    assert told == [str(tmp_path), own] * 2


def test_a_dialog_that_is_cancelled_changes_nothing(chooser, qtbot, tmp_path):
    folders = chooser()
    folders.set_value(tmp_path)
    QTest.mouseClick(folders.button, LEFT)
    QTest.keyClick(open_dialog(qtbot), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not dialogs())
    assert folders.value() == str(tmp_path)


def test_several_files_are_chosen_at_once(chooser, choose, nuclei_folders):
    files = chooser(PathKind.files)
    wanted = sorted((nuclei_folders / "raw").glob("*.tif"))[:2]
    files.set_value(wanted[0])
    QTest.mouseClick(files.button, LEFT)
    choose(*[path.name for path in wanted])
    assert files.values() == [str(path) for path in wanted]


@pytest.mark.parametrize("where", ["on the line", "on the button"])
def test_a_dropped_folder_is_taken(chooser, tmp_path, where):
    folders = chooser()
    target = folders.line if where == "on the line" else folders.button
    drop(folders, [tmp_path], target.geometry().center())
    assert folders.told == [str(tmp_path)]


def test_a_folder_dropped_on_a_dock_is_not_opened_as_a_layer(open_dock, viewer, nuclei_folders):
    maker = open_dock("Curation").creation
    QTest.mouseClick(maker.empty.folders, LEFT)
    QApplication.processEvents()
    drop(maker.panel.raw, [nuclei_folders / "raw"], QPoint(20, 10))
    assert maker.panel.raw.value() == str(nuclei_folders / "raw")
    assert len(viewer.layers) == 0


def test_a_dataset_that_could_not_be_opened_is_tried_again(
    open_dock, nuclei_dataset, tmp_path, choose, settle
):
    dock = open_dock("Curation")
    settle(dock)
    (tmp_path / "moved").mkdir()
    for _ in range(2):
        dock.message.clear()
        dock.datasets.box.setCurrentIndex(dock.datasets.box.count() - 1)
        dock.datasets.box.activated.emit(dock.datasets.box.count() - 1)
        choose(tmp_path / "moved")
        settle(dock)
        assert str(tmp_path / "moved") in dock.message.text
