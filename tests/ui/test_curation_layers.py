"""The layers that show a sample, for images that are hard to show."""

from __future__ import annotations

import time

import numpy as np
import pytest
from napari.components import ViewerModel

from segloop.artifacts.dataset.ground_truth import GroundTruth
from segloop.artifacts.dataset.manifest import Sample
from segloop.artifacts.dataset.segmentation import FileSource, ImageRef, Segmentation
from segloop.curation.snapshot import Pixels, Snapshot
from segloop.ui.curation.layers import SampleLayers


@pytest.fixture
def layers():
    """The layers in a viewer without a window."""
    return SampleLayers(ViewerModel(), lambda layer: None)


def snapshot(raw, contrast=(10.0, 20.0)):
    shape = raw.shape[1:]
    nothing, valid = np.broadcast_to(np.int32(0), shape), np.broadcast_to(np.True_, shape)
    pixels = Pixels(raw, ("0",), (contrast,), {"seg": nothing}, (None, None, None))
    seg = Segmentation(name="seg", source=FileSource(image=ImageRef(path="b.tif")))
    sample = Sample(id="a", raw=ImageRef(path="a.tif"), segmentations=[seg])
    return Snapshot(sample, pixels, GroundTruth(nothing, valid), nothing, np.broadcast_to(np.uint8(0), shape))


def test_a_volume_is_not_looked_at_whole_for_its_contrast(layers):
    huge = np.broadcast_to(np.arange(1000, dtype=np.uint16), (1, 200_000, 400, 1000))
    begun = time.process_time()
    layers.show(snapshot(huge))
    assert time.process_time() - begun < 5
    (raw, *_) = layers
    assert tuple(raw.contrast_limits) == (10, 20)
    assert tuple(raw.contrast_limits_range) == (0, 999)


def test_a_pixel_that_is_infinite_does_not_stretch_the_contrast_slider(layers):
    plane = np.linspace(0, 100, 64, dtype=np.float32).reshape(1, 1, 8, 8)
    spoilt = plane.copy()
    spoilt[0, 0, 3, 3:5] = np.inf, np.nan
    for each in (plane, spoilt):
        layers.show(snapshot(each))
    (raw, *_) = layers
    assert tuple(raw.contrast_limits) == (10, 20)
    assert tuple(raw.contrast_limits_range) == (0, 100)
