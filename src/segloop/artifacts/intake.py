"""From pairs of files to samples: each pair is looked at, and taken only if it can be learnt from."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.manifest import LabelKind
from segloop.artifacts.paths import short
from segloop.core.context import Context
from segloop.core.errors import DatasetError, SegloopError
from segloop.images.image import PixelSize
from segloop.images.labels import read_labels
from segloop.images.pairing import Pair
from segloop.images.read import natural_key, open_image


@dataclass(frozen=True)
class RawFacts:
    """What the header of a raw image says.

    Attributes
    ----------
    shape : (Z, Y, X)
        In pixels.
    channel_names : tuple of str
        All of its channels.
    wanted : int or None
        Number of the one channel that was asked for; None for all.
    pixel_size_um : (z, y, x)
        In micrometres, None where unknown.
    """

    shape: tuple[int, int, int]
    channel_names: tuple[str, ...]
    wanted: int | None
    pixel_size_um: PixelSize


@dataclass(frozen=True)
class Candidate:
    """A pair that can become a sample.

    Attributes
    ----------
    pair : Pair
        Its files.
    raw : RawFacts
        What its raw image is.
    numbered : bool
        Whether a segmentation of it holds more than one value besides background.
    """

    pair: Pair
    raw: RawFacts
    numbered: bool


def examine(pairs: Sequence[Pair], channel: str, context: Context) -> tuple[list[Candidate], list[str]]:
    """Look at the files of each pair.

    Parameters
    ----------
    pairs : sequence of Pair
        Raw images with their segmentations.
    channel : str
        Name or number of the raw channel to use; empty for all.
    context : Context
        Told of the progress; may cancel.

    Returns
    -------
    candidates : list of Candidate
        The pairs that can be used, in natural order of their stems.
    problems : list of str
        A sentence for each pair that can't, naming file and remedy.
    """
    headers: dict[Path, RawFacts] = {}
    segmentations: dict[Path, tuple[tuple[int, ...], bool]] = {}
    candidates, problems = [], []
    ordered = sorted(pairs, key=lambda pair: natural_key(Path(pair.stem)))
    for pair in context.track(ordered, len(ordered), "Looking at the images"):
        try:
            raw = _once(headers, pair.raw, lambda path: _read_raw(path, channel))
            numbered = False
            for path in (pair.seg, pair.seg2):
                if path is not None:
                    shape, more = _once(segmentations, path, _read_segmentation)
                    require_same_shape(path, shape, pair.raw, raw.shape)
                    numbered |= more
            candidates.append(Candidate(pair, raw, numbered))
        except SegloopError as error:
            problems.append(str(error))
    kept, odd = _drop_odd_ones(candidates)
    return kept, problems + odd


def _once(cache: dict[Path, Any], path: Path, read: Callable[[Path], Any]) -> Any:
    if path not in cache:
        cache[path] = read(path)
    return cache[path]


def _read_raw(path: Path, channel: str) -> RawFacts:
    image = open_image(path)
    if image.n_timepoints > 1:
        raise DatasetError(
            f"{short(path)} has {image.n_timepoints} time points: save each as a file of its own, "
            "with its own segmentation."
        )
    wanted = image.channel_index(channel) if channel else None
    _, _, z, y, x = image.shape
    return RawFacts((z, y, x), image.channel_names, wanted, image.pixel_size_um)


def _read_segmentation(path: Path) -> tuple[tuple[int, ...], bool]:
    labels = read_labels(path)
    return labels.shape, _is_numbered(labels)


def _is_numbered(labels: NDArray[Any]) -> bool:
    highest = labels.max()
    return bool(np.any((labels != 0) & (labels != highest)))


def require_same_shape(
    labels: Path, labels_shape: Sequence[int], raw: Path, raw_shape: Sequence[int]
) -> None:
    """Raise `DatasetError` if a segmentation doesn't cover its raw image pixel by pixel ((Z, Y, X) each)."""
    if tuple(labels_shape) != tuple(raw_shape):
        raise DatasetError(
            f"{short(labels)} is {in_words(labels_shape)} but {short(raw)} is {in_words(raw_shape)}: "
            "they must have the same size; export one of them again."
        )


def in_words(shape: Sequence[int]) -> str:
    """Spell a (Z, Y, X) shape, without Z for a single slice."""
    sizes, axes = (shape, "Z × Y × X") if shape[0] > 1 else (shape[1:], "Y × X")
    return f"{' × '.join(str(size) for size in sizes)} pixels ({axes})"


def _drop_odd_ones(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[str]]:
    """Leave out what can't be learnt from together with most of the others."""
    kept, problems = list(candidates), []
    stacks = _most_common([c.raw.shape[0] > 1 for c in kept], preferred=True)
    for candidate in [c for c in kept if (c.raw.shape[0] > 1) != stacks]:
        name, slices = short(candidate.pair.raw), candidate.raw.shape[0]
        found = (
            "has only one slice but the other images are stacks"
            if stacks
            else f"has {slices} slices but the other images have one"
        )
        problems.append(f"{name} {found}: put it into a dataset of its own.")
        kept.remove(candidate)
    count = _most_common([_n_channels(c) for c in kept], preferred=1)
    for candidate in [c for c in kept if _n_channels(c) != count]:
        problems.append(
            f"{short(candidate.pair.raw)} has {_n_channels(candidate)} channels but most others have "
            f"{count}: say which channel to use."
        )
        kept.remove(candidate)
    return kept, problems


def _n_channels(candidate: Candidate) -> int:
    return 1 if candidate.raw.wanted is not None else len(candidate.raw.channel_names)


def _most_common(values: Sequence[Any], preferred: Any) -> Any:
    counts = Counter(values)
    return max(counts, key=lambda value: (counts[value], value == preferred), default=preferred)


def common_channels(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Return the names of the channels to use; their numbers where names differ between images."""
    numbers = [
        (facts.wanted,) if facts.wanted is not None else tuple(range(len(facts.channel_names)))
        for facts in (candidate.raw for candidate in candidates)
    ]
    names = [
        tuple(candidate.raw.channel_names[number] for number in wanted)
        for candidate, wanted in zip(candidates, numbers, strict=True)
    ]
    if len(set(names)) == 1 and len(set(names[0])) == len(names[0]):
        return names[0]
    return tuple(str(number) for number in numbers[0])


def typical_pixel_size(candidates: Sequence[Candidate]) -> PixelSize:
    """Return the median pixel size along Z, Y, X in micrometres; None where no image knows it."""
    z, y, x = (
        statistics.median(known) if (known := [size for size in sizes if size is not None]) else None
        for sizes in zip(*(candidate.raw.pixel_size_um for candidate in candidates), strict=True)
    )
    return z, y, x


def guess_label_kind(candidates: Sequence[Candidate]) -> LabelKind:
    """Tell numbered objects from a mask: some segmentation has more than one value besides background."""
    return "instances" if any(candidate.numbered for candidate in candidates) else "semantic"


def fitting(candidates: Sequence[Candidate], channels: Sequence[str]) -> tuple[list[Candidate], list[str]]:
    """Keep the candidates that have the channels a dataset uses; a sentence for each of the others."""
    kept, problems = [], []
    for candidate in candidates:
        names = candidate.raw.channel_names
        numbers = {str(number) for number in range(len(names))}
        missing = [channel for channel in channels if channel not in names and channel not in numbers]
        if missing:
            problems.append(
                f"{short(candidate.pair.raw)} has no channel {missing[0]} as the other images have "
                f"(it has {', '.join(names)}): rename its channels, or put it into a dataset of its own."
            )
        else:
            kept.append(candidate)
    return kept, problems
