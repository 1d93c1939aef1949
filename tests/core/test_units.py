from __future__ import annotations

import math

import pytest

from segloop.core.units import micrometres, micrometres_per


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.5, "um", 0.5),
        (0.5, "\u00b5m", 0.5),  # micro sign
        (0.5, "\u03bcm", 0.5),  # Greek mu
        (0.5, "\\u00b5m", 0.5),  # as ImageJ escapes it
        ("65", " NM ", 0.065),
        (2, "millimeter", 2000.0),
        (1, "inch", 25400.0),
        (3, "Angstrom", 3e-4),
        (1, "pixel", None),
        (1, "", None),
        (1, None, None),
        (0, "um", None),
        (-1, "um", None),
        (math.nan, "um", None),
        (math.inf, "um", None),
        ("wide", "um", None),
    ],
)
def test_lengths_become_micrometres(value: object, unit: str | None, expected: float | None) -> None:
    found = micrometres(value, unit)
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("unit", ["micrometer", "nanometer", "millimeter", "meter", "centimeter", "inch"])
def test_the_names_that_pint_gives_units_are_known(unit: str) -> None:
    pint = pytest.importorskip("pint", reason="comes with napari")
    registry = pint.UnitRegistry()
    expected = registry.Quantity(1, unit).to("micrometer").magnitude
    assert micrometres_per(registry.Unit(unit)) == pytest.approx(expected)
