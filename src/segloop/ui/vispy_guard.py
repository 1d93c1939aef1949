"""A guard against a crash of napari when layers are removed."""

from __future__ import annotations

from typing import Any

from vispy.gloo import gl
from vispy.gloo.glir import GlirProgram

_ATTRIBUTES = 16
"""Vertex attributes that every OpenGL 2 implementation has at least, and vispy's programs at most."""


def guard_removed_layers() -> None:
    """Make vispy switch off the vertex attributes of other programs before it draws with one.

    vispy leaves them on. Once a layer is removed, its buffers are deleted, and drawing any other layer then
    reads vertices from nowhere: Mesa ends the process, Windows raises access violations (napari issues 6472,
    7351 and 8471). The docks add and remove layers all the time, so they must not run into this.
    """
    if getattr(GlirProgram._pre_draw, "guarded", False):
        return
    pre_draw = GlirProgram._pre_draw

    def switch_off_and_pre_draw(program: Any) -> None:
        for attribute in range(_ATTRIBUTES):
            gl.glDisableVertexAttribArray(attribute)
        pre_draw(program)

    switch_off_and_pre_draw.guarded = True
    GlirProgram._pre_draw = switch_off_and_pre_draw
