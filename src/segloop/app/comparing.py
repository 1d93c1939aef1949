"""Several models on the same images of a curated dataset."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.config.predict import PredictConfig
from segloop.core.atomic import write_json, write_text
from segloop.core.context import Context
from segloop.core.errors import DatasetError, SegloopError
from segloop.core.paths import exists
from segloop.images.image import default_names
from segloop.targets.output import CLASSES, LABELS

if TYPE_CHECKING:
    from segloop.artifacts.dataset.manifest import Sample
    from segloop.artifacts.model.card import ModelCard
    from segloop.evaluation.scores import ImageScore
    from segloop.prediction.job import ModelCache


@dataclass(frozen=True)
class Comparison:
    """The scores of several models.

    Attributes
    ----------
    metrics : dict
        By the name of each model, its scores in the form of ``metrics.json``.
    problems : tuple of str
        One sentence for each image or model that could not be scored.
    """

    metrics: dict[str, Any]
    problems: tuple[str, ...]

    def table(self) -> list[str]:
        """Return one readable line a model, best first."""
        rows = sorted(self.metrics.items(), key=lambda item: _rank(item[1]), reverse=True)
        width = max((len(name) for name in self.metrics), default=0)
        lines = []
        for name, scores in rows:
            objects = scores["instance"]
            ap = "" if objects is None else f"   AP at IoU 0.50 {objects['ap']['0.50']:.3f}"
            lines.append(f"{name:{width}s}   Dice {scores['semantic']['dice']:.3f}{ap}")
        return lines


def _rank(scores: dict[str, Any]) -> float:
    objects = scores["instance"]
    return float(scores["semantic"]["dice"] if objects is None else objects["ap"]["0.50"])


def compare(
    models: Sequence[str | os.PathLike[str]],
    dataset: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    split: Literal["train", "val", "test"] | str = "val",
    context: Context | None = None,
) -> Comparison:
    """Score several runs or models on the accepted samples of one split.

    Each model predicts into ``out/<its name>``; ``out`` also gets ``metrics.json`` (scores by model) and
    ``metrics.csv`` (one line a model and sample, with the columns of an evaluation). Excluded pixels do not
    count.

    Parameters
    ----------
    models : sequence of path-like
        Runs, models, or names of models.
    dataset : path-like
        Curated dataset.
    out : path-like
        Folder for scores and predictions.
    split : str
        ``"train"``, ``"val"`` or ``"test"``.
    context : Context, optional
        Progress and cancel.

    Raises
    ------
    DatasetError
        If there is no such dataset, or no accepted sample in the split.
    SegloopError
        If no model could be scored.
    """
    from segloop.evaluation.scores import csv_table, image_columns, pool
    from segloop.prediction.job import ModelCache

    opened = CuratedDataset.open(dataset)
    samples = [opened.sample(name) for name in opened.split(split)]  # type: ignore[arg-type]
    if not samples:
        raise DatasetError(
            f"{opened.path} has no accepted samples in its {split} split: choose another split."
        )
    folder, cache, context = Path(out), ModelCache(), context or Context()
    named = _names(models)
    scores: dict[str, dict[str, ImageScore]] = {}
    problems: list[str] = []
    for number, (name, model) in enumerate(named.items()):
        for done, sample in enumerate(samples):
            context.progress(number * len(samples) + done, len(named) * len(samples), f"{name}: {sample.id}")
            try:
                scored = _score(opened, sample, model, folder / name, cache)
            except SegloopError as error:
                problems.append(f"{name}: {error}")
            else:
                scores.setdefault(name, {})[sample.id] = scored
    if not scores:
        raise SegloopError(f"No model could be scored. {problems[0]}")
    metrics = {name: pool(by_sample.values()) for name, by_sample in scores.items()}
    write_json(folder / "metrics.json", metrics)
    rows = [
        {"model": name, "sample": sample, **image_columns(score)}
        for name, by_sample in scores.items()
        for sample, score in by_sample.items()
    ]
    write_text(folder / "metrics.csv", csv_table(rows))
    return Comparison(metrics, tuple(problems))


def _names(models: Sequence[str | os.PathLike[str]]) -> dict[str, str]:
    named: dict[str, str] = {}
    for model in models:
        stem = Path(model).resolve().name.removesuffix(".zip") if exists(model) else str(model)
        name, number = stem, 2
        while name in named:
            name, number = f"{stem}-{number}", number + 1
        named[name] = str(model)
    return named


def _score(dataset: CuratedDataset, sample: Sample, model: str, out: Path, cache: ModelCache) -> ImageScore:
    from segloop.evaluation.scores import score_image
    from segloop.images.labels import read_labels
    from segloop.prediction.predict import predict_image

    loaded, engine, _ = cache.get(model, PredictConfig().device)
    config = PredictConfig(channels=_channels(dataset, loaded.card), slice_by_slice=True)
    result = predict_image(loaded, engine, dataset.raw(sample), config, out, sample.id)
    kind, path = next(iter(result.outputs.items()))
    truth = dataset.ground_truth(sample)
    return score_image(
        read_labels(path),
        truth.labels,
        instances=kind == LABELS and dataset.label_kind == "instances",
        valid=truth.valid,
        classes=kind == CLASSES,
    )


def _channels(dataset: CuratedDataset, card: ModelCard) -> list[str]:
    """Return the dataset's choice of channels for a model whose own names were only counted."""
    inputs = tuple(card.recipe.channels)
    counted = inputs == default_names(len(inputs))
    return list(dataset.channels) if counted and len(dataset.channels) == len(inputs) else []
