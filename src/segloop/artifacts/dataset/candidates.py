"""Pairs of files that may become samples: each is examined, and used only if training can use it."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.manifest import LabelKind
from segloop.artifacts.dataset.references import short
from segloop.core.context import Context
from segloop.core.errors import DatasetError, SegloopError
from segloop.core.wording import counted
from segloop.images.image import PixelSize
from segloop.images.label_quality import label_defect
from segloop.images.labels import read_labels
from segloop.images.names import natural_key
from segloop.images.pairing import Pair
from segloop.images.read import open_image
from segloop.images.recipe import resolve_channels
from segloop.images.silent_channels import SilentChannels


class UnequalSizeError(DatasetError):
    """A segmentation does not cover its raw image pixel by pixel."""


@dataclass(frozen=True)
class RawFacts:
    """The header of a raw image.

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
    notes : tuple of str
        How it was read, where that is not certain.
    """

    shape: tuple[int, int, int]
    channel_names: tuple[str, ...]
    wanted: int | None
    pixel_size_um: PixelSize
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A pair that can become a sample.

    Attributes
    ----------
    pair : Pair
        Its files.
    raw : RawFacts
        Its raw image.
    numbered : bool
        Whether a segmentation of it holds more than one value besides background.
    defects : tuple of str
        A sentence for each segmentation with implausible values.
    """

    pair: Pair
    raw: RawFacts
    numbered: bool
    defects: tuple[str, ...] = ()


def examine_pairs(
    pairs: Sequence[Pair], channel: str, context: Context, axes: str = ""
) -> tuple[list[Candidate], list[str]]:
    """Examine the files of each pair.

    Parameters
    ----------
    pairs : sequence of Pair
        Raw images with their segmentations.
    channel : str
        Name or number of the raw channel to use; empty for all.
    context : Context
        Progress and cancel.
    axes : str, optional
        Axes of the raw images, see `segloop.images.read.open_image`; empty for what the files say.

    Returns
    -------
    candidates : list of Candidate
        The pairs that can be used, in natural order of their stems.
    problems : list of str
        A sentence for each pair that can't, naming file and remedy.
    """
    headers: dict[Path, RawFacts] = {}
    segmentations: dict[Path, tuple[tuple[int, ...], bool, str]] = {}
    candidates, problems = [], []
    ordered = sorted(pairs, key=lambda pair: natural_key(Path(pair.stem)))
    for pair in context.track(ordered, len(ordered), "Examining the images"):
        try:
            candidates.append(_examine(pair, channel, axes, headers, segmentations))
        except SegloopError as error:
            problems.append(str(error))
    kept, odd = _drop_odd_ones(candidates)
    return kept, problems + odd


def examine_pair(
    pair: Pair, channel: str = "", axes: str = "", read: Callable[[Path], NDArray[Any]] = read_labels
) -> Candidate:
    """Examine the files of one pair.

    Parameters
    ----------
    pair, channel, axes
        As in `examine_pairs`.
    read : callable, optional
        Reads the labels (Z, Y, X) of a file of the pair; by default it has to be a label image.

    Raises
    ------
    UnequalSizeError
        If a segmentation has another size than the raw image.
    SegloopError
        If a file can't be read, or not be used for another reason.
    """
    return _examine(pair, channel, axes, {}, {}, read)


def _examine(
    pair: Pair,
    channel: str,
    axes: str,
    headers: dict[Path, RawFacts],
    segmentations: dict[Path, tuple[tuple[int, ...], bool, str]],
    read: Callable[[Path], NDArray[Any]] = read_labels,
) -> Candidate:
    raw = _once(headers, pair.raw, lambda path: _read_raw(path, channel, axes))
    numbered, defects = False, []
    for path in pair.segmentations.values():
        shape, more, defect = _once(segmentations, path, lambda file: _facts_of(file, read(file)))
        require_same_shape(path, shape, pair.raw, raw.shape)
        numbered |= more
        defects += [defect] if defect else []
    return Candidate(pair, raw, numbered, tuple(defects))


def _once(cache: dict[Path, Any], path: Path, read: Callable[[Path], Any]) -> Any:
    if path not in cache:
        cache[path] = read(path)
    return cache[path]


def _read_raw(path: Path, channel: str, axes: str) -> RawFacts:
    image = open_image(path, axes=axes)
    if image.n_timepoints > 1:
        raise DatasetError(
            f"{short(path)} has {image.n_timepoints} time points: save each as a file of its own, "
            "with its own segmentation."
        )
    wanted = image.channel_index(channel) if channel else None
    _, _, z, y, x = image.shape
    return RawFacts((z, y, x), image.channel_names, wanted, image.pixel_size_um, image.notes)


def _facts_of(path: Path, labels: NDArray[Any]) -> tuple[tuple[int, ...], bool, str]:
    defect = label_defect(labels)
    return labels.shape, _is_numbered(labels), defect.sentence(short(path)) if defect else ""


def _is_numbered(labels: NDArray[Any]) -> bool:
    highest = labels.max()
    return bool(np.any((labels != 0) & (labels != highest)))


def require_same_shape(
    labels: Path, labels_shape: Sequence[int], raw: Path, raw_shape: Sequence[int]
) -> None:
    """Raise `UnequalSizeError` if a segmentation and its raw image differ in size ((Z, Y, X) each)."""
    if tuple(labels_shape) != tuple(raw_shape):
        raise UnequalSizeError(
            f"{short(labels)} is {in_words(labels_shape)} but {short(raw)} is {in_words(raw_shape)}: "
            "they must have the same size; export one of them again."
        )


def in_words(shape: Sequence[int]) -> str:
    """Spell a (Z, Y, X) shape, without Z for a single slice."""
    sizes, axes = (shape, "Z × Y × X") if shape[0] > 1 else (shape[1:], "Y × X")
    return f"{' × '.join(str(size) for size in sizes)} pixels ({axes})"


def _drop_odd_ones(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[str]]:
    """Leave out images that training can't use together with most of the others."""
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


def common_channels(candidates: Sequence[Candidate], channel: str = "") -> tuple[str, ...]:
    """Return the names of the channels to use, by which they are found in each image whatever their order.

    Their numbers where images name them differently (see `other_names`); ``channel``, as it was
    asked for, where that is the only one and its names differ.
    """
    facts = [candidate.raw for candidate in candidates]
    if facts[0].wanted is not None:
        names = {raw.channel_names[raw.wanted or 0] for raw in facts}
        name = min(names)
        unique = len(names) == 1 and all(raw.channel_names.count(name) == 1 for raw in facts)
        return (name,) if unique else (channel or str(facts[0].wanted),)
    first = facts[0].channel_names
    if all(_named_alike(raw.channel_names, first) for raw in facts):
        return first
    return tuple(str(number) for number in range(len(first)))


def _named_alike(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether the same channels can be found by name in both."""
    if tuple(names) == tuple(others):
        return len(set(names)) == len(names)
    first, second = ({name.strip().casefold() for name in each} for each in (names, others))
    return first == second and len(first) == len(names) == len(others)


def other_names(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Explain why channels are identified by number: names the first image whose channels differ."""
    if not candidates or _n_channels(candidates[0]) == 1:
        return ()
    usual = _most_common([candidate.raw.channel_names for candidate in candidates], preferred=None)
    like = next(candidate for candidate in candidates if candidate.raw.channel_names == usual)
    for candidate in candidates:
        names = candidate.raw.channel_names
        if names != usual and not _named_alike(names, usual):
            return (
                f"The channels of {short(candidate.pair.raw)} ({', '.join(names)}) have other names than "
                f"those of {short(like.pair.raw)} ({', '.join(usual)}), so channels are used by their "
                "number: rename them, or put the image into a dataset of its own.",
            )
    return ()


def typical_pixel_size(candidates: Sequence[Candidate]) -> PixelSize:
    """Return the median pixel size along Z, Y, X in micrometres; None where no image knows it."""
    z, y, x = (
        statistics.median(known) if (known := [size for size in sizes if size is not None]) else None
        for sizes in zip(*(candidate.raw.pixel_size_um for candidate in candidates), strict=True)
    )
    return z, y, x


def remarks(candidates: Sequence[Candidate], axes: str = "") -> tuple[str, ...]:
    """Return what to know about the images of a new dataset although they are used.

    These are channels with other names, implausible label values, how raw images were read where that is not
    certain, and channels that say nothing.
    """
    said = [*other_names(candidates)]
    said += [defect for candidate in candidates for defect in candidate.defects]
    noted: dict[str, list[Path]] = {}
    for candidate in candidates:
        for note in candidate.raw.notes:
            noted.setdefault(note, []).append(candidate.pair.raw)
    said += [
        f"{counted(len(files), 'image')}, such as {short(files[0])}: {note}" for note, files in noted.items()
    ]
    if candidates and candidates[0].raw.wanted is None:
        silent, channels = SilentChannels(_n_channels(candidates[0])), common_channels(candidates)
        for candidate in candidates:
            image = open_image(candidate.pair.raw, axes=axes)
            silent.add(image, resolve_channels(image, channels))
        said += silent.sentences()
    return tuple(said)


def guess_label_kind(candidates: Sequence[Candidate]) -> LabelKind:
    """Return instances if some segmentation has more than one value besides background, else semantic."""
    return "instances" if any(candidate.numbered for candidate in candidates) else "semantic"


def with_channels(
    candidates: Sequence[Candidate], channels: Sequence[str]
) -> tuple[list[Candidate], list[str]]:
    """Keep the candidates that have the channels a dataset uses; a sentence for each of the others."""
    kept, problems = [], []
    for candidate in candidates:
        names = candidate.raw.channel_names
        known = {name.strip().casefold() for name in names} | {str(number) for number in range(len(names))}
        missing = [channel for channel in channels if channel.strip().casefold() not in known]
        if missing:
            problems.append(
                f"{short(candidate.pair.raw)} has no channel {missing[0]} as the other images have "
                f"(it has {', '.join(names)}): rename its channels, or put it into a dataset of its own."
            )
        else:
            kept.append(candidate)
    return kept, problems
