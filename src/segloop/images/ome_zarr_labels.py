"""Label images inside OME-Zarr images, in the group ``labels``.

Source: ngff.openmicroscopy.org, versions 0.4 and 0.5, "labels metadata".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.atomic import atomic_path
from segloop.core.errors import ImageError
from segloop.images.image import PixelSize
from segloop.images.ome_zarr import as_dict, attributes, known_version, require_image
from segloop.images.write import complete_zarr, new_zarr
from segloop.images.zarr_writing import zarr_writing

VERSIONS = ("0.4", "0.5")
_SOURCE = {"source": {"image": "../../"}}


def add_labels(
    image: Path, labels: Mapping[str, NDArray[Any]], pixel_size_um: PixelSize, *, replace: bool = False
) -> None:
    """Write label images into an OME-Zarr image, in its version; other labels in it stay.

    Parameters
    ----------
    image : Path
        The image's folder.
    labels : mapping of str to (Z, Y, X) array
        Unsigned integers by name.
    pixel_size_um : tuple of float or None
        Z, Y, X.
    replace : bool, optional
        Whether labels of the same name are replaced; otherwise they are refused.

    Raises
    ------
    ImageError
        If it is no OME-Zarr image of version 0.4 or 0.5, the labels don't fit its axes, it has labels of such
        a name, or it can't be written to.
    """
    import zarr

    require_image(image)
    version = known_version(image)
    if version not in VERSIONS:
        raise ImageError(
            f"{image} has OME-Zarr version {version or 'unknown'}, but labels can be written into the "
            f"versions {' and '.join(VERSIONS)} only: save it as one of these."
        )
    axes = _axes(image)
    folder = image / "labels"
    listed = _listed(folder)
    taken = [name for name in labels if name in listed]
    if taken and not replace:
        raise ImageError(f"{image} has labels named {taken[0]}: choose another name, or replace them.")
    with zarr_writing(image):
        folder.mkdir(exist_ok=True)
        for name, array in labels.items():
            pixels = _with_axes(array, axes, image)
            with atomic_path(folder / name) as partial, zarr_writing(image):
                stored = new_zarr(
                    partial,
                    name,
                    pixels.shape,
                    pixels.dtype,
                    axes,
                    pixel_size_um=pixel_size_um,
                    version=version,
                    more={"image-label": _SOURCE if version == "0.5" else {"version": version, **_SOURCE}},
                )
                stored[...] = pixels
                if version == "0.5":
                    complete_zarr(partial)
        group = zarr.open_group(str(folder), mode="a", zarr_format=3 if version == "0.5" else 2)
        names = [*listed, *(name for name in labels if name not in listed)]
        if version == "0.5":
            group.attrs["ome"] = {**as_dict(group.attrs.get("ome")), "version": version, "labels": names}
        else:
            group.attrs["labels"] = names
        if _is_consolidated(image):
            zarr.consolidate_metadata(str(image))


def _axes(image: Path) -> str:
    """Return the axes that labels of an image have: its own without channels."""
    (first, *_) = attributes(image)["multiscales"]
    axes = [as_dict(axis).get("name") for axis in first.get("axes") or ()]
    found = "".join(str(axis).upper() for axis in axes if axis != "c")
    if found not in ("YX", "ZYX", "TYX", "TZYX"):
        raise ImageError(f"{image} has axes that labels can't have ({found or 'none'}): export it again.")
    return found


def _with_axes(array: NDArray[Any], axes: str, image: Path) -> NDArray[Any]:
    pixels = np.asarray(array)
    if "Z" not in axes:
        if len(pixels) != 1:
            raise ImageError(f"{image} is a plane, and its labels have {len(pixels)} slices.")
        pixels = pixels[0]
    return pixels[np.newaxis] if "T" in axes else pixels


def _listed(folder: Path) -> list[str]:
    names = attributes(folder).get("labels")
    return [str(name) for name in names] if isinstance(names, list) else []


def _is_consolidated(image: Path) -> bool:
    if (image / ".zmetadata").is_file():
        return True
    file = image / "zarr.json"
    return file.is_file() and "consolidated_metadata" in json.loads(file.read_text(encoding="utf-8"))
