"""Background work that runs when a test says so, a clock that a test turns, choices kept in a dictionary."""

from __future__ import annotations

from segloop.core.context import Context


class FakeCall:
    """A call that waits for `FakeBackground.finish`."""

    def __init__(self, lane, function, on_result, on_error, on_progress):
        self.lane = lane
        self.cancelled = False
        self._function, self._on_result, self._on_error = function, on_result, on_error
        self._on_progress = on_progress

    def cancel(self):
        self.cancelled = True

    def finish(self):
        report = self._on_progress or (lambda progress: None)
        try:
            answer = self._function(Context(report, lambda: self.cancelled))
        except Exception as error:
            if self._on_error is None:
                raise
            self._on_error(error)
        else:
            if self._on_result is not None:
                self._on_result(answer)


class FakeBackground:
    """Keeps calls until `finish`; a newer call of a lane replaces the older one, as `Workers` does."""

    def __init__(self):
        self.waiting = {}

    def run(self, function, *args, lane, on_result=None, on_error=None, on_progress=None, **kwargs):
        call = FakeCall(
            lane, lambda context: function(*args, context=context, **kwargs), on_result, on_error, on_progress
        )
        self.drop(lane)
        self.waiting[lane] = call
        return call

    def drop(self, lane):
        call = self.waiting.pop(lane, None)
        if call is not None:
            call.cancel()

    @property
    def busy(self):
        return bool(self.waiting)

    def finish(self, lane=None):
        """Run what waits, and what that starts; or one lane alone, once."""
        if lane is not None:
            self.waiting.pop(lane).finish()
            return
        while self.waiting:
            self.waiting.pop(next(iter(self.waiting))).finish()


class FakeTimer:
    """A timer of `FakeClock`."""

    def __init__(self, clock, seconds, function):
        self._clock, self._seconds, self._function = clock, seconds, function
        self._due = None

    def start(self):
        self._due = self._clock.now() + self._seconds

    def stop(self):
        self._due = None

    @property
    def active(self):
        return self._due is not None

    def fire_if_due(self):
        if self._due is not None and self._due <= self._clock.now():
            self._due = None
            self._function()


class FakeClock:
    """Time that passes only by `advance`."""

    def __init__(self):
        self._now = 0.0
        self._timers = []

    def timer(self, seconds, function):
        self._timers.append(FakeTimer(self, seconds, function))
        return self._timers[-1]

    def now(self):
        return self._now

    def advance(self, seconds):
        self._now += seconds
        for timer in list(self._timers):
            timer.fire_if_due()


class FakeMemory:
    """Choices of one workspace."""

    def __init__(self):
        self.kept = {}

    def recall(self, key, default=None):
        return self.kept.get(key, default)

    def remember(self, key, value):
        self.kept[key] = value


__all__ = ["FakeBackground", "FakeClock", "FakeMemory"]
