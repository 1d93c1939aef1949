from __future__ import annotations

import dataclasses

from segloop.training.callbacks import Best
from segloop.training.validation import Scores


def best_of(*scores: Scores) -> int:
    best = Best()
    for epoch, each in enumerate(scores, 1):
        best = best.next(each, epoch)
    return best.epoch


def test_a_clearly_higher_score_wins_whatever_its_loss() -> None:
    assert best_of(Scores(0.1, 0.9, 0.3, 200), Scores(0.5, 0.9, 0.6, 200)) == 2


def test_among_scores_within_noise_the_lower_loss_wins() -> None:
    assert best_of(Scores(0.4, 0.9, 0.81, 200), Scores(0.3, 0.9, 0.79, 200)) == 2
    assert best_of(Scores(0.3, 0.9, 0.79, 200), Scores(0.4, 0.9, 0.81, 200)) == 1


def test_a_clearly_lower_score_loses_whatever_its_loss() -> None:
    assert best_of(Scores(0.4, 0.9, 0.8, 2000), Scores(0.1, 0.9, 0.6, 2000)) == 1


def test_scores_do_not_creep_down() -> None:
    falling = [Scores(0.5 - 0.01 * n, 0.9, 0.8 - 0.02 * n, 2000) for n in range(20)]

    assert best_of(*falling) <= 2


def test_many_objects_tell_smaller_differences() -> None:
    few, many = Scores(0.1, 0.9, 0.8, 100), Scores(0.1, 0.9, 0.8, 10_000)

    assert many.uncertainty < 0.01 < few.uncertainty < 0.1


def test_it_is_told_to_a_checkpoint_and_back() -> None:
    best = Best().next(Scores(0.4, 0.9, 0.8, 200), 3)

    assert Best(**dataclasses.asdict(best)) == best
