"""Every format but TIFF, through bioio's readers: OME-Zarr, PNG, JPEG and those of extra reader packages."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from segloop.core.units import micrometres
from segloop.images.image import RGB, Image, PixelSize, default_names, plausible_size, to_tczyx
from segloop.images.old_ome_zarr import OLD_VERSIONS, old_scenes, open_old_ome_zarr
from segloop.images.ome_zarr import image_folders, known_version, require_image
from segloop.images.refusals import guarded

_IMAGEIO, _OME_ZARR = "bioio_imageio", "bioio_ome_zarr"


def open_with_bioio(path: Path, choose: Callable[[Sequence[str], int], int], module: str | None) -> Image:
    """Open one scene of a file or Zarr folder.

    Parameters
    ----------
    path : Path
        An existing file or folder.
    choose : callable
        Gets the names of the scenes and the number of the default one, returns the number of the one wanted.
    module : str or None
        Module of the extra bioio reader that the format needs, if any.

    Raises
    ------
    ImageError
        If the file can't be read, or a Zarr folder is not an OME-Zarr image.
    """
    series = image_folders(path) if path.is_dir() else ()
    if series:
        index = choose(series, 0)
        image = open_with_bioio(path / series[index], lambda _scenes, default: default, module)
        return Image(
            path.name, image.data, image.channel_names, image.pixel_size_um, path, series[index], series
        )
    if path.is_dir():
        require_image(path)
        if known_version(path) in OLD_VERSIONS:
            with guarded(path):
                return open_old_ome_zarr(path, choose)
    with _quiet():
        bio = _bio_image(path, module)
        with guarded(path):
            scenes = tuple(str(name) for name in bio.scenes)
        index = choose(scenes, 0)
        with guarded(path):
            bio.set_scene(index)
            data, samples = to_tczyx(bio.dask_data, bio.dims.order, path.name)
            names = _channel_names(bio, data.shape[1], samples)
            pixel_size = _pixel_size(bio, data.shape)
    return Image(path.name, data, names, pixel_size, path, scenes[index], scenes)


def bioio_scenes(path: Path, module: str | None) -> tuple[str, ...]:
    """Names of the scenes of a file or Zarr folder.

    Raises
    ------
    ImageError
        If the file can't be read, or a Zarr folder is not an OME-Zarr image.
    """
    series = image_folders(path) if path.is_dir() else ()
    if series:
        return series
    if path.is_dir():
        require_image(path)
        if known_version(path) in OLD_VERSIONS:
            return old_scenes(path)
    with _quiet():
        bio = _bio_image(path, module)
        with guarded(path):
            return tuple(str(name) for name in bio.scenes)


def _bio_image(path: Path, module: str | None) -> Any:
    from bioio import BioImage

    reader = module or (_OME_ZARR if path.is_dir() else _IMAGEIO)
    # Naming the reader saves bioio from trying all of them, and from logging what each had to say.
    with guarded(path):
        return BioImage(path, reader=import_module(reader).Reader)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the readers' warnings, which concern their internals, from users."""
    logger = logging.getLogger("bioio.bio_image")
    logger.addFilter(_concerns_nobody)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeFilter(_concerns_nobody)


def _concerns_nobody(record: logging.LogRecord) -> bool:
    return False


def _channel_names(bio: Any, n_channels: int, samples: int) -> tuple[str, ...]:
    if samples in (3, 4):
        bases = bio.channel_names or []
        return (
            RGB if n_channels == len(RGB) else tuple(f"{base} {colour}" for base in bases for colour in RGB)
        )
    # BioImage drops the names of an image without a channel axis; its reader keeps them.
    names = [str(name) for name in bio.reader.channel_names or []]
    generic = all(name.startswith("Channel:") for name in names)
    return tuple(names) if len(names) == n_channels and not generic else default_names(n_channels)


def _pixel_size(bio: Any, shape: Sequence[int]) -> PixelSize:
    sizes = bio.physical_pixel_sizes
    units = bio.dimension_properties
    found: list[float | None] = []
    for axis in "ZYX":
        size = getattr(sizes, axis, None)
        unit = getattr(getattr(units, axis, None), "unit", None)
        if unit is None and size == 1:
            size = None  # a scale of 1 without a unit is how NGFF says that nothing is known
        found.append(micrometres(size, "um" if unit is None else str(unit)))
    z, y, x = found
    return plausible_size((z, y, x))
