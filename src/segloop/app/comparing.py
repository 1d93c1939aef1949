"""Several models, or one with several thresholds, on the same images of a curated dataset."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from segloop.app.comparison_work import BACKGROUND, OTSU, ComparisonWork
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.job.task import CompareTask
from segloop.core.atomic import write_json, write_text
from segloop.core.context import Context
from segloop.core.errors import ConfigError, DatasetError, SegloopError
from segloop.core.paths import exists

if TYPE_CHECKING:
    from segloop.artifacts.job.job import EventLog
    from segloop.prediction.job import Summary

MOST_SETTINGS = 100
"""Combinations of thresholds in one comparison."""

_PREFIX = "threshold."


@dataclass(frozen=True)
class Comparison:
    """The scores of several models.

    Attributes
    ----------
    summary : dict
        As `segloop.evaluation.comparison.summarise` describes it: the content of ``metrics.json``.
    problems : tuple of str
        One sentence for each image or model that could not be scored.
    """

    summary: dict[str, Any]
    problems: tuple[str, ...]

    @property
    def metrics(self) -> dict[str, Any]:
        """By the name of each model, best first, its scores in the form of an evaluation's."""
        return dict(self.summary["models"])

    def table(self) -> list[str]:
        """Return the scores as lines for the terminal, best first, the baselines last."""
        from segloop.core.wording import table_lines
        from segloop.evaluation.comparison import degraded_table, table

        degraded = degraded_table(self.summary)
        return [*table_lines(table(self.summary)), *(["", *table_lines(degraded)] if degraded else [])]


def compare(
    models: Sequence[str | os.PathLike[str]],
    dataset: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    split: Literal["train", "val", "test"] | str = "val",
    grid: Mapping[str, Sequence[Any]] | None = None,
    degraded: Sequence[str] = (),
    context: Context | None = None,
) -> Comparison:
    """Score several runs or models on the accepted samples of one split.

    Each model predicts into ``out/<its name>``; ``out`` also gets ``metrics.json``, ``metrics.csv`` (one line
    a model and sample, with the columns of an evaluation) and ``report.html``. Excluded pixels do not count.
    Two baselines are scored beside the models: smoothed Otsu thresholding with connected components on the
    best channel, and no object at all.

    Parameters
    ----------
    models : sequence of path-like
        Runs, models, or names of models.
    dataset : path-like
        Curated dataset.
    out : path-like
        Folder for scores and predictions; `segloop.app.compared.read_comparison` reads it.
    split : str
        ``"train"``, ``"val"`` or ``"test"``.
    grid : mapping of str to sequence, optional
        Values of thresholds such as ``{"threshold.foreground": [0.3, 0.5, 0.7]}``. Every combination is
        scored with each model. Networks run once; the maps are kept and decoded again. The predictions of the
        best combination stay.
    degraded : sequence of str, optional
        Names of `segloop.evaluation.degradation`: ``"blur"``, ``"noise"``, ``"intensity"``, ``"scale"``. The
        models are also scored on images that are changed like this, at two levels each.
    context : Context, optional
        Progress and cancel.

    Raises
    ------
    DatasetError
        If there is no such dataset, or no accepted sample in the split.
    ConfigError
        If a threshold of the grid does not exist or has a value that is not valid, there are too many
        combinations, or a grid is asked for together with degraded images.
    SegloopError
        If no model could be scored, or a degradation does not exist.
    """
    from segloop.evaluation.comparison import METRICS_FILE, REPORT_FILE, Compared, summarise
    from segloop.evaluation.comparison_report import write_comparison_report
    from segloop.evaluation.degradation import degradations
    from segloop.evaluation.scores import csv_table, image_columns

    settings, changes = _combinations(grid or {}), degradations(degraded)
    if grid and degraded:
        raise ConfigError("A grid of thresholds and degraded images can't be combined: compare twice.")
    opened = CuratedDataset.open(dataset)
    samples = [opened.sample(name) for name in opened.split(split)]  # type: ignore[arg-type]
    if not samples:
        raise DatasetError(
            f"{opened.path} has no accepted samples in its {split} split: choose another split."
        )
    work = ComparisonWork(opened, samples, Path(out), context or Context())
    named = _names(models)
    work.start(len(named) * len(samples) * (1 + len(changes)) + len(samples))
    for name, model in named.items():
        work.score_model(name, model, settings, changes)
    if not work.entries:
        raise SegloopError(f"No model could be scored. {work.problems[0]}")
    compared = [Compared(name, each.scores, degraded=each.degraded) for name, each in work.entries.items()]
    compared += work.baselines()
    summary = summarise(compared)
    summary |= {
        "dataset": str(opened.path.resolve()),
        "split": split,
        "images": work.differences(compared, summary),
    }
    # The report comes first: it takes time, and a cancel must not leave metrics beside an older report.
    images = work.images(summary["images"])
    write_comparison_report(work.out / REPORT_FILE, summary, images, work.problems)
    write_json(work.out / METRICS_FILE, summary)
    rows = [
        {"model": each.name, "sample": sample, **image_columns(score)}
        for each in compared
        for sample, score in each.scores.items()
    ]
    write_text(work.out / "metrics.csv", csv_table(rows))
    return Comparison(summary, tuple(work.problems))


def compare_models(task: CompareTask, log: EventLog) -> Summary:
    """Do the comparison of a job; models and images that can't be scored are reported.

    Raises
    ------
    SegloopError
        If nothing can be compared. The job's state is then ``failed``.
    Cancelled
        If the job was asked to stop. Its state is then ``stopped``; there are no scores then.
    """
    from segloop.prediction.job import Summary, report_states

    def work() -> Summary:
        done = compare(task.models, task.dataset, out=task.out, split=task.split, context=log.context())
        for problem in done.problems:
            log.message(problem, "error")
        return Summary(len(done.metrics), done.problems)

    return report_states(log, "The comparison", work)


def _combinations(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the thresholds of each combination by name, without their prefix; none without a grid."""
    for name, values in grid.items():
        if not name.startswith(_PREFIX):
            raise ConfigError(
                f"'{name}' is not a threshold: write {_PREFIX}NAME, such as threshold.foreground."
            )
        if not values:
            raise ConfigError(f"{name} has no values: write them with commas, such as {name}=0.3,0.5.")
    if not grid:
        return []
    number = math.prod(len(values) for values in grid.values())
    if number > MOST_SETTINGS:
        raise ConfigError(
            f"The grid has {number} combinations, and {MOST_SETTINGS} at most are compared: use fewer values."
        )
    names = [name.removeprefix(_PREFIX) for name in grid]
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*grid.values())]


def _names(models: Sequence[str | os.PathLike[str]]) -> dict[str, str]:
    named: dict[str, str] = {}
    for model in models:
        stem = Path(model).resolve().name.removesuffix(".zip") if exists(model) else str(model)
        name, number = stem, 2
        while name in named or name in (OTSU, BACKGROUND):
            name, number = f"{stem}-{number}", number + 1
        named[name] = str(model)
    return named
