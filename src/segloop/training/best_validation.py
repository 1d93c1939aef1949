"""Which epoch is kept, and when there is no hope of a better one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from segloop.training.validation import Scores

_FEWEST_VALIDATIONS = 3  # since the best, before patience ends a training


@dataclass(frozen=True)
class BestValidation:
    """The best validation so far.

    Attributes
    ----------
    score : float
        Highest score so far, regardless of the loss.
    loss : float
        Validation loss of the model that is kept.
    epoch : int
        Epoch of the model that is kept, from 1; 0 before there is one.
    since : int
        Number of validations since that epoch's.
    """

    score: float = -math.inf
    loss: float = math.inf
    epoch: int = 0
    since: int = 0

    def next(self, scores: Scores, epoch: int) -> BestValidation:
        """Return what is best after another validation.

        A clearly higher score wins. Scores that a few objects more or less explain are as good as equal:
        among those the lowest loss wins, which measures the same thing with far less noise.
        """
        top = max(self.score, scores.score)
        clearly_better = scores.score > self.score + scores.uncertainty
        as_good = scores.score >= top - scores.uncertainty
        if self.epoch == 0 or clearly_better or (as_good and scores.loss < self.loss):
            return BestValidation(top, scores.loss, epoch)
        return replace(self, score=top, since=self.since + 1)

    def is_final(self, epoch: int, patience: int) -> bool:
        """Return whether patience is used up after ``epoch``; never where ``patience`` is 0.

        Where validation takes long, most epochs are not validated; so a number of validations must have
        passed as well.
        """
        waited = self.epoch > 0 and epoch - self.epoch >= patience > 0
        return waited and self.since >= _FEWEST_VALIDATIONS
