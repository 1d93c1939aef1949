"""Problems of a curated dataset, and its statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.candidates import in_words, require_same_shape
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.ground_truth import GroundTruth, compose
from segloop.artifacts.dataset.manifest import Sample, Verdict
from segloop.artifacts.dataset.references import short
from segloop.artifacts.dataset.regions import rasterise
from segloop.core.context import Context
from segloop.core.errors import DatasetError, SegloopError
from segloop.images.image import Image
from segloop.images.label_quality import label_defect
from segloop.images.silent_channels import SilentChannels
from segloop.targets.objects import label_objects

OBJECT_MEANS = {
    "instances": "a number of the labels",
    "semantic": "a connected component of the masks (the labels are masks or classes)",
}
"""What an object is, by the kind of the labels."""

_PIXEL_SIZE_TOLERANCE = 0.05


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes
    ----------
    sample_id : str
        Whose problem it is; empty if it is the whole dataset's.
    sentence : str
        What is wrong, in which file, and what to do.
    """

    sample_id: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.sample_id}: {self.sentence}" if self.sample_id else self.sentence


@dataclass(frozen=True)
class Statistics:
    """Statistics of a dataset. Below the splits, only samples count that aren't rejected and can be read.

    Attributes
    ----------
    n_samples, n_undecided, n_accepted, n_rejected : int
        How many samples there are, in all and by verdict.
    splits : dict
        How many samples are accepted for each of train, val and test.
    n_objects : int
        Objects in all; of a semantic dataset, connected components of one class.
    object_means : str
        What counts as an object.
    objects_per_sample : float or None
        Median of their number.
    object_size : float or None
        Median size of an object in pixels.
    object_diameter : float or None
        Median diameter in pixels of the circle or ball that is as large as an object.
    foreground_fraction : float or None
        Share of the valid pixels that aren't background.
    valid_fraction : float or None
        Share of the pixels that aren't excluded.
    intensity_range : tuple of float or None
        Lowest and highest raw value in all channels used.
    image_sizes : dict
        How many samples there are of each size, such as ``"512 × 640 pixels (Y × X)"``.
    """

    n_samples: int
    n_undecided: int
    n_accepted: int
    n_rejected: int
    splits: dict[str, int]
    n_objects: int = 0
    object_means: str = ""
    objects_per_sample: float | None = None
    object_size: float | None = None
    object_diameter: float | None = None
    foreground_fraction: float | None = None
    valid_fraction: float | None = None
    intensity_range: tuple[float, float] | None = None
    image_sizes: dict[str, int] = field(default_factory=dict)


class CheckReport(NamedTuple):
    """Outcome of `check_samples`."""

    problems: tuple[Problem, ...]
    statistics: Statistics


@dataclass(frozen=True)
class _Findings:
    """What one readable sample adds: its size, raw value range, object sizes in pixels, and pixel counts."""

    shape: tuple[int, int, int]
    lowest: float
    highest: float
    object_sizes: np.ndarray
    n_valid: int
    n_foreground: int


def check_samples(dataset: CuratedDataset, context: Context) -> CheckReport:
    """Read every sample that isn't rejected, and say what is wrong with it.

    Parameters
    ----------
    dataset : CuratedDataset
        What to check.
    context : Context
        Progress and cancel.

    Raises
    ------
    Cancelled
        If the context says so.
    """
    problems: list[Problem] = []
    findings: list[_Findings] = []
    samples: list[Sample] = []
    ids = dataset.sample_ids
    silent = _Silent()
    for sample_id in context.track(ids, len(ids), "Checking the samples"):
        try:
            sample = dataset.sample(sample_id)
            samples.append(sample)
            if sample.verdict is not Verdict.rejected:
                found, sentences = _look_at(dataset, sample, silent)
                findings.append(found)
                problems += [Problem(sample_id, sentence) for sentence in sentences]
        except SegloopError as error:
            problems.append(Problem(sample_id, str(error)))
    whole = [*_as_a_whole(samples, findings), *silent.sentences()]
    problems += [Problem("", sentence) for sentence in whole]
    return CheckReport(tuple(problems), _statistics(dataset, samples, findings))


class _Silent:
    """Channels that say nothing; how many channels there are is known with the first image."""

    def __init__(self) -> None:
        self._found: SilentChannels | None = None

    def add(self, image: Image, channels: Sequence[int]) -> None:
        self._found = self._found or SilentChannels(len(channels))
        self._found.add(image, channels)

    def sentences(self) -> list[str]:
        return self._found.sentences() if self._found else []


def _look_at(dataset: CuratedDataset, sample: Sample, silent: _Silent) -> tuple[_Findings, list[str]]:
    image = dataset.raw(sample)
    name = short(dataset.resolve(sample.raw))
    _, _, z, y, x = image.shape
    if image.n_timepoints > 1:
        raise DatasetError(f"{name} has {image.n_timepoints} time points: save each as a file of its own.")
    channels = [image.channel_index(channel) for channel in dataset.channels] or list(range(image.n_channels))
    silent.add(image, channels)
    labels: dict[str, NDArray[Any]] = {}
    defects = []
    for segmentation in sample.segmentation_names:
        labels[segmentation] = dataset.labels(sample, segmentation)
        file = dataset.label_file(sample, segmentation).path
        require_same_shape(file, labels[segmentation].shape, dataset.resolve(sample.raw), (z, y, x))
        defect = label_defect(labels[segmentation])
        defects += [defect.sentence(short(file))] if defect else []
    truth = compose(labels, sample, instances=dataset.label_kind == "instances")
    lowest, highest = _value_range(image, channels)
    sizes = _object_sizes(truth, dataset.label_kind == "instances")
    found = _Findings(
        (z, y, x),
        lowest,
        highest,
        sizes,
        int(truth.valid.sum()),
        int(np.count_nonzero(truth.valid & (truth.labels > 0))),
    )
    return found, [
        *defects,
        *_of_pixels(dataset, sample, found, name),
        *_of_pixel_size(dataset, image, name),
        *_of_regions(sample, (z, y, x)),
    ]


def _of_pixels(dataset: CuratedDataset, sample: Sample, found: _Findings, name: str) -> list[str]:
    if found.n_valid == 0:
        return [f"All of {name} is excluded: reject the sample, or remove an exclude region."]
    sentences = []
    if found.n_foreground == 0:
        sentences.append(
            f"{short(dataset.label_file(sample).path)} marks nothing in {name} that isn't excluded: "
            "reject the sample unless the image really shows only background."
        )
    if not found.highest > found.lowest:
        sentences.append(f"All pixels of {name} are {found.lowest:g}: reject the sample, or export it again.")
    return sentences


def _of_pixel_size(dataset: CuratedDataset, image: Image, name: str) -> list[str]:
    for axis, here, usual in zip("ZYX", image.pixel_size_um, dataset.pixel_size_um, strict=True):
        if here is not None and usual is not None and abs(here - usual) > _PIXEL_SIZE_TOLERANCE * usual:
            return [
                f"Pixels of {name} are {here:g} µm along {axis} but {usual:g} µm in most other images: "
                "resample it, or put it into a dataset of its own."
            ]
    return []


def _of_regions(sample: Sample, shape: tuple[int, int, int]) -> list[str]:
    empty = [region for region in sample.regions if not rasterise(region, shape).any()]
    idle = [region for region in sample.regions if region.segmentation == sample.base]
    return [
        f"Its {region.kind} region {region.id} covers no pixel of the image: remove it, or draw it again."
        for region in empty
    ] + [
        f"Its merge region {region.id} takes labels from {region.segmentation}, which is the base, so it has "
        "no effect: remove it, or choose another segmentation for it."
        for region in idle
    ]


def _value_range(image: Image, channels: Sequence[int]) -> tuple[float, float]:
    """Return the lowest and highest finite value, reading the image chunk by chunk."""
    lowest, highest = np.inf, -np.inf
    step = max(1, int(2**26 // max(1, image.shape[3] * image.shape[4] * len(channels))))
    for first in range(0, image.n_slices, step):
        block = image.block(0, channels, slice(first, first + step), slice(None), slice(None))
        finite = block[np.isfinite(block)]
        if finite.size:
            lowest, highest = min(lowest, float(finite.min())), max(highest, float(finite.max()))
    return (lowest, highest) if lowest <= highest else (0.0, 0.0)


def _object_sizes(truth: GroundTruth, instances: bool) -> np.ndarray:
    """Return the size in pixels of each object that isn't excluded altogether."""
    labels = np.where(truth.valid, truth.labels, 0)
    if not instances:
        labels = label_objects(labels)
    return np.unique(labels[labels > 0], return_counts=True)[1]


def _as_a_whole(samples: Sequence[Sample], findings: Sequence[_Findings]) -> list[str]:
    sentences = []
    accepted = [sample for sample in samples if sample.verdict is Verdict.accepted]
    if not accepted:
        return ["No sample is accepted: accept those that training should learn from."]
    for split, purpose in (
        ("train", "training learns from"),
        ("val", "training chooses the best weights by"),
    ):
        if not any(sample.split == split for sample in accepted):
            waiting = [s.id for s in samples if s.split == split and s.verdict is Verdict.undecided]
            remedy = f"accept {waiting[0]}, for example" if waiting else "change the split of a sample"
            sentences.append(f"No accepted sample is in the split {split}, which {purpose}: {remedy}.")
    splits: dict[str, set[str]] = {}
    for sample in samples:
        if sample.group:
            splits.setdefault(sample.group, set()).add(sample.split)
    for group, several in splits.items():
        if len(several) > 1:
            sentences.append(
                f"Group {group} is in the splits {', '.join(sorted(several))}: choose one of them."
            )
    depths = Counter(found.shape[0] > 1 for found in findings)
    if len(depths) > 1:
        sentences.append(
            f"{depths[False]} images have one slice and {depths[True]} are stacks: "
            "put them into two datasets, or reject the smaller group."
        )
    return sentences


def _statistics(
    dataset: CuratedDataset, samples: Sequence[Sample], findings: Sequence[_Findings]
) -> Statistics:
    verdicts = Counter(sample.verdict for sample in samples)
    accepted = Counter(sample.split for sample in samples if sample.verdict is Verdict.accepted)
    counts = Statistics(
        n_samples=len(dataset.sample_ids),
        n_undecided=verdicts[Verdict.undecided],
        n_accepted=verdicts[Verdict.accepted],
        n_rejected=verdicts[Verdict.rejected],
        splits={name: accepted[name] for name in ("train", "val", "test")},
    )
    if not findings:
        return counts
    sizes = np.concatenate([found.object_sizes for found in findings])
    diameters = np.concatenate([_diameters(found) for found in findings])
    n_pixels = sum(int(np.prod(found.shape)) for found in findings)
    n_valid = sum(found.n_valid for found in findings)
    n_foreground = sum(found.n_foreground for found in findings)
    return replace(
        counts,
        n_objects=len(sizes),
        object_means=OBJECT_MEANS[dataset.label_kind],
        objects_per_sample=float(np.median([len(found.object_sizes) for found in findings])),
        object_size=float(np.median(sizes)) if len(sizes) else None,
        object_diameter=round(float(np.median(diameters)), 1) if len(sizes) else None,
        foreground_fraction=round(n_foreground / n_valid, 4) if n_valid else None,
        valid_fraction=round(n_valid / n_pixels, 4),
        intensity_range=(min(f.lowest for f in findings), max(f.highest for f in findings)),
        image_sizes=dict(Counter(in_words(found.shape) for found in findings)),
    )


def _diameters(found: _Findings) -> np.ndarray:
    """Return diameters of circles (one slice) or balls as large as the objects, in pixels."""
    if found.shape[0] == 1:
        return 2 * np.sqrt(found.object_sizes / np.pi)
    return 2 * np.cbrt(3 * found.object_sizes / (4 * np.pi))
