"""The work of a comparison: predict, decode again, change images, score; one sample at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.config.predict import PredictConfig
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.images.image import default_names
from segloop.targets.output import CLASSES, LABELS, PROBABILITY

if TYPE_CHECKING:
    from segloop.artifacts.dataset.manifest import Sample
    from segloop.artifacts.model.card import ModelCard
    from segloop.core.matching import Array
    from segloop.evaluation.comparison import Compared
    from segloop.evaluation.comparison_report import ComparedImage
    from segloop.evaluation.degradation import Degradation
    from segloop.evaluation.scores import ImageScore

OTSU, BACKGROUND = "smoothed Otsu", "all background"
"""Names of the baselines."""

_SHOWN_IMAGES, _SHOWN_MODELS = 6, 6


@dataclass
class Entry:
    """What is known of a model, or of a model with certain thresholds."""

    scores: dict[str, ImageScore] = field(default_factory=dict)
    degraded: dict[str, dict[str, ImageScore]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)


class ComparisonWork:
    """Predicts and scores, and remembers what went wrong.

    Parameters
    ----------
    dataset : CuratedDataset
        Holds the samples.
    samples : sequence of Sample
        To score on.
    out : Path
        Each model predicts into a folder of its name below.
    context : Context
        Progress and cancel.

    Attributes
    ----------
    entries : dict
        What was scored, by the name of the model, or of the model with its thresholds.
    problems : list of str
        One sentence for each image that could not be scored.
    """

    def __init__(
        self, dataset: CuratedDataset, samples: Sequence[Sample], out: Path, context: Context
    ) -> None:
        from segloop.prediction.job import ModelCache

        self.out = out
        self.entries: dict[str, Entry] = {}
        self.problems: list[str] = []
        self._dataset = dataset
        self._samples = samples
        self._context = context
        self._cache = ModelCache()
        self._done = self._total = 0

    def start(self, total: int) -> None:
        """Begin to count progress."""
        self._total = total

    def score_model(
        self, name: str, model: str, settings: Sequence[Mapping[str, Any]], changes: Sequence[Degradation]
    ) -> None:
        """Score a model on all samples, with each combination of thresholds and on all changed images."""
        if settings:
            self._check(model, settings)
        predicted: dict[str, Path] = {}
        for sample in self._samples:
            self._step(f"{name}: {sample.id}")
            try:
                kind, path = self._predict(sample, model, self.out / name, keep_maps=bool(settings))
                predicted[sample.id] = path
                if not settings:
                    self._add(name, sample, kind, path)
            except SegloopError as error:
                self.problems.append(f"{name}: {error}")
            for change in changes:
                self._step(f"{name}: {sample.id}, {change.title}")
                if sample.id not in predicted:
                    continue
                try:
                    scored = self._score_changed(sample, model, change)
                except SegloopError as error:
                    self.problems.append(f"{name}, {change.title}: {error}")
                else:
                    self.entries[name].degraded.setdefault(change.title, {})[sample.id] = scored
        if settings and predicted:
            self._score_settings(name, kind, predicted, settings)

    def _score_settings(
        self, name: str, kind: str, predicted: Mapping[str, Path], settings: Sequence[Mapping[str, Any]]
    ) -> None:
        """Decode the maps with each combination of thresholds, at last with the best one."""
        from segloop.evaluation.comparison import Compared, summarise
        from segloop.prediction.rethreshold import rethreshold_folder

        titles = {f"{name} {_title(values)}": values for values in settings}
        silent = Context(cancelled=self._context.cancelled)
        for title, values in titles.items():
            self._context.progress(self._done, self._total, title)
            self.problems += rethreshold_folder(self.out / name, values, silent).problems
            for sample in self._samples:
                if sample.id not in predicted:
                    continue
                try:
                    self._add(title, sample, kind, predicted[sample.id])
                except SegloopError as error:
                    self.problems.append(f"{title}: {error}")
        found = [Compared(title, self.entries[title].scores) for title in titles if title in self.entries]
        if found:
            best = summarise(found)["best"]
            rethreshold_folder(self.out / name, titles[best], silent)
            for title in titles:  # the files of the others are gone
                if title != best and title in self.entries:
                    self.entries[title].files.clear()

    def baselines(self) -> list[Compared]:
        """Score the trivial methods on all samples."""
        import numpy as np

        from segloop.evaluation.baseline import best_channel_baseline
        from segloop.evaluation.comparison import Compared
        from segloop.evaluation.scores import score_image

        objects = self._dataset.label_kind == "instances"
        otsu: dict[str, ImageScore] = {}
        nothing: dict[str, ImageScore] = {}
        for sample in self._samples:
            self._step(f"Baselines: {sample.id}")
            try:
                truth, pixels = self._dataset.ground_truth(sample), self._pixels(sample)
            except SegloopError as error:
                self.problems.append(f"Baselines: {error}")
                continue
            # Of classes, the baselines know only foreground.
            true = truth.labels if objects else truth.labels > 0
            labels, _ = best_channel_baseline(pixels, true, truth.valid)
            for scores, found in ((otsu, labels), (nothing, np.zeros_like(labels))):
                scores[sample.id] = score_image(found, true, instances=objects, valid=truth.valid)
        by_name = {OTSU: otsu, BACKGROUND: nothing}
        return [Compared(name, scores, baseline=True) for name, scores in by_name.items() if scores]

    def differences(self, compared: Sequence[Compared], summary: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the images, those first whose scores differ most between the models.

        Returns
        -------
        list of dict
            ``sample``; ``scores`` and ``files``: by model, its score of the image, and the file with its
            main output, relative to ``out``.
        """
        from segloop.evaluation.comparison import score_of_image

        scores = {each.name: each.scores for each in compared}
        shown = [name for name in summary["models"] if self.entries[name].files]
        images: list[dict[str, Any]] = []
        for sample in self._samples:
            names = [name for name in shown if sample.id in scores[name]]
            files = {name: self.entries[name].files[sample.id] for name in names}
            values = {name: score_of_image(scores[name][sample.id], summary["score"]) for name in names}
            relative = {name: path.relative_to(self.out).as_posix() for name, path in files.items()}
            images += [{"sample": sample.id, "scores": values, "files": relative}] if names else []

        def order(image: Mapping[str, Any]) -> tuple[float, float]:
            values = image["scores"].values()
            # With one model there is no difference: the images that it is worst on.
            return min(values) - max(values), min(values)

        return sorted(images, key=order)

    def images(self, differences: Sequence[Mapping[str, Any]]) -> Iterator[ComparedImage]:
        """Read the first of the images that `differences` returns."""
        from segloop.evaluation.comparison_report import ComparedImage
        from segloop.images.labels import read_labels

        samples = {sample.id: sample for sample in self._samples}
        for image in differences[:_SHOWN_IMAGES]:
            sample = samples[image["sample"]]
            truth = self._dataset.ground_truth(sample)
            predictions = {
                f"{name}: {image['scores'][name]:.3f}": read_labels(self.out / file)
                for name, file in list(image["files"].items())[:_SHOWN_MODELS]
            }
            yield ComparedImage(sample.id, self._pixels(sample), truth.labels, truth.valid, predictions)

    def _step(self, message: str) -> None:
        self._context.progress(self._done, self._total, message)
        self._done += 1

    def _check(self, model: str, settings: Sequence[Mapping[str, Any]]) -> None:
        """Refuse thresholds that the model does not have, before anything is predicted."""
        loaded, _, _ = self._cache.get(model, PredictConfig().device)
        for values in settings:
            loaded.target().parameters_type.from_values({**loaded.card.parameters, **values}, "threshold")

    def _predict(self, sample: Sample, model: str, out: Path, keep_maps: bool) -> tuple[str, Path]:
        """Return the kind of the main output, and its file."""
        from segloop.prediction.predict import predict_image

        loaded, engine, _ = self._cache.get(model, PredictConfig().device)
        config = self._config(loaded.card)
        if keep_maps:
            config = replace(config, outputs=[loaded.target().outputs[0].name, PROBABILITY.name])
        result = predict_image(loaded, engine, self._dataset.raw(sample), config, out, sample.id)
        kind, path = next(iter(result.outputs.items()))
        return kind.name, path

    def _add(self, name: str, sample: Sample, kind: str, path: Path) -> None:
        from segloop.images.labels import read_labels

        truth = self._dataset.ground_truth(sample)
        scored = self._scored(read_labels(path), truth.labels, truth.valid, kind)
        entry = self.entries.setdefault(name, Entry())
        entry.scores[sample.id] = scored
        entry.files[sample.id] = path

    def _score_changed(self, sample: Sample, model: str, change: Degradation) -> ImageScore:
        import dask.array as da

        from segloop.prediction.in_memory import predict_in_memory

        loaded, engine, _ = self._cache.get(model, PredictConfig().device)
        image, truth = self._dataset.raw(sample), self._dataset.ground_truth(sample)
        z, y, x = image.pixel_size_um
        y, x = (None if each is None else each / change.scale for each in (y, x))
        pixels = da.from_array(change.apply(self._pixels(sample))[None])  # type: ignore[no-untyped-call]
        changed = replace(image, data=pixels, pixel_size_um=(z, y, x), path=None)
        kind, found = next(
            iter(predict_in_memory(loaded, engine, changed, self._config(loaded.card)).items())
        )
        labels, valid = (change.apply_to_labels(each) for each in (truth.labels, truth.valid))
        return self._scored(found.reshape(labels.shape), labels, valid, kind.name)

    def _scored(self, found: Array, labels: Array, valid: Array, kind: str) -> ImageScore:
        from segloop.evaluation.scores import score_image

        return score_image(
            found,
            labels,
            instances=kind == LABELS.name and self._dataset.label_kind == "instances",
            valid=valid,
            classes=kind == CLASSES.name,
        )

    def _config(self, card: ModelCard) -> PredictConfig:
        return PredictConfig(channels=_channels(self._dataset, card), slice_by_slice=True)

    def _pixels(self, sample: Sample) -> Array:
        """Return the raw image (C, Z, Y, X)."""
        image, whole = self._dataset.raw(sample), slice(None)
        return image.block(0, range(image.n_channels), whole, whole, whole)


def _title(values: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())


def _channels(dataset: CuratedDataset, card: ModelCard) -> list[str]:
    """Return the dataset's choice of channels for a model whose own names were only counted."""
    inputs = tuple(card.recipe.channels)
    counted = inputs == default_names(len(inputs))
    return list(dataset.channels) if counted and len(dataset.channels) == len(inputs) else []
