"""Decoding results again as thresholds move: only the newest thresholds count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from psygnal import Signal

from segloop.app.presenters.prediction.preview import decode_preview, is_large
from segloop.core.context import Context
from segloop.core.errors import Cancelled
from segloop.prediction.kept import Shown
from segloop.targets import ParameterSet

if TYPE_CHECKING:
    from segloop.app.presenters.background import Background, Clock
    from segloop.app.presenters.prediction.result import Region, Result
    from segloop.prediction.kept import KeptPrediction

Decoded = list[tuple["Result", Shown]]

_DELAY_S = 0.03
"""Movements of a slider that follow each other faster are one."""

_REST_S = 0.3
"""How long the thresholds must rest before a large result is decoded as a whole."""


class Decoder:
    """Decodes results in the background.

    The part of a large result that is in view comes first. Meanwhile, and until the whole follows, `updating`
    is true. A newer request never waits for the whole of an older one to show its part in view.

    Parameters
    ----------
    background : Background
        Do the decoding.
    clock : Clock
        Time.
    results : callable
        Returns the results to decode, at that moment.
    """

    changed = Signal()
    """`updating` or `slow` may have changed."""

    previewed = Signal(object)
    """List of (Result, Shown): the part in view has new thresholds, the rest has not."""

    decoded = Signal(object)
    """List of (Result, Shown): all of it."""

    failed = Signal(Exception)
    """Something could not be decoded."""

    def __init__(self, background: Background, clock: Clock, results: Callable[[], Sequence[Result]]) -> None:
        self._background = background
        self._results = results
        self._thresholds: ParameterSet | None = None
        self._decoding = False
        self._previewing = False
        self._stale = False
        self._delay = clock.timer(_DELAY_S, self._begin)
        self._rest = clock.timer(_REST_S, self._decode)

    @property
    def thresholds(self) -> ParameterSet | None:
        """The newest thresholds; None before the first."""
        return self._thresholds

    @property
    def updating(self) -> bool:
        """Whether what is shown may not have the newest thresholds yet."""
        return self._decoding or self._previewing or self._delay.active or self._rest.active

    @property
    def slow(self) -> bool:
        """Whether it is updating and takes long enough to say so."""
        return self.updating and bool(self._large())

    def set_thresholds(self, thresholds: ParameterSet, *, decode: bool = True) -> None:
        """Decode with these thresholds from now on; without ``decode``, only what comes later."""
        self._thresholds = thresholds
        if decode:
            self.request()

    def request(self) -> None:
        """Decode all results, soon."""
        self._stale = self._decoding
        self._rest.stop()
        self._delay.start()
        self.changed.emit()

    def close(self) -> None:
        """Stop; nothing is emitted any more."""
        self._delay.stop()
        self._rest.stop()
        self._background.drop("preview")
        self._background.drop("decode")

    def _large(self) -> list[Result]:
        return [each for each in self._results() if each.shown is not None and is_large(each.shown)]

    def _can_decode(self, result: Result) -> bool:
        """Whether a result has its maps, and was made by a model with thresholds of this kind."""
        return result.can_decode and self._thresholds is not None and result.follows(self._thresholds)

    def _begin(self) -> None:
        regions = [(result, result.view.region) for result in self._large() if self._can_decode(result)]
        wanted = [
            (result, result.shown, result.kept, region)
            for result, region in regions
            if region is not None and result.shown is not None and result.kept is not None
        ]
        if not wanted or self._thresholds is None:
            self._decode()
            return
        self._previewing = True
        self._background.run(
            _preview_all,
            wanted,
            self._thresholds,
            lane="preview",
            on_result=self._on_previewed,
            on_error=self._on_not_previewed,
        )

    def _on_previewed(self, answers: Decoded) -> None:
        self._previewing = False
        self._rest.start()
        self.previewed.emit(answers)
        self.changed.emit()

    def _on_not_previewed(self, error: Exception) -> None:
        self._previewing = False
        if not isinstance(error, Cancelled):
            self._decode()  # which says what is wrong

    def _decode(self) -> None:
        if self._decoding:
            self._stale = True
            return
        wanted = [(result, result.kept) for result in self._results() if self._can_decode(result)]
        self._stale = False
        if not wanted or self._thresholds is None:
            self.changed.emit()
            return
        self._decoding = True
        self._background.run(
            _decode_all,
            wanted,
            self._thresholds,
            lane="decode",
            on_result=self._on_decoded,
            on_error=self._on_not_decoded,
        )
        self.changed.emit()

    def _on_decoded(self, answers: Decoded) -> None:
        self._decoding = False
        # Of a large result, a newer preview may be on screen already.
        outdated = self._stale and bool(self._large())
        if not outdated:
            self.decoded.emit(answers)
        self._go_on()

    def _on_not_decoded(self, error: Exception) -> None:
        self._decoding = False
        self.failed.emit(error)
        self._go_on()

    def _go_on(self) -> None:
        if self._stale and not (self._delay.active or self._previewing or self._rest.active):
            self._decode()
        self.changed.emit()


def _preview_all(
    wanted: Sequence[tuple[Result, Shown, KeptPrediction, Region]], thresholds: ParameterSet, context: Context
) -> Decoded:
    return [
        (result, decode_preview(shown, kept.target, thresholds, region, context))
        for result, shown, kept, region in wanted
    ]


def _decode_all(
    wanted: Sequence[tuple[Result, KeptPrediction]], thresholds: ParameterSet, context: Context
) -> Decoded:
    return [(result, kept.decode(thresholds, context)) for result, kept in wanted]
