"""The layers that show a sample, for images that are hard to show."""

from __future__ import annotations

import time

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager

from segloop.artifacts.dataset.manifest import Sample
from segloop.artifacts.dataset.segmentation import FileSource, ImageRef, Segmentation
from segloop.core.errors import ImageError
from segloop.curation.pixels import Intensities, Pixels
from segloop.curation.snapshot import Snapshot
from segloop.images.lazy_stack import LazyStack
from segloop.ui.curation.layers import SampleLayers


@pytest.fixture
def layers():
    """The layers in a viewer without a window."""
    return SampleLayers(ViewerModel(), lambda layer: None)


FOUND = Intensities(10, 20, 0, 999)


def snapshot(raw):
    nothing, shape = np.broadcast_to(np.int32(0), raw.shape), raw.shape
    pixels = Pixels((raw,), ("0",), (FOUND,), {"seg": nothing}, (None, None, None))
    seg = Segmentation(name="seg", source=FileSource(image=ImageRef(path="b.tif")))
    sample = Sample(id="a", raw=ImageRef(path="a.tif"), segmentations=[seg])
    return Snapshot(sample, pixels, nothing, np.broadcast_to(np.uint8(0), shape))


def test_a_volume_is_not_looked_at_whole_for_its_contrast(layers):
    huge = np.broadcast_to(np.arange(1000, dtype=np.uint16), (200_000, 400, 1000))
    begun = time.process_time()
    layers.show(snapshot(huge))
    assert time.process_time() - begun < 5
    (raw, *_) = layers
    assert tuple(raw.contrast_limits) == (10, 20)
    assert tuple(raw.contrast_limits_range) == (0, 999)


def test_a_slice_that_cannot_be_read_is_shown_empty_and_said_once(layers):
    """The other layers go on to that slice too."""

    def read(block):
        if block[0].start == 1:
            raise ImageError("a.tif can't be read further: copy it again.")
        return np.full([part.stop - part.start for part in block], 7, np.uint16)

    with notification_manager:
        notification_manager.records.clear()
        layers.show(snapshot(LazyStack((3, 8, 9), np.uint16, read)))
        (raw, *_) = layers
        assert (raw.data[1] == 0).all()
        assert (raw.data[1, 2:4] == 0).all()
        assert (raw.data[2] == 7).all()
        assert [record.message for record in notification_manager.records] == [
            "a.tif can't be read further: copy it again."
        ]
