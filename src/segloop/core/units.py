"""Units of length."""

from __future__ import annotations

import math
from typing import Any

_MICROMETRES = {
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-6),
    **dict.fromkeys(("å", "angstrom"), 1e-4),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    # The micro sign, the Greek letter mu, and the micro sign as ImageJ escapes it.
    **dict.fromkeys(("µm", "μm", "um", "\\u00b5m", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("in", "inch"), 25400.0),
}


def micrometres_per(unit: object) -> float | None:
    """Return how many micrometres a unit of length is; None where it is no length.

    Parameters
    ----------
    unit : str or object
        A name or symbol in any case, or an object whose text is one, such as napari's units.
    """
    return _MICROMETRES.get(str(unit).strip().lower())


def micrometres(value: Any, unit: object) -> float | None:
    """Convert a length to micrometres; None if it is not a positive number or the unit not a length."""
    factor = micrometres_per(unit)
    try:
        length = float(value)
    except (TypeError, ValueError):
        return None
    if factor is None or not math.isfinite(length) or length <= 0:
        return None
    return length * factor
