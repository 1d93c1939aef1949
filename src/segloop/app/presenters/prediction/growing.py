"""Outputs that a job is still writing, as lazy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.core.context import Context
from segloop.targets.output import LABELS, PROBABILITY, Output

if TYPE_CHECKING:
    from segloop.app.presenters.prediction.result import Result


def open_growing(
    wanted: Sequence[tuple[Result, Mapping[Output, Path]]], context: Context
) -> list[tuple[Result, dict[Output, Any]]]:
    """Open the outputs of results that are being written; those that can't be read now are left out.

    Returns
    -------
    list of (Result, dict of Output to array)
        Lazy arrays (T, Z, Y, X), or (T, K, Z, Y, X) for a probability. What is not written yet is zero.
    """
    found = []
    for result, paths in wanted:
        context.check()
        try:
            stored = {kind: _GrowingZarr(path) for kind, path in paths.items()}
            # Labels are written a whole time point at once: a single one has nothing to show before.
            growing = {kind: each for kind, each in stored.items() if kind != LABELS or "T" in each.axes}
            arrays = {kind: _lazy(each, kind) for kind, each in growing.items()}
        except (KeyError, OSError, ValueError):  # the job has just removed or replaced it
            continue
        if arrays:
            found.append((result, arrays))
    return found


def _lazy(stored: _GrowingZarr, kind: Output) -> Any:
    import dask.array as da

    from segloop.images.image import to_tczyx

    # A new name each time, or napari would show the blocks that it has seen before.
    lazy = da.from_array(stored, chunks=stored.chunks, name=False)  # type: ignore[no-untyped-call]
    data, _ = to_tczyx(lazy, stored.axes, "a growing output")
    return data if kind == PROBABILITY else data[:, 0]


class _GrowingZarr:
    """A Zarr array that reads as zeros while its files are being replaced."""

    def __init__(self, path: Path) -> None:
        array = self._array = _first_level(path)
        self.shape, self.dtype, self.ndim, self.chunks = array.shape, array.dtype, array.ndim, array.chunks
        self.axes = "".join(array.metadata.dimension_names).upper()

    def __getitem__(self, key: Any) -> Any:
        try:
            return self._array[key]
        except Exception:
            probe = np.broadcast_to(np.zeros((), self.dtype), self.shape)
            return np.array(probe[key])


def _first_level(path: Path) -> Any:
    import zarr

    return zarr.open_group(str(path), mode="r")["0"]
