"""Which files a prediction writes: names, formats, shapes and data types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segloop.config.predict import OutputFormat
from segloop.prediction.inputs import output_name
from segloop.prediction.outputs import OutputSpec
from segloop.targets.output import PROBABILITY, Output

if TYPE_CHECKING:
    from segloop.artifacts.prediction.place import Place
    from segloop.images.image import PixelSize

AUTO_TIFF_LIMIT = 2 << 30
"""Bytes of the largest output up to which the format ``auto`` writes TIFF."""

Shape = tuple[int, int, int, int, int]


def plan_outputs(
    kinds: Sequence[Output],
    maps: Sequence[str],
    shape: Shape,
    pixel_size_um: PixelSize,
    place: Place,
    *,
    file_format: OutputFormat = OutputFormat.auto,
    from_zarr: bool = False,
    float_probability: bool = False,
) -> list[OutputSpec]:
    """Return what to write where for a new prediction.

    Parameters
    ----------
    kinds : sequence of Output
        What to write.
    maps : sequence of str
        Names of the maps of a probability.
    shape : tuple of int
        T, C, Z, Y, X of the image; C does not count.
    pixel_size_um : tuple of float or None
        Z, Y, X.
    place : Place
        Folder and name of the prediction.
    file_format : OutputFormat, optional
        ``auto`` writes TIFF up to `AUTO_TIFF_LIMIT`, unless the image came from a Zarr.
    from_zarr : bool, optional
        Whether the image came from a Zarr.
    float_probability : bool, optional
        Whether a probability is float16 instead of uint8.
    """

    def path_of(suffix: str) -> Callable[[Output], Path]:
        return lambda kind: place.out / output_name(place.stem, kind, kinds, suffix)

    def specs(suffix: str) -> list[OutputSpec]:
        return output_specs(kinds, maps, shape, pixel_size_um, path_of(suffix), float_probability)

    largest = max(int(np.prod(spec.shape, dtype=np.int64)) * spec.dtype.itemsize for spec in specs(""))
    as_zarr = file_format is OutputFormat.zarr or (
        file_format is OutputFormat.auto and (from_zarr or largest > AUTO_TIFF_LIMIT)
    )
    return specs(".ome.zarr" if as_zarr else ".tif")


def output_specs(
    kinds: Sequence[Output],
    maps: Sequence[str],
    shape: Shape,
    pixel_size_um: PixelSize,
    path_of: Callable[[Output], Path],
    float_probability: bool = False,
) -> list[OutputSpec]:
    """Return the `OutputSpec` of each kind, at the path that ``path_of`` gives; see `plan_outputs`."""
    t, _, z, y, x = shape
    specs = []
    for kind in kinds:
        names = tuple(maps) if kind == PROBABILITY else ()
        stored = (t, max(1, len(names)), z, y, x)
        dtype = np.dtype("float16" if kind == PROBABILITY and float_probability else kind.dtype)
        specs.append(OutputSpec(kind, path_of(kind), stored, dtype, pixel_size_um, names))
    return specs
