"""TIFF files: scenes, axes, and an `Image` over the pixels."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segloop.core.errors import ImageError
from segloop.images.image import AXES, RGB, Image, default_names, pixel_dtype
from segloop.images.ome_files import (
    declared_of,
    images_beyond_series,
    images_in_files,
    open_declared,
    own_scene,
    require_planes,
    scene_names_of,
)
from segloop.images.ome_xml import DeclaredImage
from segloop.images.tiff_file import cut_short, parsed, require_series
from segloop.images.tiff_metadata import describe, describe_ome
from segloop.images.tiff_pixels import TiffLayout, TiffPixels

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

# A single strip larger than this is mapped rather than read to get a part of it.
_MAP_FROM_BYTES = 16 << 20
Choose = Callable[[Sequence[str], int], int]

_PHOTOMETRIC_RGB, _PHOTOMETRIC_YCBCR = 2, 6
_PHOTOMETRIC_MINISWHITE = 0
# Values of the tag ExtraSamples: associated and unassociated alpha.
_ALPHA = (1, 2)
# Channels last are recognised where a plane would be this narrow, but the other sides are like an image's.
_MOST_TRAILING_CHANNELS = 10
_SMALLEST_SIDE = 32
_AXES_FOR_UNKNOWN = "ZCT"
_UNNAMED = "QI"


def is_tiff(path: str | os.PathLike[str]) -> bool:
    """Whether a file's suffix says TIFF (of which LSM is a kind)."""
    return Path(path).suffix.lower() in {".tif", ".tiff", ".lsm", ".btf", ".tf8"}


def open_tiff(path: Path, choose: Choose, axes: str | None = None) -> Image:
    """Open one scene of a TIFF.

    Parameters
    ----------
    path : Path
        An existing file.
    choose : callable
        Gets the names of the scenes and the number of the default one, returns the number of the one wanted.
    axes : str, optional
        What the stored axes mean, in order, instead of what the file says or leaves open.

    Raises
    ------
    ImageError
        If the file is not a TIFF, cut short, lacks planes that its OME metadata declares, or has axes other
        than ``TCZYX`` and samples.
    """
    import dask.array as da

    with parsed(path) as (tiff, messages):
        declared = images_in_files(tiff, path)
        if declared:
            return _open_set(path, declared, choose)
        require_series(path, tiff, messages)
        declared = images_beyond_series(tiff, path)
        if declared:
            return _open_set(path, declared, choose)
        scenes = _scene_names(tiff)
        index = choose(scenes, 0)
        series = tiff.series[index]
        _check_complete(path, series)
        _check_planes(path, tiff, index)
        layout = _layout(path, series, axes)
        notes = _notes(series, layout, axes)
        names, pixel_size = describe(tiff, index)
    pixels = TiffPixels(path, index, layout)
    data = da.from_array(  # type: ignore[no-untyped-call]
        pixels, chunks=layout.chunks, name=False, asarray=False, meta=np.empty((0,) * 5, pixels.dtype)
    )
    return Image(
        path.name, data, _channel_names(layout, names), pixel_size, path, scenes[index], scenes, notes
    )


def tiff_scenes(path: Path) -> tuple[str, ...]:
    """Names of a TIFF's scenes.

    Raises
    ------
    ImageError
        If the file is not a TIFF or cut short.
    """
    with parsed(path) as (tiff, messages):
        declared = images_in_files(tiff, path)
        if declared:
            return scene_names_of(declared)
        require_series(path, tiff, messages)
        declared = images_beyond_series(tiff, path)
        return scene_names_of(declared) if declared else _scene_names(tiff)


def _open_set(path: Path, images: Sequence[DeclaredImage], choose: Choose) -> Image:
    index = choose(scene_names_of(images), own_scene(images))
    image = images[index]
    names, pixel_size = describe_ome(image.pixels)
    _, c, _ = image.shape
    if image.samples > 1 or len(names) != c:
        colours = RGB if image.samples == 3 else tuple(str(i) for i in range(image.samples))
        bases = names if len(names) == c else default_names(c)
        names = list(default_names(c) if image.samples == 1 else colours)
        if c > 1 and image.samples > 1:
            names = [f"{base} {colour}" for base in bases for colour in colours]
    return open_declared(path, images, index, names, pixel_size)


def _check_planes(path: Path, tiff: TiffFile, index: int) -> None:
    """Refuse an OME-TIFF that lacks planes which its header declares; tifffile would read them as black."""
    series = tiff.series[index]
    if series.kind != "ome" or not any(page is None for page in series.pages):
        return
    declared = declared_of(tiff, path)
    for image in declared if len(declared) != len(tiff.series) else declared[index : index + 1]:
        require_planes(image, path)
    raise cut_short(path)


def _check_complete(path: Path, series: TiffPageSeries) -> None:
    if series.dataoffset is not None:
        if series.dataoffset + series.nbytes > path.stat().st_size:
            raise cut_short(path)
        return
    for page in (series.pages[0], series.pages[-1]):
        if page is None:
            continue
        ends = [start + n for start, n in zip(page.dataoffsets, page.databytecounts, strict=False)]
        if ends and max(ends) > page.parent.filehandle.size:
            raise cut_short(path)


def _scene_names(tiff: TiffFile) -> tuple[str, ...]:
    names = [str(series.name).strip() for series in tiff.series]
    if all(names) and len(set(names)) == len(names) and tiff.series[0].kind == "ome":
        return tuple(names)
    return tuple(f"Image {i}" for i in range(len(names)))


def _layout(path: Path, series: TiffPageSeries, given: str | None) -> TiffLayout:
    page = series.keyframe
    shape = tuple(int(n) for n in series.shape)
    axes = _given_axes(path, given, shape) if given else _name_axes(path, series.axes, shape)
    colour = page.photometric in (_PHOTOMETRIC_RGB, _PHOTOMETRIC_YCBCR)
    samples = shape[axes.index("S")] if "S" in axes else 1
    colour = colour and samples in (3, 4)
    if not colour and series.axes.endswith("S"):
        samples -= _n_alpha(page.extrasamples, samples)
    tile = page.chunks[-3:-1] if page.axes.endswith("S") and len(page.chunks) > 2 else page.chunks[-2:]
    dtype = np.dtype(series.dtype).newbyteorder(page.parent.byteorder)
    pixel_dtype(dtype, str(path))
    strip = int(np.prod(page.chunks, dtype=np.int64)) * dtype.itemsize
    offset = series.dataoffset if page.is_memmappable and strip > _MAP_FROM_BYTES else None
    if axes.replace("S", "")[-2:] != "YX":
        tile = (shape[axes.index("Y")], shape[axes.index("X")])
    return TiffLayout(
        axes, shape, dtype, 3 if colour else samples, colour, (int(tile[0]), int(tile[1])), offset
    )


def _n_alpha(extra: Sequence[int], samples: int) -> int:
    """Return how many of the samples, at their end, are said to be alpha."""
    n_alpha = 0
    for kind in reversed(tuple(extra)):
        if kind not in _ALPHA:
            break
        n_alpha += 1
    return min(n_alpha, samples - 1)


def _notes(series: TiffPageSeries, layout: TiffLayout, given: str | None) -> tuple[str, ...]:
    """Say what was guessed or is unusual; of each kind the same words for every file, to be counted."""
    notes = []
    if not given and set(series.axes) & set(_UNNAMED):
        notes.append(
            f"The file does not name its axes, they are read as {layout.axes}: if that is wrong, say which "
            f"they are, such as axes={'TYX' if layout.axes == 'ZYX' else 'ZYX'}."
        )
    if series.keyframe.photometric == _PHOTOMETRIC_MINISWHITE:
        notes.append(
            "The file is marked to be displayed inverted (white is zero); its values are used as they are "
            "stored."
        )
    return tuple(notes)


def _given_axes(path: Path, axes: str, shape: tuple[int, ...]) -> str:
    named = axes.strip().upper()
    letters = set(named)
    if (
        len(named) != len(shape)
        or letters - set(AXES + "S")
        or len(letters) != len(named)
        or not {"Y", "X"} <= letters
    ):
        raise ImageError(
            f"{path} has {len(shape)} axes of the sizes {' x '.join(map(str, shape))}, so {axes!r} can't be "
            "their names: use one letter of TCZYX (S for colours) for each, with Y and X."
        )
    return named


def _name_axes(path: Path, axes: str, shape: tuple[int, ...]) -> str:
    """Name tifffile's unknown axes as bioio does: from the last, Z, C, T, as far as these are free.

    Only where rows would be a few pixels wide, the last axis is taken for channels.
    """
    if len(axes) == 3 and axes[0] in _UNNAMED and axes[1:] == "YX" and _looks_channels_last(shape):
        return "YXC"
    free = [axis for axis in _AXES_FOR_UNKNOWN if axis not in axes]
    named = ""
    for axis in reversed(axes):
        named = (free.pop(0) if axis in _UNNAMED and free else axis) + named
    if set(named) - set(AXES + "S") or len(set(named)) != len(named) or not {"Y", "X"} <= set(named):
        raise ImageError(
            f"{path} has axes {axes}, of which only T, C, Z, Y, X and colour samples S are understood: "
            "save it with these axes only, for example from Fiji as a hyperstack."
        )
    return named


def _looks_channels_last(shape: tuple[int, ...]) -> bool:
    return shape[-1] <= _MOST_TRAILING_CHANNELS and min(shape[:-1]) >= _SMALLEST_SIDE


def _channel_names(layout: TiffLayout, names: Sequence[str]) -> tuple[str, ...]:
    n_channels = layout.tczyx[1]
    if len(names) == n_channels and not layout.colour:
        return tuple(names)
    if layout.colour and layout.size("C") > 1:
        bases = names if len(names) == layout.size("C") else default_names(layout.size("C"))
        return tuple(f"{base} {colour}" for base in bases for colour in RGB)
    return default_names(n_channels, 3 if layout.colour else 0)
