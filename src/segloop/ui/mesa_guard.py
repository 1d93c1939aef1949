"""A guard against a crash of napari on software-rendered displays."""

from __future__ import annotations

from typing import Any

from vispy.gloo import gl
from vispy.gloo.glir import GlirProgram


def guard_removed_layers() -> None:
    """Keep Mesa from freeing the shader programs of removed layers.

    With Mesa 22 (Debian 12's; virtual machines, remote desktops and Xvfb render with it) and vispy 0.17,
    bare napari crashes when two images are added, one is removed and the window is resized. The cause is the
    deletion of the removed layer's shader program. A program is a few kilobytes, so on Mesa it is kept until
    the window closes; other drivers are left as they are.
    """
    if getattr(GlirProgram.delete, "guarded", False):
        return
    delete = GlirProgram.delete

    def delete_unless_mesa(program: Any) -> None:
        if "Mesa" not in str(gl.glGetParameter(gl.GL_VERSION)):
            delete(program)

    delete_unless_mesa.guarded = True  # type: ignore[attr-defined]
    GlirProgram.delete = delete_unless_mesa
