"""What was corrected of the predictions in a curated dataset: how wrong each model was, over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.segmentation import PredictionSource, Segmentation
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.core.matching import find_overlaps
from segloop.core.object_errors import count_object_errors
from segloop.targets.objects import label_objects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from segloop.artifacts.dataset.journal import JournalEntry
    from segloop.artifacts.dataset.manifest import Sample

_PAUSE_S = 60.0
"""Longer gaps between two changes of a sample are not counted as work."""


@dataclass(frozen=True)
class Correction:
    """What was changed of one prediction.

    Attributes
    ----------
    sample, segmentation : str
        Which one.
    model, model_sha256 : str
        Name of the model that made it, and the hash of its weights.
    verdict : str
        The verdict on the sample.
    corrected : str
        When it was last corrected, as ISO 8601 in UTC; empty if it never was.
    changed_pixels : int
        Pixels with another value.
    iou : float
        Of the foreground before and after; 1 if both are empty.
    n_objects : int
        Objects after the correction.
    added, removed, cut, joined : int
        Objects that the model had missed, had found where there are none, had merged, and had split.
    seconds : float
        Time between changes of the sample; pauses of more than a minute are left out.
    """

    sample: str
    segmentation: str
    model: str
    model_sha256: str
    verdict: str
    corrected: str
    changed_pixels: int
    iou: float
    n_objects: int
    added: int
    removed: int
    cut: int
    joined: int
    seconds: float

    @property
    def n_errors(self) -> int:
        """How many objects were wrong."""
        return self.added + self.removed + self.cut + self.joined


@dataclass(frozen=True)
class CorrectionLog:
    """The corrections in a dataset.

    Attributes
    ----------
    corrections : tuple of Correction
        Of samples that were corrected or accepted, the oldest correction first.
    n_waiting : int
        Predictions that nobody has corrected or accepted yet.
    problems : tuple of str
        A sentence for each sample that can't be read.
    """

    corrections: tuple[Correction, ...]
    n_waiting: int
    problems: tuple[str, ...]

    def by_model(self) -> dict[str, dict[str, float]]:
        """Return, by the name of the model, numbers of images, objects and errors, and errors per object."""
        found: dict[str, dict[str, float]] = {}
        for each in self.corrections:
            row = found.setdefault(each.model, dict.fromkeys(("images", "objects", "errors", "seconds"), 0.0))
            row["images"] += 1
            row["objects"] += each.n_objects
            row["errors"] += each.n_errors
            row["seconds"] += each.seconds
        for row in found.values():
            row["errors_per_object"] = row["errors"] / row["objects"] if row["objects"] else 0.0
        return found

    def as_data(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "corrections": [{**asdict(each), "errors": each.n_errors} for each in self.corrections],
            "models": self.by_model(),
            "waiting": self.n_waiting,
            "problems": list(self.problems),
        }


def corrections_of(path: Path, context: Context | None = None) -> CorrectionLog:
    """Compare the predictions in a dataset with what they became.

    Parameters
    ----------
    path : Path
        The dataset.
    context : Context, optional
        Progress and cancel.

    Raises
    ------
    DatasetError
        If there is no dataset.
    """
    context = context or Context()
    dataset = CuratedDataset.open(path)
    seconds = _seconds(dataset.journal())
    found, problems, waiting = [], [], 0
    for sample_id in context.track(dataset.sample_ids, len(dataset.sample_ids), "Comparing labels"):
        try:
            sample = dataset.sample(sample_id)
            for segmentation, source in _predictions(sample):
                if segmentation.newest or sample.verdict.value == "accepted":
                    worked = seconds.get(sample_id, 0.0)
                    found.append(_compare(dataset, sample, segmentation, source, worked))
                else:
                    waiting += sample.verdict.value == "undecided"
        except SegloopError as error:
            problems.append(str(error))
    found.sort(key=lambda each: each.corrected)
    return CorrectionLog(tuple(found), waiting, tuple(problems))


def _predictions(sample: Sample) -> Iterator[tuple[Segmentation, PredictionSource]]:
    """Iterate over the base, if it was predicted, and over other predictions that were corrected."""
    for segmentation in sample.segmentations:
        source = segmentation.source
        used = segmentation.name == sample.base or segmentation.newest
        if isinstance(source, PredictionSource) and used:
            yield segmentation, source


def _compare(
    dataset: CuratedDataset,
    sample: Sample,
    segmentation: Segmentation,
    source: PredictionSource,
    seconds: float,
) -> Correction:
    before = dataset.labels(sample, segmentation.name, 0)
    after = dataset.labels(sample, segmentation.name)
    instances = dataset.label_kind == "instances"
    errors = count_object_errors(find_overlaps(*(_objects(labels, instances) for labels in (before, after))))
    either = np.count_nonzero((before > 0) | (after > 0))
    return Correction(
        sample=sample.id,
        segmentation=segmentation.name,
        model=source.model,
        model_sha256=source.model_sha256,
        verdict=sample.verdict.value,
        corrected=segmentation.versions[-1].created if segmentation.versions else "",
        changed_pixels=int(np.count_nonzero(before != after)),
        iou=float(np.count_nonzero((before > 0) & (after > 0)) / either) if either else 1.0,
        n_objects=errors.n_truth,
        added=errors.missed,
        removed=errors.spurious,
        cut=errors.merged,
        joined=errors.split,
        seconds=round(seconds, 1),
    )


def _objects(labels: NDArray[Any], instances: bool) -> NDArray[Any]:
    return labels.astype(np.int64) if instances else label_objects(labels.astype(np.int32))


def _seconds(journal: tuple[JournalEntry, ...]) -> dict[str, float]:
    """Return the time spent on each sample: between changes of it that follow each other."""
    spent: dict[str, float] = {}
    last = None
    for entry in journal:
        if last is not None and entry.sample_id == last.sample_id:
            gap = entry.time - last.time
            if 0 < gap <= _PAUSE_S:
                spent[entry.sample_id] = spent.get(entry.sample_id, 0.0) + gap
        last = entry
    return spent
