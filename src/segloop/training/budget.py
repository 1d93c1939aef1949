"""How much of a training is done: time, epochs, and what follows for the learning rate."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from segloop.config.train import StopConfig

_WARM_UP = 0.05
_LOWEST = 0.01


@dataclass
class Budget:
    """A clock that runs while the training does, and its limits.

    Attributes
    ----------
    limits : StopConfig
        When training ends.
    spent : float
        Seconds of training before this process.
    """

    limits: StopConfig
    spent: float = 0.0
    _started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds of training, earlier processes included."""
        return self.spent + time.monotonic() - self._started

    @property
    def seconds(self) -> float:
        """Seconds allowed."""
        return self.limits.max_minutes * 60

    def fraction(self, epochs: float) -> float:
        """Return how much is done, 0 to 1, by the limit that will bind.

        Parameters
        ----------
        epochs : float
            Finished epochs, with a fraction for the one under way.
        """
        return min(1.0, max(self.elapsed / self.seconds, epochs / self.limits.max_epochs))

    def seconds_left(self, epochs: float) -> float:
        """Return the seconds until a limit is reached, at the pace so far."""
        by_clock = self.seconds - self.elapsed
        if epochs <= 0:
            return max(0.0, by_clock)
        return max(0.0, min(by_clock, self.elapsed / epochs * (self.limits.max_epochs - epochs)))

    def time_is_up(self, reserve: float = 0.0) -> bool:
        """Whether the time is used up, but for ``reserve`` seconds."""
        return self.elapsed + reserve >= self.seconds


def learning_rate_factor(fraction: float) -> float:
    """Return the learning rate relative to its largest value.

    Linear warm-up, then cosine decay (Loshchilov and Hutter 2017, SGDR, eq. 5, without restarts).

    Parameters
    ----------
    fraction : float
        How much of the training is done, 0 to 1.
    """
    if fraction < _WARM_UP:
        return max(_LOWEST, fraction / _WARM_UP)
    done = min(1.0, (fraction - _WARM_UP) / (1 - _WARM_UP))
    return _LOWEST + (1 - _LOWEST) * 0.5 * (1 + math.cos(math.pi * done))
