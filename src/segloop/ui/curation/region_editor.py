"""What becomes of drawn shapes: regions of the sample at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from segloop.artifacts.dataset.manifest import Region
from segloop.curation.session import ReviewSession
from segloop.ui.curation.region_layer import Drawn, Kind, ShapeKind

Slices = tuple[int | None, int | None]


class RegionEditor:
    """Turns what the user does to shapes into edits of the review; see `RegionEdits`.

    Parameters
    ----------
    attempt : callable
        Carries out an edit; shows an error and returns False where it fails.
    ready : callable
        Whether the sample at hand is the one on screen.
    slices : callable
        First and last slice for a new region.
    merge_source : callable
        Name of the segmentation that a new merge region takes labels from.

    Attributes
    ----------
    review : ReviewSession or None
        Whose sample at hand is edited.
    """

    def __init__(
        self,
        attempt: Callable[[Callable[[], object]], bool],
        ready: Callable[[], bool],
        slices: Callable[[], Slices],
        merge_source: Callable[[], str],
    ) -> None:
        self._attempt, self._ready, self._slices = attempt, ready, slices
        self._merge_source = merge_source
        self.review: ReviewSession | None = None

    def add_region(self, kind: Kind, shape: ShapeKind, vertices: np.ndarray) -> str:
        """Keep a drawn region; returns its id, or an empty string if it was refused."""
        if not self._ready():
            return ""
        added: list[str] = []
        review, (first, last), source = self.review, self._slices(), self._merge_source()
        self._attempt(
            lambda: added.append(review.add_region(kind, shape, vertices.tolist(), first, last, source).id)
        )
        return added[0] if added else ""

    def move_regions(self, moved: Sequence[Drawn]) -> None:
        """Keep the new vertices of regions."""
        new = {each.region_id: each for each in moved}
        self._change(
            [
                region.model_copy(
                    update={"shape": new[region.id].shape, "vertices": _pairs(new[region.id].vertices)}
                )
                for region in self._regions()
                if region.id in new
            ]
        )

    def remove_regions(self, region_ids: Sequence[str]) -> None:
        """Delete regions."""
        if self.review is not None:
            self._attempt(lambda: self.review.remove_regions(region_ids))

    def set_slices(self, region_ids: Sequence[str]) -> None:
        """Give regions the slices that new ones get."""
        first, last = self._slices()
        update = {"z_first": first, "z_last": last}
        self._change([each.model_copy(update=update) for each in self._regions() if each.id in region_ids])

    def set_cut(self, region_id: str, cut: str) -> None:
        """Choose whether a merge follows objects or cuts at its edge."""
        self._change(
            [each.model_copy(update={"cut": cut}) for each in self._regions() if each.id == region_id]
        )

    def set_source(self, region_id: str, name: str) -> None:
        """Choose the segmentation that a merge takes labels from."""
        self._change(
            [
                each.model_copy(update={"segmentation": name})
                for each in self._regions()
                if each.id == region_id
            ]
        )

    def _regions(self) -> tuple[Region, ...]:
        return self.review.current.regions if self.review is not None else ()

    def _change(self, changed: Sequence[Region]) -> None:
        if changed:
            self._attempt(lambda: self.review.replace_regions(changed))


def _pairs(vertices: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(y), 3), round(float(x), 3)) for y, x in vertices)
