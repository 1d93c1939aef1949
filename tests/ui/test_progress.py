"""The progress row on its own."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication

from segloop.core.context import Progress
from segloop.ui.widgets.progress import ProgressRow


class Paints(QObject):
    """Counts how often a widget is painted."""

    n = 0

    def eventFilter(self, widget, event):  # noqa: N802 - Qt's name
        self.n += event.type() == QEvent.Type.Paint
        return False


def test_the_bar_waits_to_be_painted_with_all_the_rest(qtbot):
    row = ProgressRow()
    qtbot.addWidget(row)
    row.show()
    qtbot.waitExposed(row)
    row.start("Looking")
    row.set_progress(Progress(0, 10))
    QApplication.processEvents()
    paints = Paints()
    row.bar.installEventFilter(paints)
    row.start("Looking")
    for done in range(1, 10):
        row.set_progress(Progress(done, 10))
    assert paints.n == 0
    qtbot.waitUntil(lambda: paints.n > 0)
    assert row.bar.text() == "90%"
