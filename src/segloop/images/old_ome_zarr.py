"""OME-Zarr of the versions 0.1 to 0.3, which say less about axes and pixel size than later ones.

Axes (ngff.openmicroscopy.org/0.1 to 0.3): always TCZYX in 0.1 and 0.2, a list of letters in 0.3. None of them
stores the pixel size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from segloop.core.errors import ImageError
from segloop.images.image import AXES, Image, default_names, to_tczyx
from segloop.images.ome_zarr import as_dict, attributes

OLD_VERSIONS = ("0.1", "0.2", "0.3")


def open_old_ome_zarr(path: Path, choose: Callable[[Sequence[str], int], int]) -> Image:
    """Open one image of an OME-Zarr folder of version 0.1, 0.2 or 0.3.

    Parameters
    ----------
    path : Path
        The folder; its arrays exist.
    choose : callable
        Gets the names of the scenes and the number of the default one, returns the number of the one wanted.

    Raises
    ------
    ImageError
        If its axes don't fit its array.
    """
    import dask.array as da
    import zarr

    found = attributes(path)
    scenes = old_scenes(path)
    index = choose(scenes, 0)
    entry = as_dict(found["multiscales"][index])
    array = zarr.open_array(str(path / str(entry["datasets"][0]["path"])), mode="r")
    axes = "".join(str(axis) for axis in entry.get("axes") or AXES).upper()
    data, _ = to_tczyx(da.from_zarr(array), axes, str(path))  # type: ignore[no-untyped-call]
    names = _channel_names(found, data.shape[1])
    return Image(path.name, data, names, path=path, scene=scenes[index], scenes=scenes)


def old_scenes(path: Path) -> tuple[str, ...]:
    """Return the names of the images of a folder; ``Image <number>`` unless all have a name of their own."""
    entries = attributes(path).get("multiscales")
    if not isinstance(entries, list) or not entries:
        raise ImageError(f"{path} is not an OME-Zarr image: export it again.")
    names = tuple(str(as_dict(entry).get("name") or "") for entry in entries)
    if all(names) and len(set(names)) == len(names):
        return names
    return tuple(f"Image {i}" for i in range(len(names)))


def _channel_names(found: dict[str, Any], n_channels: int) -> tuple[str, ...]:
    channels = as_dict(found.get("omero")).get("channels")
    labels = [as_dict(channel).get("label") for channel in channels] if isinstance(channels, list) else []
    if len(labels) == n_channels and all(labels):
        return tuple(str(label) for label in labels)
    return default_names(n_channels)
