"""Whether a trained model is of any use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from segloop.core.wording import counted

_FEW_STEPS = 300


def found_nothing(scores: Mapping[str, float], has_foreground: bool) -> bool:
    """Return whether a model found nothing in the validation images although there is something to find.

    Parameters
    ----------
    scores : mapping of str to float
        Row of ``metrics.csv`` of the epoch whose model is kept; empty if it was not validated.
    has_foreground : bool
        Whether any validation image has foreground that counts.
    """
    measured = [value for name, value in scores.items() if name.startswith("val_") and name != "val_loss"]
    return has_foreground and bool(measured) and all(value == 0 or math.isnan(value) for value in measured)


def nothing_found_message(run: Path, steps: int, limit: str) -> str:
    """Return what failed, the likely cause and the remedy.

    Parameters
    ----------
    run : Path
        Folder of the run.
    steps : int
        Number of training steps.
    limit : str
        Name of the setting that ended it.
    """
    text = "The model finds nothing in the validation images, although they have foreground"
    if steps < _FEW_STEPS:
        return (
            f"{text}, most likely because it was trained for only {counted(steps, 'step')}: train it for "
            f"longer with segloop train --resume {run} and a higher {limit}."
        )
    return (
        f"{text}, most likely because the segmentations do not fit the images or the learning rate is too "
        "high: look at both with segloop dataset check and in the Curation dock, or start again with a lower "
        "optimiser.learning_rate."
    )
