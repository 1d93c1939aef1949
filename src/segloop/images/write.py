"""Writing OME-TIFF and OME-Zarr with channel names and pixel size."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.core.atomic import atomic_path
from segloop.core.errors import ImageError
from segloop.core.file_errors import writing
from segloop.images.image import AXES, UNKNOWN_SIZE, PixelSize
from segloop.images.names import stem_of
from segloop.images.ome_zarr import OWN_ATTRIBUTE, STORED_CHUNKS, count_chunks
from segloop.images.zarr_writing import zarr_writing

if TYPE_CHECKING:
    import zarr

_TILED_FROM = 1024
_TILE = 512
_CHUNK_PIXELS = 1 << 20
# Classic TIFF counts bytes in 32 bits; the rest is room for its own structures.
_BIGTIFF_FROM = 2**32 - 2**25
_NGFF_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}


def write_image(
    path: str | os.PathLike[str],
    data: Any,
    *,
    axes: str,
    channel_names: Sequence[str] | None = None,
    pixel_size_um: PixelSize = UNKNOWN_SIZE,
) -> Path:
    """Write an image, whole or not at all; missing parent folders are made, an image of the name is replaced.

    Parameters
    ----------
    path : path-like
        Ending in ``.tif``, ``.tiff`` (OME-TIFF, zlib, tiled when large) or ``.zarr`` (OME-Zarr 0.5).
    data : array-like
        Pixels: integers, bool (stored as uint8) or floats. 64-bit integers are stored in 32 bits in a TIFF;
        float16, which OME-TIFF lacks, as plain TIFF with the same metadata.
    axes : str
        Axes of ``data`` in order, each one of ``TCZYX``; Y and X are needed.
    channel_names : sequence of str, optional
        One name a channel.
    pixel_size_um : tuple
        (z, y, x) in micrometres; None where unknown.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    ImageError
        If the folder can't be written to, the disk is full, or pixels don't fit the format.
    """
    target = Path(path)
    array, axes = _ordered(np.asarray(data), axes, target)
    names = _checked_names(channel_names, array.shape, axes, target)
    suffix = target.suffix.lower()
    if suffix not in {".tif", ".tiff", ".zarr"}:
        raise ImageError(f"{target} can't be written as an image; choose a name ending in .tif or .zarr.")
    _check_replaceable(target)
    with writing(target, ImageError):
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(target) as partial:
            if suffix == ".zarr":
                with zarr_writing(target):
                    stored = new_zarr(
                        partial, stem_of(target), array.shape, array.dtype, axes, None, names, pixel_size_um
                    )
                    stored[...] = array
                    complete_zarr(partial)
            else:
                _write_tiff(partial, target, array, axes, names, pixel_size_um)
    return target


def create_zarr(
    path: str | os.PathLike[str],
    shape: Sequence[int],
    dtype: Any,
    *,
    axes: str,
    chunks: Sequence[int] | None = None,
    channel_names: Sequence[str] | None = None,
    pixel_size_um: PixelSize = UNKNOWN_SIZE,
) -> zarr.Array[Any]:
    """Create an OME-Zarr 0.5 image to be filled block by block; pixels not written read as 0.

    Call `complete_zarr` when it is filled.

    Parameters
    ----------
    path : path-like
        Folder to be made; there must be none of that name.
    shape : sequence of int
        Sizes along ``axes``.
    dtype : data-type
        Type of a pixel.
    axes : str
        A subset of ``TCZYX`` in this order, with Y and X.
    chunks : sequence of int, optional
        Sizes of the pieces that are stored separately; about a million pixels each by default. Blocks written
        from several threads or processes must not share a chunk.
    channel_names : sequence of str, optional
        One name a channel.
    pixel_size_um : tuple
        (z, y, x) in micrometres; None where unknown.

    Returns
    -------
    zarr.Array
        The full-resolution array, open for writing.

    Raises
    ------
    ImageError
        If there is something of that name, the folder can't be written to or the disk is full.
    """
    target = Path(path)
    shape = tuple(int(n) for n in shape)
    if axes != "".join(axis for axis in AXES if axis in axes) or len(axes) != len(shape):
        raise ImageError(
            f"{target}: axes {axes} don't fit the shape {shape}; use letters of {AXES}, one for each axis."
        )
    names = _checked_names(channel_names, shape, axes, target)
    if target.exists():
        raise ImageError(f"{target} already exists; choose another name or delete it.")
    with zarr_writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        return new_zarr(target, stem_of(target), shape, np.dtype(dtype), axes, chunks, names, pixel_size_um)


def complete_zarr(path: Path) -> None:
    """Note in an image made by `create_zarr` how many chunks it has, so that a lost one is missed.

    Zarr reads a chunk that is not there as zeros, and chunks of zeros are not stored.

    Raises
    ------
    OSError
        If the folder can't be written to.
    """
    import zarr

    group = zarr.open_group(str(path), mode="r+")
    group.attrs[OWN_ATTRIBUTE] = {STORED_CHUNKS: count_chunks(path / "0")}


def _ordered(array: np.ndarray, axes: str, target: Path) -> tuple[np.ndarray, str]:
    axes = axes.upper()
    if (
        array.ndim != len(axes)
        or len(set(axes)) != len(axes)
        or set(axes) - set(AXES)
        or not {"Y", "X"} <= set(axes)
    ):
        raise ImageError(
            f"{target} can't be written: axes {axes} don't fit pixels of shape {array.shape}; "
            f"name each axis by one of {AXES}."
        )
    if array.dtype.kind not in "buif":
        raise ImageError(
            f"{target} can't be written: pixels are {array.dtype}; convert them to integer or float."
        )
    if array.size == 0:
        raise ImageError(
            f"{target} can't be written: the image has no pixels; check the shape {array.shape}."
        )
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    order = [axis for axis in AXES if axis in axes]
    return np.transpose(array, [axes.index(axis) for axis in order]), "".join(order)


def _checked_names(names: Sequence[str] | None, shape: Sequence[int], axes: str, target: Path) -> list[str]:
    n_channels = shape[axes.index("C")] if "C" in axes else 1
    if names is not None and len(names) != n_channels:
        raise ImageError(
            f"{target} can't be written: {len(names)} channel names for {n_channels} channels; "
            "pass one name for each channel."
        )
    return [str(name) for name in names or ()]


def _check_replaceable(target: Path) -> None:
    is_zarr = any((target / name).exists() for name in ("zarr.json", ".zgroup", ".zarray"))
    if target.is_dir() and not (is_zarr and target.suffix.lower() == ".zarr"):
        raise ImageError(f"{target} is a folder that holds something else; choose another name.")


def _write_tiff(
    file: Path, target: Path, array: np.ndarray, axes: str, names: list[str], pixel_size_um: PixelSize
) -> None:
    import tifffile

    array = _tiff_dtype(array, target)
    metadata: dict[str, Any] = {"axes": axes, "Name": stem_of(target)}
    for axis, size in zip("ZYX", pixel_size_um, strict=True):
        if size is not None:
            metadata |= {f"PhysicalSize{axis}": float(size), f"PhysicalSize{axis}Unit": "µm"}
    if names:
        metadata["Channel"] = {"Name": names}
    tiled = min(array.shape[-2:]) > _TILED_FROM
    tifffile.imwrite(
        file,
        array,
        ome=array.dtype != np.float16,
        bigtiff=array.nbytes > _BIGTIFF_FROM,
        photometric="minisblack",
        compression="zlib",
        tile=(_TILE, _TILE) if tiled else None,
        metadata=metadata,
    )


def _tiff_dtype(array: np.ndarray, target: Path) -> np.ndarray:
    if array.dtype.kind not in "iu" or array.dtype.itemsize < 8:
        return array
    smaller = np.dtype(np.int32 if array.min() < 0 else np.uint32)
    if array.min() < np.iinfo(smaller).min or array.max() > np.iinfo(smaller).max:
        raise ImageError(
            f"{target} can't hold values up to {array.max()} (TIFF has 32 bits); write it as .zarr."
        )
    return array.astype(smaller)


def new_zarr(
    folder: Path,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: str,
    chunks: Sequence[int] | None = None,
    names: Sequence[str] = (),
    pixel_size_um: PixelSize = UNKNOWN_SIZE,
    *,
    version: str = "0.5",
    more: Mapping[str, Any] = MappingProxyType({}),
) -> zarr.Array[Any]:
    """Create an OME-Zarr image as `create_zarr` does, and return its array.

    Parameters
    ----------
    name : str
        Of the image.
    names : sequence of str
        Of its channels.
    version : {"0.4", "0.5"}, optional
        Of OME-Zarr.
    more : mapping, optional
        Metadata beside those of an image.
    """
    import zarr

    newest = version == "0.5"
    group = zarr.create_group(store=str(folder), zarr_format=3 if newest else 2)
    metadata = {**_ngff(name, dtype, axes, names, pixel_size_um), **more}
    if newest:
        group.attrs["ome"] = metadata
    else:
        del metadata["version"]
        metadata["multiscales"][0]["version"] = version
        group.attrs.update(metadata)
    chunks = tuple(int(n) for n in chunks) if chunks is not None else _default_chunks(shape, axes)
    dtype = np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")
    options: dict[str, Any] = (
        {"dimension_names": list(axes.lower())}
        if newest
        else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    )
    return group.create_array("0", shape=shape, dtype=dtype, chunks=chunks, fill_value=0, **options)


def _default_chunks(shape: tuple[int, ...], axes: str) -> tuple[int, ...]:
    y, x = (min(n, _TILE) for n in shape[-2:])
    z = max(1, _CHUNK_PIXELS // (y * x))
    sizes = {"Z": z, "Y": y, "X": x}
    return tuple(min(n, sizes.get(axis, 1)) for n, axis in zip(shape, axes, strict=True))


def _ngff(
    name: str, dtype: np.dtype[Any], axes: str, names: Sequence[str], pixel_size_um: PixelSize
) -> dict[str, Any]:
    """Metadata of OME-NGFF 0.5 (ngff.openmicroscopy.org/0.5): an axis of unknown scale has no unit."""
    sizes = dict(zip("ZYX", pixel_size_um, strict=True))
    described: list[dict[str, str]] = []
    for axis in axes:
        described.append({"name": axis.lower(), "type": _NGFF_TYPES[axis]})
        if sizes.get(axis) is not None:
            described[-1]["unit"] = "micrometer"
    scale = [float(sizes.get(axis) or 1.0) for axis in axes]
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    metadata: dict[str, Any] = {
        "version": "0.5",
        "multiscales": [{"name": name, "axes": described, "datasets": [dataset]}],
    }
    if names:
        top = 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
        window = {"min": 0.0, "max": top, "start": 0.0, "end": top}
        metadata["omero"] = {
            "channels": [
                {"label": label, "color": "FFFFFF", "active": True, "window": window} for label in names
            ]
        }
    return metadata
