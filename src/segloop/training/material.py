"""Which samples are learnt from, and which validate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segloop.artifacts.dataset.split import assign_splits
from segloop.training.cache import CachedSample
from segloop.training.survey import Survey

_BORROWED = 5  # about one in so many training samples validates where no sample is set aside for that


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
    found: Survey, samples: Sequence[CachedSample], plan: Mapping[str, Any], warn: Callable[[str], None]
) -> Material:
    """Give each split something, where the dataset leaves one empty; a group is never on both sides.

    Parameters
    ----------
    found : Survey
        Knows the splits and groups that the dataset says.
    samples : sequence of CachedSample
        Those that can be learnt from.
    plan : mapping
        Of a run that goes on: what it shared out before stays so. Samples that are new are learnt from,
        unless they belong to those that are held aside.
    warn : callable
        Receives one sentence where what the dataset says is changed.
    """
    headers = (*found.train, *found.val)
    groups = {h.sample.id: f"group {h.sample.group}" if h.sample.group else h.sample.id for h in headers}
    held_aside = {header.sample.id for header in found.val}
    if plan:
        aside = _as_before(groups, held_aside, plan)
    else:
        aside = _anew({sample.id: groups[sample.id] for sample in samples}, held_aside, warn)
    train = tuple(sample for sample in samples if sample.id not in aside)
    val = tuple(sample for sample in samples if sample.id in aside)
    if not val:
        warn("There are no samples left to validate on: the model is the latest, without a score.")
    return Material(train, val)


def _as_before(groups: Mapping[str, str], held_aside: set[str], plan: Mapping[str, Any]) -> set[str]:
    """Return the ids that validate in a run that goes on: none that it has learnt from."""
    validated = {groups[i] for i in plan["val_samples"] if i in groups}
    learnt = {groups[i] for i in plan["train_samples"] if i in groups}
    new = {i for i in held_aside if groups[i] not in learnt}
    return new | {i for i in groups if groups[i] in validated} - set(plan["train_samples"])


def _anew(groups: Mapping[str, str], held_aside: set[str], warn: Callable[[str], None]) -> set[str]:
    """Return the ids that validate in a new run: those held aside, else some borrowed, in whole groups."""
    aside = held_aside & groups.keys()
    if aside and len(aside) < len(groups):
        return aside
    if aside:
        warn("No training sample can be used: the validation samples are learnt from instead.")
    if len(groups) < _BORROWED:
        return set()
    splits = assign_splits(list(groups.values()), 1 / _BORROWED, 0, seed=0)
    borrowed = {i for i, split in zip(groups, splits, strict=True) if split == "val"}
    if borrowed and not aside:
        warn(f"No validation sample can be used: {len(borrowed)} of the training samples validate instead.")
    return borrowed
