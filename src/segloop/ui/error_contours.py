"""Objects that were found, missed, invented, split or merged, as contours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segloop.core.object_errors import ErrorKind
from segloop.evaluation.error_image import COLOURS, ErrorImage

if TYPE_CHECKING:
    from napari.layers import Labels

    from segloop.core.matching import Array


def contours(errors: ErrorImage, labels: Array, **options: Any) -> Labels:
    """Return a layer that shows objects in the colours of their kinds; nothing is added to the viewer.

    Parameters
    ----------
    errors : ErrorImage
        The kinds.
    labels : integer array
        Its objects, in the axes of the layer.
    **options
        For the layer: its name, place and metadata.
    """
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, str] = {None: "transparent", 0: "transparent"}
    colours |= {number: COLOURS[ErrorKind(kind)] for number, kind in enumerate(errors.kinds.tolist(), 1)}
    layer = Labels(labels, colormap=DirectLabelColormap(color_dict=colours), opacity=1.0, **options)
    layer.contour = 2
    layer.editable = False
    return layer
