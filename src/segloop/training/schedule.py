"""How much of a training is done, when it ends, and the learning rate that follows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from segloop.config.train import StopConfig
from segloop.training.extras import Clock

_WARM_UP = 0.05
_LOWEST = 0.01


@dataclass
class Schedule:
    """The limits of a training, and the clock that runs while it does.

    A training with ``stop.max_steps`` depends on the number of steps alone; time only ends it early. So it
    can be repeated exactly, on a busy computer too.

    Attributes
    ----------
    limits : StopConfig
        When training ends.
    batches_per_epoch : int
        Steps per epoch.
    spent : float
        Seconds of training before this process.
    clock : callable
        Returns seconds.
    """

    limits: StopConfig
    batches_per_epoch: int
    spent: float = 0.0
    clock: Clock = time.monotonic
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.clock()

    @property
    def repeatable(self) -> bool:
        """Whether what happens depends on the number of steps alone."""
        return self.limits.max_steps > 0

    @property
    def steps(self) -> int:
        """Number of steps after which training ends, unless it ends earlier."""
        by_epochs = self.limits.max_epochs * self.batches_per_epoch
        return min(self.limits.max_steps, by_epochs) if self.repeatable else by_epochs

    @property
    def elapsed(self) -> float:
        """Seconds of training, earlier processes included."""
        return self.spent + self.clock() - self._started

    @property
    def seconds(self) -> float:
        """Seconds allowed."""
        return self.limits.max_minutes * 60

    def fraction(self, step: int) -> float:
        """Return how much is done after ``step`` steps, 0 to 1: by steps, or by time if that is more."""
        by_steps = step / self.steps
        return min(1.0, by_steps if self.repeatable else max(self.elapsed / self.seconds, by_steps))

    def seconds_left(self, step: int) -> float:
        """Return the seconds until a limit is reached, at the pace so far."""
        by_clock = self.seconds - self.elapsed
        if step <= 0:
            return max(0.0, by_clock)
        return max(0.0, min(by_clock, self.elapsed / step * (self.steps - step)))

    def time_is_up(self, reserve: float = 0.0) -> bool:
        """Whether the time is used up, but for ``reserve`` seconds."""
        return self.elapsed + reserve >= self.seconds

    def steps_are_done(self, step: int) -> bool:
        """Whether the number of steps is reached that a repeatable training has."""
        return self.repeatable and step >= self.limits.max_steps


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


class WarmUpCosine(LRScheduler):
    """Learning rate by `learning_rate_factor`; to be stepped after each training step.

    Parameters
    ----------
    optimizer : Optimizer
        Its learning rates are the largest ones.
    fraction : callable
        Returns how much of the training is done after a number of steps, such as `Schedule.fraction`.
    """

    def __init__(self, optimizer: Optimizer, fraction: Callable[[int], float]) -> None:
        self._fraction = fraction
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Any]:
        """Return the learning rate of each parameter group for the next step."""
        factor = learning_rate_factor(self._fraction(self.last_epoch))
        return [base * factor for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: the largest rates and the number of steps."""
        return {"base_lrs": list(self.base_lrs), "last_epoch": self.last_epoch}
