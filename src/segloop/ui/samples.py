"""Sample data for napari's File > Open Sample."""

from __future__ import annotations

from typing import Any

SAMPLE = "fluorescence_nuclei"
"""Key of the sample in the plugin's manifest."""

IMAGE = "segloop_image"
"""Key in a layer's metadata: an identifier that an image and its truth share."""

TRUTH_COLOUR = "#E69F00"
"""Orange of Okabe and Ito's palette: a result has other colours."""


def fluorescence_nuclei() -> list[tuple[Any, dict[str, Any], str]]:
    """Return the first bundled image of fluorescence nuclei and its truth, as napari layers.

    The truth is hidden, and shown as outlines of one colour when the user turns it on, so that it can't be
    taken for a result.
    """
    from napari.utils.colormaps import DirectLabelColormap
    from tifffile import imread

    from segloop.app.sample import sample_folder

    raw = sorted((sample_folder() / "raw").glob("*.tif"))[0]
    name = f"nuclei {raw.stem}"
    marks = {IMAGE: f"sample/{raw.stem}"}
    truth = {
        "name": f"{name}, truth",
        "visible": False,
        "colormap": DirectLabelColormap(color_dict={0: "transparent", None: TRUTH_COLOUR}),
        "metadata": dict(marks),
    }
    return [
        (imread(sample_folder() / "seg" / raw.name), truth, "labels"),
        (imread(raw), {"name": name, "metadata": dict(marks)}, "image"),
    ]
