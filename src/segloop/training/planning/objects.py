"""How many objects there are to learn from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.core.context import Context
from segloop.core.errors import DatasetError, ImageError
from segloop.core.wording import counted
from segloop.targets.objects import label_objects
from segloop.training.planning.samples import Header


@dataclass(frozen=True)
class ObjectCount:
    """Number of objects in some samples.

    Attributes
    ----------
    n_objects : int
        In all samples; extrapolated from those that were read.
    n_read, n_samples : int
        How many samples were read, and how many there are.
    """

    n_objects: int = 0
    n_read: int = 0
    n_samples: int = 0

    @property
    def exact(self) -> bool:
        """Whether all samples were read."""
        return self.n_read == self.n_samples

    def __str__(self) -> str:
        objects = counted(self.n_objects, "object")
        if self.exact:
            return objects
        return f"about {objects}, counted in {self.n_read} of {counted(self.n_samples, 'sample')}"


def count_objects(
    dataset: CuratedDataset,
    headers: Sequence[Header],
    *,
    seconds: float,
    context: Context,
    clock: Callable[[], float] = time.monotonic,
) -> ObjectCount:
    """Count the objects of some samples; an object of a mask is a connected component.

    Parameters
    ----------
    dataset : CuratedDataset
        Composes the ground truth.
    headers : sequence of Header
        The samples.
    seconds : float
        When this time is used up, the rest is extrapolated; at least one sample is read.
    context : Context
        Receives progress; cancels between samples.
    clock : callable, optional
        Returns seconds.
    """
    started, found, read = clock(), 0, 0
    for done, header in enumerate(headers):
        context.progress(done, len(headers), "Counting objects")
        try:
            found += _count(dataset, header)
            read += 1
        except (ImageError, DatasetError):
            continue  # reported when the sample is prepared
        if clock() - started >= seconds:
            break
    total = round(found * len(headers) / read) if read else 0
    return ObjectCount(total, read, len(headers))


def _count(dataset: CuratedDataset, header: Header) -> int:
    truth = dataset.ground_truth(header.sample)
    labels = np.where(truth.valid, truth.labels, 0)
    if dataset.label_kind == "instances":
        return len(np.unique(labels[labels > 0]))
    return int(label_objects(labels).max(initial=0))
