"""Which samples are learned from, and which validate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from segloop.artifacts.dataset.split import assign_splits
from segloop.artifacts.run.plan import TrainingPlan
from segloop.training.planning.samples import Survey

_BORROWED = 5  # about one in so many training samples validates where no sample is set aside for that


def split_samples(
    found: Survey, usable: Collection[str], previous: TrainingPlan | None, warn: Callable[[str], None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give each split something, where the dataset leaves one empty; a group is never on both sides.

    Parameters
    ----------
    found : Survey
        Knows the splits and groups of the dataset.
    usable : collection of str
        Ids of the samples that can be learned from.
    previous : TrainingPlan, optional
        Of a run that is resumed: its split is kept. Samples that are new are learned from, unless they belong
        to those that are held aside.
    warn : callable
        Receives one sentence where the split differs from the dataset's.

    Returns
    -------
    train, val : tuple of str
        Ids of the samples to learn from and to validate on; the latter may be empty.
    """
    headers = (*found.train, *found.val)
    named = {h.sample.id: h.sample.group for h in headers}
    groups = {i: f"group {group}" if group else i for i, group in named.items()}
    held_aside = {header.sample.id for header in found.val}
    ids = [header.sample.id for header in headers if header.sample.id in usable]
    if previous is not None:
        aside = _as_before(groups, held_aside, previous)
    else:
        aside = validation_samples({i: named[i] for i in ids}, held_aside, warn)
    train = tuple(i for i in ids if i not in aside)
    val = tuple(i for i in ids if i in aside)
    if not val:
        warn("There are no samples left to validate on: the model will be the latest, without a score.")
    return train, val


def _as_before(groups: Mapping[str, str], held_aside: set[str], plan: TrainingPlan) -> set[str]:
    """Return the ids that validate in a resumed run: none that it has learned from."""
    validated = {groups[i] for i in plan.val_samples if i in groups}
    learned = {groups[i] for i in plan.train_samples if i in groups}
    new = {i for i in held_aside if groups[i] not in learned}
    return new | {i for i in groups if groups[i] in validated} - set(plan.train_samples)


def validation_samples(
    groups: Mapping[str, str], held_aside: Collection[str], warn: Callable[[str], None] = lambda text: None
) -> set[str]:
    """Return the ids that validate in a new run: those held aside, or some of the training samples.

    Parameters
    ----------
    groups : mapping of str to str
        Group of each sample that can be used, by its id; samples of a group stay together, and an empty group
        is that of a single sample.
    held_aside : collection of str
        Ids that the dataset holds aside for validation.
    warn : callable
        Receives one sentence where the split differs from the dataset's.
    """
    groups = {i: f"group {group}" if group else i for i, group in groups.items()}
    aside = set(held_aside) & groups.keys()
    if aside and len(aside) < len(groups):
        return aside
    if aside:
        warn("No training sample can be used: training uses the validation samples instead.")
    if len(groups) < _BORROWED:
        return set()
    splits = assign_splits(list(groups.values()), 1 / _BORROWED, 0, seed=0)
    borrowed = {i for i, split in zip(groups, splits, strict=True) if split == "val"}
    if borrowed and not aside:
        warn(f"No validation sample can be used: {len(borrowed)} of the training samples validate instead.")
    return borrowed
