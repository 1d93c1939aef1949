"""Results as the Prediction dock shows them."""

import numpy as np
import pytest

from segloop.app.scoring import score
from segloop.config.predict import OutputKind
from segloop.core.context import Context


@pytest.mark.parametrize(
    ("kind", "dice"), [(OutputKind.classes, "Dice 0.00"), (OutputKind.mask, "Dice 1.00")]
)
def test_a_wrong_class_is_wrong_and_a_mask_has_no_classes(kind: OutputKind, dice: str) -> None:
    truth = np.array([[0, 1, 1], [0, 2, 2]])
    swapped = np.array([0, 2, 1])[truth]

    assert score(swapped[None, None], truth, kind=kind, context=Context()) == dice
