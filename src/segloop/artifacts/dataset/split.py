"""Splitting samples into training, validation and test: by whole groups, so that none is in two splits."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from segloop.artifacts.dataset.manifest import Split


def assign_splits(
    groups: Sequence[str],
    val: float,
    test: float,
    seed: int,
    fixed: Mapping[str, Split] | None = None,
) -> list[Split]:
    """Assign each sample a split, that of its group.

    Groups are shuffled by the seed; then the set of groups whose number of samples comes closest to the
    requested one is chosen for validation, and from the rest one for testing. One group is always left for
    training; as long as there is another, validation gets at least one if ``val`` is above 0, then testing if
    ``test`` is. The result depends on which groups there are and how large they are, not on the order of
    samples.

    Parameters
    ----------
    groups : sequence of str
        The group of each sample.
    val, test : float
        Requested fraction of samples for validation and testing; at least 0, together below 1.
    seed : int
        Seed of the shuffle.
    fixed : mapping of str to split, optional
        Groups whose split was decided before and stays.

    Returns
    -------
    list of {"train", "val", "test"}
        One for each sample; equal groups have equal splits.

    Raises
    ------
    ValueError
        If the fractions are negative or leave nothing for training.
    """
    if val < 0 or test < 0 or val + test >= 1:
        raise ValueError(f"val={val} and test={test} must be at least 0 and together less than 1")
    decided: dict[str, Split] = dict(fixed or {})
    sizes = Counter(groups)
    free = sorted(group for group in sizes if group not in decided)
    random.Random(seed).shuffle(free)
    for split, fraction in (("val", val), ("test", test)):
        already = sum(sizes[group] for group in sizes if decided.get(group) == split)
        needs_one = fraction > 0 and split not in decided.values()
        keep = 0 if "train" in decided.values() else 1
        requested = fraction * len(groups) - already
        for group in _closest_set(free, sizes, requested, needs_one, keep):
            decided[group] = "val" if split == "val" else "test"
        free = [group for group in free if group not in decided]
    return [decided.get(group, "train") for group in groups]


def _closest_set(
    groups: Sequence[str], sizes: Mapping[str, int], requested: float, needs_one: bool, keep: int
) -> list[str]:
    """Return the groups, at least ``keep`` of them left out, whose sizes sum up closest to ``requested``.

    Subset sum by dynamic programming: bit ``s`` of ``reachable[i]`` says that some of the first ``i`` groups
    have ``s`` samples together. Going back, a group is taken only where it must be.
    """
    if requested <= 0 and not needs_one:
        return []
    reachable = [1]
    for group in groups:
        reachable.append(reachable[-1] | reachable[-1] << sizes[group])
    total = sum(sizes[group] for group in groups)
    sums = [s for s in range(total + 1 - keep) if reachable[-1] >> s & 1]
    if needs_one and len(sums) > 1:
        sums = sums[1:]
    left = min(sums, key=lambda s: (abs(s - requested), s), default=0)
    chosen = []
    for index in range(len(groups), 0, -1):
        if not reachable[index - 1] >> left & 1:
            chosen.append(groups[index - 1])
            left -= sizes[groups[index - 1]]
    return chosen
