from __future__ import annotations

import pytest
import torch

from segloop.config.train import StopConfig
from segloop.training.schedule import Schedule, WarmUpCosine, learning_rate_factor


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def schedule(spent: float, **limits: float) -> Schedule:
    return Schedule(StopConfig(**limits), 10, spent, Clock())  # type: ignore[arg-type]


def test_the_limit_that_binds_says_how_much_is_done() -> None:
    some = schedule(300, max_minutes=10, max_epochs=100)

    assert some.fraction(200) == pytest.approx(0.5)
    assert some.fraction(800) == pytest.approx(0.8)


def test_time_left_is_that_of_the_limit_that_binds() -> None:
    some = schedule(300, max_minutes=10, max_epochs=100)

    assert some.seconds_left(200) == pytest.approx(300)
    assert some.seconds_left(750) == pytest.approx(100)


def test_time_spent_before_counts() -> None:
    some = schedule(59, max_minutes=1)

    assert not some.time_is_up()
    assert some.time_is_up(reserve=2)


def test_time_goes_by_the_clock_that_is_given() -> None:
    clock = Clock()
    some = Schedule(StopConfig(max_minutes=1), 10, clock=clock)

    clock.now += 59.5
    assert not some.time_is_up()
    clock.now += 0.5
    assert some.time_is_up()


def test_a_number_of_steps_is_done_by_steps_whatever_the_time() -> None:
    clock = Clock()
    some = Schedule(StopConfig(max_minutes=10, max_steps=50), 10, clock=clock)
    clock.now += 400

    assert some.fraction(25) == 0.5
    assert [some.steps_are_done(step) for step in (49, 50)] == [False, True]


def test_epochs_also_limit_the_number_of_steps() -> None:
    assert schedule(0, max_steps=500, max_epochs=3).steps == 30


def test_the_learning_rate_warms_up_then_falls_to_almost_nothing() -> None:
    rates = [learning_rate_factor(step / 100) for step in range(101)]
    top = rates.index(max(rates))

    assert rates[0] < 0.05
    assert max(rates) == 1
    assert 3 <= top <= 7
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(0.01)


def optimizer(rate: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def test_the_scheduler_follows_steps_or_time() -> None:
    clock = Clock()
    some = Schedule(StopConfig(max_minutes=1, max_epochs=10), 10, clock=clock)
    fitted = optimizer(0.5)
    scheduler = WarmUpCosine(fitted, some.fraction)
    rates = [scheduler.get_last_lr()[0]]

    for seconds in (0, 30, 30):
        clock.now += seconds
        fitted.step()
        scheduler.step()
        rates += scheduler.get_last_lr()

    fractions = [0.0, 0.01, 0.5, 1.0]
    assert rates == pytest.approx([0.5 * learning_rate_factor(fraction) for fraction in fractions])


def test_a_scheduler_continues_from_its_checkpoint() -> None:
    some = schedule(0, max_steps=100)
    fitted = optimizer(0.5)
    first = WarmUpCosine(fitted, some.fraction)
    for _ in range(30):
        fitted.step()
        first.step()

    second = WarmUpCosine(optimizer(0.5), some.fraction)
    second.load_state_dict(first.state_dict())
    second.optimizer.step()
    second.step()
    fitted.step()
    first.step()

    assert second.get_last_lr() == first.get_last_lr()
