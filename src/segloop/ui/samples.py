"""Sample data for napari's File > Open Sample."""

from __future__ import annotations

from typing import Any


def fluorescence_nuclei() -> list[tuple[Any, dict[str, Any], str]]:
    """Return the first bundled image of fluorescence nuclei with its labels, as napari layers."""
    from tifffile import imread

    from segloop.app.sample import sample_folder

    raw = sorted((sample_folder() / "raw").glob("*.tif"))[0]
    return [
        (imread(raw), {"name": f"nuclei {raw.stem}"}, "image"),
        (imread(sample_folder() / "seg" / raw.name), {"name": f"nuclei {raw.stem} labels"}, "labels"),
    ]
