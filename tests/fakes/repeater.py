"""A repeater whose calls the test makes."""

from __future__ import annotations


class FakeRepeater:
    """Calls when `repeat` is called."""

    def __init__(self):
        self.running = False

    def start(self, function, on_result):
        self._call, self.running = lambda: on_result(function()), True

    def stop(self):
        self.running = False

    def repeat(self):
        assert self.running
        self.running = self._call() and self.running
