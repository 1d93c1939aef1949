"""The private parts of napari and vispy that the docks rely on are there in the installed version."""

from __future__ import annotations

import napari
import numpy as np
import vispy
from napari.layers import Shapes
from packaging.version import Version
from vispy.gloo.glir import GlirProgram

from segloop.ui import napari_private


def test_the_versions_are_those_that_it_was_written_for():
    """With another version: look at each use, then change the range here and in its docstring."""
    assert Version("0.6") <= Version(napari.__version__) < Version("0.10")
    assert Version("0.14") <= Version(vispy.__version__) < Version("0.18")


def test_the_canvas_is_found(viewer):
    canvas = napari_private.canvas_widget(viewer)
    assert canvas.isVisible()
    assert canvas.width() > 100


def test_a_shape_that_is_being_drawn_can_be_finished(viewer, canvas):
    viewer.add_image(np.zeros((64, 64)))
    layer = viewer.add_shapes()
    layer.mode = "add_polygon"
    viewer.reset_view()
    for point in ((10, 10), (10, 40), (40, 40)):
        canvas.click(*point)
    assert napari_private.is_drawing_shape(layer)
    napari_private.finish_shape(layer)
    assert not napari_private.is_drawing_shape(layer)
    assert len(layer.data) == 1
    assert not napari_private.is_drawing_shape(Shapes())


def test_vispy_frees_programs_by_the_method_that_the_guard_replaces():
    assert callable(GlirProgram.delete)
