"""What is known of the model that a run keeps, read from its card without loading weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from segloop.artifacts.model.file_names import CARD
from segloop.artifacts.run.score_names import reported_scores, score_names
from segloop.core.own_entries import is_link
from segloop.core.own_files import read_own_json


@dataclass(frozen=True)
class KeptModel:
    """The model of a run.

    Attributes
    ----------
    epoch : int
        The epoch it comes from, counted from 1.
    measure : str
        Short name of its score, such as AP50 or Dice; empty if it was not validated.
    score : float
        Its own score on the validation images, 0 to 1; NaN if it was not validated.
    """

    epoch: int
    measure: str = ""
    score: float = math.nan

    @property
    def text(self) -> str:
        """The score in words, such as ``"AP50 0.74"``."""
        return f"{self.measure} {self.score:.2f}" if self.measure else "not validated"


def read_kept_model(run: Path) -> KeptModel | None:
    """Return what the model of a run is; None while there is none, or its card can't be read.

    Parameters
    ----------
    run : Path
        Folder of the run.
    """
    try:
        if is_link(run / "model"):
            return None
        card = read_own_json(run / "model" / CARD)
        provenance = card["provenance"]
        epoch, scores = int(provenance.get("epoch", 0)), provenance.get("scores") or {}
        names = score_names(card["target"]["name"]) if scores else {}
    except (OSError, ValueError, OverflowError, KeyError, TypeError, AttributeError):
        return None
    scores = scores if isinstance(scores, dict) else {}
    for name, measure in reported_scores(scores, names).items():
        score = scores[name]
        if isinstance(score, int | float) and math.isfinite(score):
            return KeptModel(epoch, measure, float(score))
    return KeptModel(epoch)
