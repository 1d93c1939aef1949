"""Work on threads, answers on the GUI thread."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from qtpy.QtCore import QThread

from segloop.core.errors import Cancelled, ImageError
from segloop.ui.workers import Workers


@pytest.fixture
def workers(qtbot):
    workers = Workers()
    yield workers
    workers.close()


def test_the_answer_comes_on_the_gui_thread(workers, qtbot):
    answers = []

    def work(number, context):
        return number + 1, threading.current_thread()

    with qtbot.waitSignal(workers.idle):
        workers.run(
            work, 1, lane="a", on_result=lambda value: answers.append((*value, QThread.currentThread()))
        )
    number, worker_thread, gui_thread = answers[0]
    assert number == 2
    assert worker_thread is not threading.main_thread()
    assert gui_thread == workers.thread()


def test_an_error_is_delivered(workers, qtbot):
    errors = []

    def work(context):
        raise ImageError("a.tif is damaged")

    with qtbot.waitSignal(workers.idle):
        workers.run(work, lane="a", on_error=errors.append)
    assert str(errors[0]) == "a.tif is damaged"


def test_a_stale_answer_is_dropped(workers, qtbot):
    answers, go = [], threading.Event()

    def slow(context):
        go.wait(10)
        return "old"

    with qtbot.waitSignal(workers.idle):
        workers.run(slow, lane="a", on_result=answers.append)
        workers.run(lambda context: "new", lane="a", on_result=answers.append)
        go.set()
    assert answers == ["new"]


def test_lanes_do_not_disturb_each_other(workers, qtbot):
    answers = []
    with qtbot.waitSignal(workers.idle):
        workers.run(lambda context: "a", lane="a", on_result=answers.append)
        workers.run(lambda context: "b", lane="b", on_result=answers.append)
    assert sorted(answers) == ["a", "b"]


def test_cancel_reaches_the_function(workers, qtbot):
    errors, started = [], threading.Event()

    def work(context):
        started.set()
        while True:
            context.check()

    task = workers.run(work, lane="a", on_error=errors.append)
    assert started.wait(10)
    with qtbot.waitSignal(workers.idle):
        task.cancel()
    assert isinstance(errors[0], Cancelled)


def test_the_newest_progress_arrives(workers, qtbot):
    seen = []

    def work(context):
        for done in range(1001):
            context.progress(done, 1000)

    with qtbot.waitSignal(workers.idle):
        workers.run(work, lane="a", on_progress=lambda progress: seen.append(progress.done))
    assert seen[-1] == 1000
    assert seen == sorted(seen)


def test_nothing_is_delivered_after_close(workers, qtbot):
    answers, go = [], threading.Event()

    def slow(context):
        go.wait(10)
        return "late"

    workers.run(slow, lane="a", on_result=answers.append)
    with qtbot.waitSignal(workers.idle):
        workers.close()
        go.set()
    assert answers == []


DELETED = """
import sys
from qtpy.QtCore import QCoreApplication, QEvent, QObject
from segloop.ui.workers import Workers

app = QCoreApplication([])
sys.setswitchinterval(1e-6)
for _ in range(1500):
    dock = QObject()
    workers = Workers(dock)
    for lane in "abcdef":
        workers.run(lambda context: lane, lane=lane)
    workers.close()
    dock.deleteLater()
    app.sendPostedEvents(dock, 52)  # deletes it, as the event loop does
    del dock, workers
print("alive")
"""


def test_answers_that_come_while_a_dock_is_deleted_do_no_harm():
    done = subprocess.run([sys.executable, "-c", DELETED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
