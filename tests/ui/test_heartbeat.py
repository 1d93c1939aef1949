"""The measure of the other tests: what it notes as a stall."""

from __future__ import annotations

import time

import pytest
from qtpy.QtCore import QTimer

from heartbeat import Heartbeat

STALL_S = 0.4

pytestmark = pytest.mark.alone


@pytest.fixture
def heart(qtbot):
    heart = Heartbeat()
    heart.start()
    qtbot.waitUntil(lambda: len(heart.gaps) > 5)
    return heart


def test_what_holds_up_the_event_loop_is_a_stall(heart, qtbot):
    QTimer.singleShot(0, lambda: time.sleep(STALL_S))
    beats = len(heart.gaps)
    qtbot.waitUntil(lambda: len(heart.gaps) > beats + 5)

    assert STALL_S - 0.1 < heart.stop()[0] < STALL_S + 0.5
