"""Merging regions of one segmentation into another, of which any block can be had alone.

What a block needs to know of the rest (which objects lie mostly inside the regions, which numbers are taken)
is found once, with a few slices at a time in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.manifest import Region
from segloop.artifacts.dataset.regions import EVERYTHING, Block, RegionMask
from segloop.core.context import Context
from segloop.core.errors import DatasetError
from segloop.targets.objects import label_objects

Numbers = NDArray[np.int32]


class Labels(Protocol):
    """What is needed of a (Z, Y, X) array of integers; it may be read from a file when it is asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes along Z, Y, X."""

    @property
    def dtype(self) -> Any:
        """Type of a value."""

    def __getitem__(self, block: Any, /) -> Any:
        """Return a block."""


class Source(Protocol):
    """Labels of which any block can be read."""

    def read(self, block: Block) -> Numbers:
        """Return a block as an array that the caller doesn't change."""


class Scan:
    """Goes through a stack a few slices at a time.

    Parameters
    ----------
    shape : (Z, Y, X)
        Size of the stack.
    n_slices : int
        How many slices to read at once.
    context : Context
        For cancel.
    """

    def __init__(self, shape: tuple[int, int, int], n_slices: int, context: Context) -> None:
        self.shape = shape
        self._n_slices, self._context = n_slices, context

    def each(self, read: Callable[[Block], NDArray[Any]]) -> list[NDArray[Any]]:
        """Return what ``read`` returns for each part."""
        found = []
        for first in range(0, self.shape[0], self._n_slices):
            self._context.check()
            found.append(read((slice(first, first + self._n_slices), *EVERYTHING[1:])))
        return found

    def values(self, read: Callable[[Block], NDArray[Any]]) -> NDArray[Any]:
        """Return all values above 0, each once, in increasing order."""
        values = np.unique(np.concatenate(self.each(lambda block: _counted(read(block))[0])))
        return values[values > 0]

    def highest(self, read: Callable[[Block], NDArray[Any]]) -> int:
        """Return the highest value; at least 0."""
        return max(int(each) for each in self.each(lambda block: read(block).max(initial=0)))

    def sizes(self, read: Callable[[Block], NDArray[Any]], values: NDArray[Any]) -> NDArray[np.int64]:
        """Return how often each of some values (increasing) occurs."""
        sizes = np.zeros(len(values), np.int64)

        def add(block: Block) -> NDArray[Any]:
            found, counts = _counted(read(block))
            known = np.isin(found, values)
            sizes[np.searchsorted(values, found[known])] += counts[known].astype(np.int64)
            return found[:0]

        self.each(add)
        return sizes


class Segmentation:
    """A segmentation as int32.

    Object numbers that are too large for int32 are replaced by 1, 2, ... in their order.

    Parameters
    ----------
    labels : Labels
        As stored.
    instances : bool
        Whether values number objects; else they are classes.
    scan : Scan
        To go through them.

    Raises
    ------
    DatasetError
        If a class is too large, here or as soon as it is read.
    """

    def __init__(self, labels: Labels, instances: bool, scan: Scan) -> None:
        self._labels, self._instances, self._scan = labels, instances, scan
        self._wide = np.iinfo(labels.dtype).max > np.iinfo(np.int32).max
        self._values: NDArray[Any] | None = None

    def prepare(self) -> None:
        """Find out whether numbers must be replaced, before a part is read that would not show it."""
        if self._wide and self._scan.highest(self._stored) > np.iinfo(np.int32).max:
            self._number()

    def read(self, block: Block) -> Numbers:
        """Return a block; see `Source`."""
        stored = self._stored(block)
        if self._wide and self._values is None and stored.max(initial=0) > np.iinfo(np.int32).max:
            self._number()
        if self._values is None:
            return stored.astype(np.int32)
        numbers = np.searchsorted(self._values, stored) + 1
        return np.where(stored > 0, numbers, 0).astype(np.int32)

    def _stored(self, block: Block) -> NDArray[Any]:
        return np.asarray(self._labels[block])

    def _number(self) -> None:
        if not self._instances:
            highest = self._scan.highest(self._stored)
            raise DatasetError(f"Class {highest} is too large: number classes from 0 to 63.")
        self._values = self._scan.values(self._stored)


class Merged:
    """Labels into which those of another segmentation were merged where regions say so.

    Parameters
    ----------
    base, other : Source
        Where labels stay, and where they are taken from.
    regions : sequence of Region
        Merge regions of ``other``. Those that follow objects act before those that cut at the edge.
    instances : bool
        As in `compose`.
    scan : Scan
        To go through the labels.
    """

    def __init__(
        self, base: Source, other: Source, regions: Sequence[Region], instances: bool, scan: Scan
    ) -> None:
        self._base, self._other, self._scan = base, other, scan
        by_object = [region for region in regions if region.cut == "object"]
        self._by_object = RegionMask(by_object, scan.shape)
        self._by_edge = RegionMask((region for region in regions if region.cut == "edge"), scan.shape)
        self._leaving = self._entering = np.empty(0, np.int32)
        self._objects, self._other_objects = base, other
        if by_object:
            if not instances:
                self._objects, self._other_objects = _Components(base), _Components(other)
            self._leaving = self._mostly_inside(self._objects)
            self._entering = self._mostly_inside(self._other_objects)
        self._old: Numbers | None = None
        self._new: Numbers | None = None
        self._first_new = 0
        if instances:
            self._number()

    def read(self, block: Block) -> Numbers:
        """Return a block; see `Source`."""
        staying, incoming = self._parts(block)
        if self._old is not None:
            staying = _renumbered(staying, self._old, 1)
        if self._new is not None:
            incoming = _renumbered(incoming, self._new, self._first_new)
        return np.where(incoming > 0, incoming, staying)

    def _number(self) -> None:
        """Choose new numbers for the objects that come, and for all if there is no room above the others."""
        new = self._scan.values(lambda block: self._parts(block)[1])
        highest = self._scan.highest(self._base.read)
        if highest > np.iinfo(np.int32).max - len(new):
            self._old = self._scan.values(lambda block: self._parts(block)[0])
            highest = len(self._old)
        self._new, self._first_new = new, highest + 1

    def _parts(self, block: Block) -> tuple[Numbers, Numbers]:
        """Return the labels that stay, and those that come, both with their old numbers."""
        base, other = self._base.read(block), self._other.read(block)
        by_edge = self._by_edge.block(block)
        incoming = np.where(by_edge, other, 0)
        staying = np.where(by_edge, 0, base)
        if self._leaving.size or self._entering.size:
            leaves = np.isin(self._objects.read(block), self._leaving)
            enters = np.isin(self._other_objects.read(block), self._entering) & ~by_edge
            # Of an overlap with an object that stays, only the pixels inside.
            enters &= self._by_object.block(block) | leaves | (base == 0)
            staying[leaves] = 0
            incoming[enters] = other[enters]
        return staying, incoming

    def _mostly_inside(self, source: Source) -> Numbers:
        """Return the objects of which more than half lies inside; a tie stays outside."""

        def inside(block: Block) -> NDArray[Any]:
            mask = self._by_object.block(block)
            return source.read(block)[mask] if mask.any() else np.empty(0, np.int32)

        touched = self._scan.values(inside)
        if not touched.size:
            return touched
        within, total = self._scan.sizes(inside, touched), self._scan.sizes(source.read, touched)
        return touched[2 * within > total]


class _Components:
    """The connected components of classes: these are found in the whole stack at once."""

    def __init__(self, classes: Source) -> None:
        self._numbers = label_objects(classes.read(EVERYTHING))

    def read(self, block: Block) -> Numbers:
        """Return a block; see `Source`."""
        return self._numbers[block]


def _counted(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the values of an array and how often each occurs."""
    import fastremap

    if not labels.size:
        return labels.ravel(), np.empty(0, np.int64)
    values, counts = fastremap.unique(labels, return_counts=True)
    return values, counts


def _renumbered(labels: Numbers, numbers: Numbers, first: int) -> Numbers:
    """Replace numbers (increasing) by ``first``, ``first`` + 1, ..."""
    return np.where(labels > 0, np.searchsorted(numbers, labels) + first, 0).astype(np.int32)
