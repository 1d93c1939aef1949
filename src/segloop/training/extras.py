"""What a caller in Python may pass to a training."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger

Clock = Callable[[], float]
"""Returns seconds, like `time.monotonic`."""


@dataclass(frozen=True)
class Extras:
    """What a caller in Python may pass to a training.

    Attributes
    ----------
    callbacks : sequence of lightning.pytorch.Callback
        Further callbacks of Lightning.
    loggers : sequence of lightning.pytorch.loggers.Logger
        Loggers of Lightning; they receive the values of ``metrics.csv``.
    clock : callable
        Returns seconds; limits in time count by it.
    """

    callbacks: Sequence[Callback] = ()
    loggers: Sequence[Logger] = ()
    clock: Clock = time.monotonic
