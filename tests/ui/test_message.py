"""The message line, and the frame of a dock around it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton, QScrollArea, QVBoxLayout, QWidget

import segloop.ui
from segloop.ui.docking import LOOP
from segloop.ui.widgets.message import MessageLine

LONG = "A sentence that is long enough to need several lines in a dock of 400 pixels. " * 4


@pytest.fixture
def page(qtbot):
    """A page with a message line, a button and a label."""
    page = QWidget()
    layout = QVBoxLayout(page)
    page.message, page.button, page.label = MessageLine(), QPushButton("Do it"), QLabel("Just text")
    for widget in (page.message, page.button, page.label):
        layout.addWidget(widget)
    layout.addStretch(1)
    page.resize(384, 400)
    qtbot.addWidget(page)
    page.show()
    QApplication.processEvents()
    return page


def test_what_the_enter_key_leads_to_stays(page):
    line, area = QLineEdit(), QScrollArea()
    area.setWidget(line)
    page.layout().addWidget(area)
    line.editingFinished.connect(lambda: page.message.show_info("Done."))
    QApplication.processEvents()
    QTest.mouseClick(line, Qt.MouseButton.LeftButton)
    QTest.keyClicks(line, "a")
    QTest.keyClick(line, Qt.Key.Key_Return)
    QApplication.processEvents()
    assert page.message.text == "Done."


@pytest.mark.parametrize("text", ["Saved.", LONG])
@pytest.mark.parametrize("remedy", ["", "Resume"])
def test_a_message_does_not_move_the_page(page, text, remedy):
    before = page.button.geometry(), page.label.geometry()
    page.message.show_error(text, remedy, lambda: None)
    QApplication.processEvents()
    assert (page.button.geometry(), page.label.geometry()) == before
    label = page.message.label
    assert label.isVisible()
    assert label.height() >= label.heightForWidth(label.width()), "the text is cut"
    page.message.clear()
    QApplication.processEvents()
    assert (page.button.geometry(), page.label.geometry()) == before
    assert not label.isVisible()


def test_the_next_action_takes_it_away(page):
    page.message.show_info("Done.")
    QApplication.processEvents()
    QTest.mouseClick(page.label, Qt.MouseButton.LeftButton)
    assert page.message.text == "Done."
    QTest.mouseClick(page.message.label, Qt.MouseButton.LeftButton)
    assert page.message.text == "Done."
    QTest.mouseClick(page.button, Qt.MouseButton.LeftButton)
    assert page.message.text == ""

    page.message.show_info("Done again.")
    QApplication.processEvents()
    QTest.keyClick(page.button, Qt.Key.Key_Space)
    assert page.message.text == ""


def test_what_an_action_says_stays_until_the_one_after_it(page):
    page.button.clicked.connect(lambda: page.message.show_info("Just now."))
    page.message.show_info("Before.")
    QTest.mouseClick(page.button, Qt.MouseButton.LeftButton)
    assert page.message.text == "Just now."


def test_the_remedy_is_done_once_and_the_message_goes(page):
    done = []
    page.message.show_error("It failed.", "Try again", lambda: done.append(1))
    QTest.mouseClick(page.message.remedy, Qt.MouseButton.LeftButton)
    assert done == [1]
    assert page.message.text == ""


@pytest.mark.parametrize("name", LOOP)
def test_the_help_says_first_what_to_do_then_keys_words_and_last_the_computer(open_dock, qtbot, name):
    dock = open_dock(name)
    QTest.mouseClick(dock.workspace_bar.help, Qt.MouseButton.LeftButton)
    window = dock._help
    text = window.page.toPlainText()
    order = [text.index(part) for part in ("What to do here", "AP", "Dice", "Loss")]
    assert order == sorted(order)
    assert ("Keys" in text) == (name != "Training")
    assert not window.text.isVisible()
    assert window.text.toPlainText() == ""
    window.close()


def test_the_help_tells_about_this_computer_when_asked(open_dock, qtbot):
    dock = open_dock("Training")
    QTest.mouseClick(dock.workspace_bar.help, Qt.MouseButton.LeftButton)
    window = dock._help
    window.computer.set_opened(True)
    qtbot.waitUntil(lambda: "napari" in window.text.toPlainText(), timeout=120_000)
    window.close()


MAIN_BUTTONS = {
    "Curation": lambda dock: dock.panel.accept,
    "Training": lambda dock: dock.start_button,
}


@pytest.mark.parametrize("name", MAIN_BUTTONS)
def test_the_main_button_stays_in_view_in_a_low_window(open_dock, viewer, nuclei_dataset, settle, name):
    dock = open_dock(name)
    settle(dock)
    viewer.window.resize(1000, 500)
    QApplication.processEvents()
    main = MAIN_BUTTONS[name](dock)
    top = main.mapTo(dock, QPoint(0, 0)).y()
    assert top >= 0
    assert top + main.height() <= dock.height()


def test_the_button_that_predicts_does_not_scroll_away(open_dock):
    dock = open_dock("Prediction")
    assert not dock.scroll.isAncestorOf(dock.predict_button)
    assert dock.footer.indexOf(dock.predict_button) >= 0


def test_a_name_with_tags_is_shown_as_it_is(qtbot):
    message = MessageLine()
    qtbot.addWidget(message)
    message.show_error("<b>bold</b>.tif does not exist.")
    assert message.label.textFormat() == Qt.TextFormat.PlainText


def test_labels_show_names_of_files_as_they_are():
    """A label whose text is not fixed is of plain text, so that ``<b>`` in a name is shown, not obeyed."""
    free = []
    for file in sorted(Path(segloop.ui.__path__[0]).rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "QLabel":
                fixed = call.args and isinstance(call.args[0], ast.Constant | ast.Name)
                if not fixed and "textFormat" not in {word.arg for word in call.keywords}:
                    free.append(f"{file.name}:{call.lineno}")
    assert free == []
