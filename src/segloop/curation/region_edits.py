"""Regions made of other regions, or of slices."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Literal

from segloop.artifacts.dataset.manifest import Region, Sample


def copied_regions(origin: Sample, kind: Literal["exclude", "merge"], target: Sample) -> tuple[Region, ...]:
    """Return the regions of a kind that another sample lacks, for it.

    Left out are those that it has already, and merges from a segmentation that it doesn't have.
    """
    present = [each.model_copy(update={"id": ""}) for each in target.regions]
    return tuple(
        region.model_copy(update={"id": new_id()})
        for region in origin.regions
        if region.kind == kind
        and (not region.segmentation or region.segmentation in target.segmentation_names)
        and region.model_copy(update={"id": ""}) not in present
    )


def with_excluded_slices(
    regions: Iterable[Region], ranges: Iterable[tuple[int, int]], plane: tuple[int, int]
) -> tuple[Region, ...]:
    """Return regions with whole slices excluded, instead of those that this has excluded before.

    Parameters
    ----------
    regions : iterable of Region
        Those that a sample has.
    ranges : iterable of (first, last)
        Slices, both inclusive.
    plane : (Y, X)
        Size of a slice.
    """
    height, width = (float(size) for size in plane)
    corners = ((-1.0, -1.0), (-1.0, width), (height, width), (height, -1.0))
    others = [each for each in regions if each.kind != "exclude" or each.vertices != corners]
    excluded = [
        Region(id=new_id(), kind="exclude", shape="rectangle", vertices=corners, z_first=first, z_last=last)
        for first, last in ranges
    ]
    return (*others, *excluded)


def new_id() -> str:
    """Return an id for a region, which no other one has."""
    return uuid.uuid4().hex[:8]
