"""OME-Zarr images with the labels in them, in the group ``labels``.

Source: ngff.openmicroscopy.org, version 0.5, "labels metadata".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from segloop.curation.export.layout import ExportedSample, Layout, write_pixels
from segloop.images.ome_zarr_labels import add_labels


class OmeZarrImages(Layout):
    """``<split>/<id>.ome.zarr``, each with ``labels/truth``, and ``labels/valid`` if pixels are excluded."""

    def write(self, sample: ExportedSample) -> None:
        """Write one sample."""
        image = write_pixels(sample, self.folder / sample.split / f"{sample.id}.ome.zarr")
        groups: dict[str, Any] = {"truth": sample.labels.astype(np.uint32)}
        if not sample.valid.all():
            groups["valid"] = sample.valid.astype(np.uint8)
        add_labels(image, groups, sample.image.pixel_size_um)
