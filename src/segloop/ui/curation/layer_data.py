"""What napari's layers get for the stacks of a sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.errors import SegloopError
from segloop.curation.pixels import Stack
from segloop.images.lazy_stack import Block, LazyStack
from segloop.ui.pixel_scale import plain


def displayed(stack: Stack) -> Stack:
    """Return a stack as the data of a layer: a plane without its Z axis.

    Where a stack that is read slice by slice can't be read, it is shown as zeros, instead of an error in the
    middle of napari's drawing; the first time, napari shows why.
    """
    if not isinstance(stack, LazyStack):
        return plain(stack)
    failed: list[str] = []

    def read(block: Block) -> NDArray[Any]:
        from napari.utils.notifications import show_error

        try:
            return stack[block]
        except SegloopError as error:
            if not failed:
                failed.append(str(error))
                show_error(str(error))
            return np.zeros([part.stop - part.start for part in block], stack.dtype)

    return LazyStack(stack.shape, stack.dtype, read)
