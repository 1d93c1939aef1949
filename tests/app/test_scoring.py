"""Results as the Prediction dock shows them."""

import numpy as np
import pytest

from segloop.app.scoring import score
from segloop.core.context import Context
from segloop.targets.output import CLASSES, MASK, Output


@pytest.mark.parametrize(("kind", "dice"), [(CLASSES, "Dice 0.00"), (MASK, "Dice 1.00")])
def test_a_wrong_class_is_wrong_and_a_mask_has_no_classes(kind: Output, dice: str) -> None:
    truth = np.array([[0, 1, 1], [0, 2, 2]])
    swapped = np.array([0, 2, 1])[truth]

    assert score(swapped[None, None], truth, kind=kind, context=Context()) == dice
