"""Which files a prediction writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segloop.artifacts.prediction.place import Place
from segloop.config.predict import OutputFormat
from segloop.prediction import output_plan
from segloop.prediction.output_plan import plan_outputs
from segloop.targets.output import LABELS, MASK, PROBABILITY

PLACE = Place(Path("out"), "day1/a")
UNKNOWN = (None, None, None)


@pytest.mark.parametrize(
    ("file_format", "from_zarr", "limit", "suffix"),
    [
        (OutputFormat.auto, False, 2 << 30, ".tif"),
        (OutputFormat.auto, True, 2 << 30, ".ome.zarr"),
        (OutputFormat.auto, False, 59, ".ome.zarr"),  # 2 time points of 3 x 5 pixels in 2 bytes are 60
        (OutputFormat.auto, False, 60, ".tif"),
        (OutputFormat.tiff, True, 59, ".tif"),
        (OutputFormat.zarr, False, 2 << 30, ".ome.zarr"),
    ],
)
def test_the_format_follows_the_choice_the_input_and_the_size(
    monkeypatch: pytest.MonkeyPatch, file_format: OutputFormat, from_zarr: bool, limit: int, suffix: str
) -> None:
    monkeypatch.setattr(output_plan, "AUTO_TIFF_LIMIT", limit)

    (spec,) = plan_outputs(
        [LABELS],
        (),
        (2, 1, 1, 3, 5),
        UNKNOWN,
        PLACE,
        file_format=file_format,
        from_zarr=from_zarr,
    )

    assert spec.path == Path(f"out/day1/a{suffix}")


def test_several_outputs_are_named_and_typed_by_what_they_are() -> None:
    kinds = [LABELS, MASK, PROBABILITY]

    specs = plan_outputs(
        kinds,
        ("foreground", "distance"),
        (1, 3, 2, 4, 5),
        UNKNOWN,
        PLACE,
        float_probability=True,
    )

    assert [(spec.path.name, spec.shape, spec.dtype, spec.maps) for spec in specs] == [
        ("a.labels.tif", (1, 1, 2, 4, 5), np.uint16, ()),
        ("a.mask.tif", (1, 1, 2, 4, 5), np.uint8, ()),
        ("a.probability.tif", (1, 2, 2, 4, 5), np.float16, ("foreground", "distance")),
    ]
