"""Which samples are learnt from, and which validate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segloop.training.cache import CachedSample

_BORROWED = 5  # one in so many training samples validates where no sample is set aside for that


@dataclass(frozen=True)
class Material:
    """What there is to learn from.

    Attributes
    ----------
    train, val : tuple of CachedSample
        Samples to learn from and to validate on; the latter may be empty.
    """

    train: tuple[CachedSample, ...]
    val: tuple[CachedSample, ...]


def share_out(
    train: Sequence[CachedSample], val: Sequence[CachedSample], warn: Callable[[str], None]
) -> Material:
    """Give each split something, where the dataset leaves one empty.

    Parameters
    ----------
    train, val : sequence of CachedSample
        As the dataset says.
    warn : callable
        Receives one sentence where that is changed.
    """
    if train and val:
        return Material(tuple(train), tuple(val))
    everything = [*train, *val]
    if not train:
        warn("No training sample is accepted: the validation samples are learnt from instead.")
    if len(everything) < _BORROWED:
        warn("There are no samples left to validate on: the model is the latest, without a score.")
        return Material(tuple(everything), ())
    borrowed = everything[_BORROWED - 1 :: _BORROWED]
    if train:
        warn(f"No validation sample is accepted: {len(borrowed)} of the training samples validate instead.")
    return Material(tuple(s for s in everything if s not in borrowed), tuple(borrowed))
