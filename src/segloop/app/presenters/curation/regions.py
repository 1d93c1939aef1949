"""Turns drawn shapes into regions of the current sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from segloop.app.presenters.curation.drawing import DrawingOptions, DrawnShape, Kind, ShapeKind, SliceRange
from segloop.artifacts.dataset.manifest import Region
from segloop.curation.session import ReviewSession


class RegionEditor:
    """Turns what the user does to shapes into edits of the current sample.

    Parameters
    ----------
    session : callable
        Returns the review, or None.
    ready : callable
        Whether the current sample is the one on screen; says so if it isn't.
    attempt : callable
        Carries out an edit; where it fails, says so and returns False.
    options : DrawingOptions
        The choices for new regions.
    limits : callable
        Returns the first and last slice that regions should cover now.
    """

    copied = Signal(tuple, int)
    """The samples that regions were copied to, and how many they got together."""

    def __init__(
        self,
        session: Callable[[], ReviewSession | None],
        ready: Callable[[], bool],
        attempt: Callable[[Callable[[], object]], bool],
        options: DrawingOptions,
        limits: Callable[[], SliceRange],
    ) -> None:
        self._session, self._ready, self._attempt = session, ready, attempt
        self._options, self._limits = options, limits
        self._just_drawn = ""

    def begin(self) -> None:
        """Forget the region drawn last: a tool is chosen, or put away."""
        self._just_drawn = ""

    def add_region(self, kind: Kind, shape: ShapeKind, vertices: NDArray[np.float64]) -> str:
        """Keep a drawn region.

        Parameters
        ----------
        kind, shape
            See `Region`.
        vertices : (N, 2) float array
            Y and X in pixels of the raw image.

        Returns
        -------
        str
            Its id, or an empty string if it was refused.
        """
        session = self._session()
        if session is None or not self._ready():
            return ""
        added: list[str] = []
        (first, last), source = self._limits(), self._options.source
        self._attempt(
            lambda: added.append(session.add_region(kind, shape, vertices.tolist(), first, last, source).id)
        )
        self._just_drawn = added[0] if added else ""
        return self._just_drawn

    def move_regions(self, moved: Sequence[DrawnShape]) -> None:
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
        session = self._session()
        if session is not None:
            self._attempt(lambda: session.remove_regions(region_ids))

    def copy(self, kind: Kind, to: Literal["next", "group"]) -> None:
        """Copy the regions of a kind to the next sample of the list, or to all others of the group."""
        session = self._session()
        if session is not None:
            self._attempt(lambda: self.copied.emit(*session.copy_regions(kind, to)))

    def apply_slices(self, selected_ids: Sequence[str]) -> None:
        """Apply the chosen slices to the selected regions and to the one just drawn."""
        first, last = self._limits()
        update = {"z_first": first, "z_last": last}
        ids = {*selected_ids, self._just_drawn}
        self._change([each.model_copy(update=update) for each in self._regions() if each.id in ids])

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
        session = self._session()
        return session.current.regions if session is not None else ()

    def _change(self, changed: Sequence[Region]) -> None:
        session = self._session()
        if changed and session is not None:
            self._attempt(lambda: session.replace_regions(changed))


def _pairs(vertices: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(y), 3), round(float(x), 3)) for y, x in vertices)
