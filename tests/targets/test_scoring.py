"""What is as good as equal, and which of equal values is taken."""

from __future__ import annotations

from segloop.targets.scoring import middle_of_plateau, proportion_uncertainty


def test_of_values_as_good_as_the_best_the_middle_one_is_taken() -> None:
    scores = [0.5, 0.79, 0.8, 0.78, 0.79, 0.78, 0.5, 0.4]

    assert middle_of_plateau(scores, 200) == 3


def test_many_objects_tell_smaller_differences() -> None:
    scores = [0.76, 0.78, 0.76, 0.75, 0.74, 0.73, 0.72, 0.71]

    assert middle_of_plateau(scores, 100_000) == 1
    assert middle_of_plateau(scores, 100) > 1


def test_a_score_of_many_objects_is_more_certain() -> None:
    assert proportion_uncertainty(0.8, 10_000) < 0.01 < proportion_uncertainty(0.8, 100) < 0.1


def test_a_few_objects_that_were_all_found_are_not_certain() -> None:
    assert proportion_uncertainty(1.0, 3) > 0.1
