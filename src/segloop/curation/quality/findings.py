"""What to look at in a dataset, one sentence for each sample concerned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from segloop.core.wording import counted
from segloop.curation.quality.measures import SampleMeasures, all_sizes

_OVEREXPOSED = 0.02  # share of the pixels
_SPECK = 0.05  # of the median size
_MOST_NAMED = 5
_ROWS = 1024  # of the comparison of small pictures, at once
_ALIKE = 0.995  # correlation


class Kind(Enum):
    """What may be wrong; the value is the heading in reports."""

    leak = "The same image in two splits"
    copy = "Near copies of each other"
    empty = "Nothing labelled"
    pieces = "Objects in several pieces"
    specks = "Tiny objects"
    no_signal = "Objects without signal"
    defect = "Damaged labels"
    overexposed = "Overexposed images"
    hot = "Hot pixels"


@dataclass(frozen=True)
class Finding:
    """Something to look at.

    Attributes
    ----------
    kind : Kind
    sample : str
        Id of the sample.
    sentence : str
        What it is, with the number that it rests on.
    other : str
        Id of another sample that it concerns; empty for none.
    """

    kind: Kind
    sample: str
    sentence: str
    other: str = ""


def find(measures: Sequence[SampleMeasures]) -> list[Finding]:
    """Return what to look at, most serious first.

    Parameters
    ----------
    measures : sequence of SampleMeasures
        Of all samples that are not rejected.
    """
    sizes = all_sizes(measures)
    speck = _SPECK * float(np.median(sizes)) if sizes.size else 0.0
    found = [*_copies(measures)]
    for each in measures:
        found += _of_sample(each, speck)
    order = list(Kind)
    return sorted(found, key=lambda finding: order.index(finding.kind))


def _of_sample(sample: SampleMeasures, speck: float) -> Iterator[Finding]:
    if not sample.n_objects:
        yield Finding(Kind.empty, sample.id, "No pixel is labelled: right only if the image shows nothing.")
    if sample.in_pieces:
        yield Finding(
            Kind.pieces,
            sample.id,
            f"{_objects(sample.in_pieces)} in several pieces: give each piece a number of its own.",
        )
    n_specks = int(np.count_nonzero(sample.sizes < speck))
    if n_specks:
        sentence = f"{counted(n_specks, 'object')} below {speck:.0f} pixels, a twentieth of the usual size."
        yield Finding(Kind.specks, sample.id, sentence)
    if sample.without_signal:
        sentence = f"{_objects(sample.without_signal)} no brighter than the pixels around."
        yield Finding(Kind.no_signal, sample.id, sentence)
    for sentence in sample.defects:
        yield Finding(Kind.defect, sample.id, sentence)
    for channel in sample.channels:
        if channel.at_highest > _OVEREXPOSED:
            text = f"{100 * channel.at_highest:.0f} % of the pixels of {channel.name} have the highest value."
            yield Finding(Kind.overexposed, sample.id, text)
        if channel.n_hot:
            text = f"{counted(channel.n_hot, 'pixel')} of {channel.name} far brighter than all around."
            yield Finding(Kind.hot, sample.id, text)


def _copies(measures: Sequence[SampleMeasures]) -> Iterator[Finding]:
    """Compare the small pictures of all samples, those of one row of pairs at a time."""
    usable = [each for each in measures if each.picture.any()]
    if len(usable) < 2:
        return
    flat = np.stack([each.picture.ravel() for each in usable])
    for first in range(0, len(flat), _ROWS):
        alike = flat[first : first + _ROWS] @ flat.T > _ALIKE
        for row, column in np.argwhere(alike):
            one, other = usable[first + int(row)], usable[int(column)]
            if column <= first + row:
                continue
            if one.split != other.split:
                text = (
                    f"Nearly the same image as {other.id}, which is in {other.split} ({one.id} is in "
                    f"{one.split}): scores are too good. Move both into one split, or reject one."
                )
                yield Finding(Kind.leak, one.id, text, other.id)
            else:
                yield Finding(Kind.copy, one.id, f"Nearly the same image as {other.id}.", other.id)


def _objects(numbers: Sequence[int]) -> str:
    """Return such as "Objects 3, 8 and 4 more are"."""
    named = ", ".join(map(str, numbers[:_MOST_NAMED]))
    more = f" and {len(numbers) - _MOST_NAMED} more" if len(numbers) > _MOST_NAMED else ""
    return f"Object {named} is" if len(numbers) == 1 else f"Objects {named}{more} are"
