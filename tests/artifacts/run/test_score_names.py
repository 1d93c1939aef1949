"""Scores go by the names that the target of the run gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from segloop.artifacts.run.run import Run
from segloop.artifacts.run.score_names import named_curves, reported_scores, score_names
from segloop.config.train import TargetConfig, TrainConfig


def test_the_deciding_score_comes_first_and_losses_are_no_scores() -> None:
    names = score_names("instance")
    assert list(names.items()) == [("val_ap50", "AP50"), ("val_dice", "Dice")]
    reported = {"train_loss": 1.0, "val_loss": 1.0, "val_other": 0.1, "val_dice": 0.5, "val_ap50": 0.4}
    assert list(reported_scores(reported, names).items()) == [*names.items(), ("val_other", "other")]
    assert score_names("not_installed") == {}


@pytest.mark.parametrize(
    ("target", "scores"),
    [("semantic", {"val_dice": "Dice"}), ("not_installed", {"val_recall": "recall", "val_error": "error"})],
)
def test_the_curves_of_a_report_follow_what_the_run_reports(
    tmp_path: Path, target: str, scores: dict[str, str]
) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(target=TargetConfig(target)))
    values = {"train_loss": 0.5, "learning_rate": 0.01, "val_loss": 0.75}
    run.append_metrics({"epoch": 1, "step": 40, "seconds": 3.5, **values, **dict.fromkeys(scores, 0.25)})

    curves = named_curves(run)

    assert list(curves) == ["training loss", "validation loss", *scores.values(), "learning rate"]
    assert all(curves[name] == [(1, 0.25)] for name in scores.values())
