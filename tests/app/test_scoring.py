"""Results as the Prediction dock shows them."""

import numpy as np
import pytest

from segloop.app.scoring import score
from segloop.core.context import Context
from segloop.core.object_errors import ErrorKind
from segloop.targets.output import CLASSES, LABELS, MASK, Output


@pytest.mark.parametrize(("kind", "dice"), [(CLASSES, "Dice 0.00"), (MASK, "Dice 1.00")])
def test_a_wrong_class_is_wrong_and_a_mask_has_no_classes(kind: Output, dice: str) -> None:
    truth = np.array([[0, 1, 1], [0, 2, 2]])
    swapped = np.array([0, 2, 1])[truth]

    assert score(swapped[None, None], truth, kind=kind, context=Context()).words == dice


def test_the_errors_of_labels_come_with_their_scores() -> None:
    truth = np.zeros((2, 20, 30), np.int32)
    truth[:, 2:10, 2:10], truth[:, 12:18, 2:10] = 1, 2
    found = np.where(truth == 1, 1, 0)

    scored = score(found[None], truth, kind=LABELS, context=Context())

    assert scored.words == "AP at IoU 0.5 is 0.50, Dice 0.73"
    assert scored.errors is not None
    assert scored.errors.labels.shape == (1, 2, 20, 30)
    assert len(scored.errors.of_kind(ErrorKind.FOUND)) == len(scored.errors.of_kind(ErrorKind.MISSED)) == 1
