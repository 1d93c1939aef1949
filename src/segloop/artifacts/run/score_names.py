"""What the scores of a run are called, by the target that reports them."""

from __future__ import annotations

from collections.abc import Mapping

from segloop.artifacts.run.run import Run
from segloop.core.errors import RunError, SegloopError
from segloop.targets import TARGETS

LOSSES = {"train_loss": "training loss", "val_loss": "validation loss"}
"""Words for the losses by their names in ``metrics.csv``."""


def score_names(target: str) -> dict[str, str]:
    """Return short names of a target's scores by their names in ``metrics.csv``, the deciding one first.

    Empty for a target that is not installed here.

    Parameters
    ----------
    target : str
        Name of the target.
    """
    try:
        metrics = TARGETS.get(target).metrics
    except SegloopError:
        return {}
    return {f"val_{metric.name}": metric.short or metric.title for metric in metrics}


def score_names_of(run: Run) -> dict[str, str]:
    """Return the `score_names` of a run's target; empty where its config can't be read here."""
    try:
        return score_names(run.config.target.kind)
    except RunError:
        return {}


def reported_scores(reported: Mapping[str, object], names: Mapping[str, str]) -> dict[str, str]:
    """Return short names of the scores that a run reports, the known ones first and in their order.

    Parameters
    ----------
    reported : mapping
        By the names of ``metrics.csv``; what is not a score is ignored.
    names : mapping of str to str
        As `score_names` gives them; of a target that is not known here, scores keep the names they have.
    """
    scores = [name for name in reported if name.startswith("val_") and name not in LOSSES]
    known = [name for name in names if name in scores]
    others = [name for name in scores if name not in names]
    return {name: names.get(name) or name.removeprefix("val_") for name in (*known, *others)}


def named_curves(run: Run) -> dict[str, list[tuple[float, float]]]:
    """Return the losses, scores and learning rate of a run over its epochs, by what they are called."""
    curves = run.metrics()
    scores = reported_scores(curves, score_names_of(run))
    words = {**LOSSES, **scores, "learning_rate": "learning rate"}
    return {words[name]: [*curves[name]] for name in words if name in curves}
