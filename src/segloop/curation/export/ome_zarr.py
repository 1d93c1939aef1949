"""OME-Zarr images with the labels in them, in the group ``labels``.

Source: ngff.openmicroscopy.org, version 0.5, "labels metadata".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.curation.export.layout import ExportedSample, Layout, write_pixels
from segloop.images.write import complete_zarr, create_zarr
from segloop.images.zarr_writing import zarr_writing

if TYPE_CHECKING:
    from segloop.images.image import PixelSize


class OmeZarrImages(Layout):
    """``<split>/<id>.ome.zarr``, each with ``labels/truth``, and ``labels/valid`` if pixels are excluded."""

    def write(self, sample: ExportedSample) -> None:
        """Write one sample."""
        image = write_pixels(sample, self.folder / sample.split / f"{sample.id}.ome.zarr")
        groups: dict[str, Any] = {"truth": sample.labels.astype(np.uint32)}
        if not sample.valid.all():
            groups["valid"] = sample.valid.astype(np.uint8)
        add_labels(image, groups, sample.image.pixel_size_um)


def add_labels(image: Path, labels: dict[str, Any], pixel_size_um: PixelSize) -> None:
    """Write label images into the group ``labels`` of an OME-Zarr image, which has none yet.

    Parameters
    ----------
    image : Path
        The image's folder.
    labels : dict of str to (Z, Y, X) array
        By name.
    pixel_size_um : tuple of float or None
        Z, Y, X.
    """
    import zarr

    with zarr_writing(image):
        group = zarr.create_group(store=str(image / "labels"), zarr_format=3)
        for name, array in labels.items():
            path = image / "labels" / name
            stored = create_zarr(path, array.shape, array.dtype, axes="ZYX", pixel_size_um=pixel_size_um)
            stored[...] = array
            complete_zarr(path)
            one = zarr.open_group(str(path), mode="r+")
            ome: Any = one.attrs["ome"]
            one.attrs["ome"] = {**ome, "image-label": {"source": {"image": "../../"}}}
        group.attrs["ome"] = {"version": "0.5", "labels": list(labels)}
