"""The measure of the other tests: what it notes as a stall, and what it doesn't."""

from __future__ import annotations

import signal
import sys
import time

import pytest
from qtpy.QtCore import QTimer

from heartbeat import Heartbeat

STALL_S = 0.4


@pytest.fixture
def heart(qtbot):
    heart = Heartbeat()
    qtbot.wait(300)  # the witness is up
    heart.start()
    qtbot.waitUntil(lambda: len(heart.gaps) > 5)
    return heart


def test_what_holds_up_the_event_loop_is_a_stall(heart, qtbot):
    QTimer.singleShot(0, lambda: time.sleep(STALL_S))
    beats = len(heart.gaps)
    qtbot.waitUntil(lambda: len(heart.gaps) > beats + 5)

    assert STALL_S - 0.1 < heart.stop()[0] < STALL_S + 0.5


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that holds a process")
def test_a_pause_that_another_process_has_as_well_is_none(heart, qtbot):
    def pause_both():
        heart.witness.send_signal(signal.SIGSTOP)
        time.sleep(STALL_S)
        heart.witness.send_signal(signal.SIGCONT)

    QTimer.singleShot(0, pause_both)
    beats = len(heart.gaps)
    qtbot.waitUntil(lambda: len(heart.gaps) > beats + 5 and max(heart.gaps) > STALL_S)
    qtbot.waitUntil(lambda: bool(heart.pauses_seen))

    assert heart.stop()[0] < STALL_S / 2
    assert heart.pauses[0] > STALL_S - 0.1
