from __future__ import annotations

import pytest

from segloop.config.train import StopConfig
from segloop.training.budget import Budget, learning_rate_factor


def test_the_limit_that_binds_says_how_much_is_done() -> None:
    budget = Budget(StopConfig(max_minutes=10, max_epochs=100), spent=300)

    assert budget.fraction(epochs=20) == pytest.approx(0.5, abs=0.01)
    assert budget.fraction(epochs=80) == pytest.approx(0.8)


def test_time_left_is_that_of_the_limit_that_binds() -> None:
    budget = Budget(StopConfig(max_minutes=10, max_epochs=100), spent=300)

    assert budget.seconds_left(epochs=20) == pytest.approx(300, abs=1)
    assert budget.seconds_left(epochs=75) == pytest.approx(100, abs=1)


def test_time_spent_before_counts() -> None:
    budget = Budget(StopConfig(max_minutes=1), spent=59)

    assert not budget.time_is_up()
    assert budget.time_is_up(reserve=2)


def test_the_learning_rate_warms_up_then_falls_to_almost_nothing() -> None:
    rates = [learning_rate_factor(step / 100) for step in range(101)]
    top = rates.index(max(rates))

    assert rates[0] < 0.05
    assert max(rates) == 1
    assert 3 <= top <= 7
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(0.01)
