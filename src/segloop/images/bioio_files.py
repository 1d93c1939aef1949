"""Every format but TIFF, through bioio's readers: OME-Zarr, PNG, JPEG and those of extra reader packages."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from segloop.core.errors import ImageError
from segloop.core.units import micrometres
from segloop.images.image import RGB, Image, PixelSize, default_names, to_tczyx

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
        If the file can't be read, or a Zarr folder is no OME-Zarr image.
    """
    series = _bioformats2raw_series(path)
    if series:
        index = choose(series, 0)
        image = open_with_bioio(path / series[index], lambda _scenes, default: default, module)
        return Image(
            path.name, image.data, image.channel_names, image.pixel_size_um, path, series[index], series
        )
    with _quiet():
        bio = _bio_image(path, module)
        with _one_sentence(path):
            scenes = tuple(str(name) for name in bio.scenes)
        index = choose(scenes, 0)
        with _one_sentence(path):
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
        If the file can't be read, or a Zarr folder is no OME-Zarr image.
    """
    series = _bioformats2raw_series(path)
    if series:
        return series
    with _quiet():
        bio = _bio_image(path, module)
        with _one_sentence(path):
            return tuple(str(name) for name in bio.scenes)


def _bio_image(path: Path, module: str | None) -> Any:
    from bioio import BioImage

    if path.is_dir():
        _check_zarr(path)
    reader = module or (_OME_ZARR if path.is_dir() else _IMAGEIO)
    # Naming the reader saves bioio from trying all of them, and from logging what each had to say.
    with _one_sentence(path):
        return BioImage(path, reader=import_module(reader).Reader)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the readers' warnings, which are about their own insides, from users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _one_sentence(path: Path) -> Iterator[None]:
    try:
        yield
    except ImageError:
        raise
    except Exception as error:  # readers raise whatever the library below them raises
        raise ImageError(
            f"{path} can't be read, it is damaged or not what its suffix says: copy or export it again, "
            "or save it as TIFF."
        ) from error


def _channel_names(bio: Any, n_channels: int, samples: int) -> tuple[str, ...]:
    if samples in (3, 4):
        bases = bio.channel_names or []
        return (
            RGB if n_channels == len(RGB) else tuple(f"{base} {colour}" for base in bases for colour in RGB)
        )
    # BioImage forgets the names of an image without channel axis; its reader knows them.
    names = [str(name) for name in bio.reader.channel_names or []]
    made_up = all(name.startswith("Channel:") for name in names)
    return tuple(names) if len(names) == n_channels and not made_up else default_names(n_channels)


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
    return z, y, x


def _attributes(folder: Path) -> dict[str, Any]:
    """Attributes of a local Zarr group, format 2 or 3; empty where there are none."""
    for name in ("zarr.json", ".zattrs"):
        file = folder / name
        if file.is_file():
            try:
                content = json.loads(file.read_text(encoding="utf-8"))
            except (ValueError, RecursionError) as error:
                raise ImageError(
                    f"{folder} is damaged ({name} is no JSON): copy or export it again."
                ) from error
            attributes = _dict(_dict(content).get("attributes") if name == "zarr.json" else content)
            return {**attributes, **_dict(attributes.get("ome"))}
    return {}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _bioformats2raw_series(path: Path) -> tuple[str, ...]:
    """Subfolders with the images of a store that bioformats2raw wrote; bioio does not open its root."""
    if not path.is_dir() or "bioformats2raw.layout" not in _attributes(path):
        return ()
    listed = _attributes(path / "OME").get("series")
    if isinstance(listed, list) and listed and all(_is_inside(path, str(name)) for name in listed):
        return tuple(str(name) for name in listed)
    numbered = [folder.name for folder in path.iterdir() if folder.is_dir() and folder.name.isdecimal()]
    if not numbered:
        raise ImageError(f"{path} holds no image: convert the original again with bioformats2raw.")
    return tuple(sorted(numbered, key=int))


def _is_inside(path: Path, name: str) -> bool:
    return Path(name).name == name != ".." and (path / name).is_dir()


def _check_zarr(path: Path) -> None:
    attributes = _attributes(path)
    if "plate" in attributes or "well" in attributes:
        raise ImageError(
            f"{path} is a plate or well, not an image: choose an image in it, such as {path}/A/1/0."
        )
    multiscales = attributes.get("multiscales")
    if not isinstance(multiscales, list) or not multiscales:
        raise ImageError(
            f"{path} is no OME-Zarr image (it has no multiscales metadata): save it as OME-Zarr or TIFF."
        )
    with _one_sentence(path):
        for entry in multiscales:
            first = entry["datasets"][0]["path"]
            if not any((path / first / name).exists() for name in (".zarray", "zarr.json")):
                raise ImageError(
                    f"{path} is incomplete (its array {first} is missing): copy or export it again."
                )
