from __future__ import annotations

import pytest

from segloop.config.device import Precision
from segloop.training.planning.hardware import Hardware
from segloop.training.planning.precision import step_precision

OLD_CPU, NEW_CPU = Hardware("cpu"), Hardware("cpu", bfloat16=True)


def test_full_precision_is_kept_where_asked_for() -> None:
    assert step_precision(NEW_CPU, Precision.full, 2).name == "32-true"


@pytest.mark.parametrize(("hardware", "name"), [(OLD_CPU, "32-true"), (NEW_CPU, "bf16-mixed")])
def test_planes_are_trained_in_bfloat16_where_the_processor_has_it(hardware: Hardware, name: str) -> None:
    chosen = step_precision(hardware, Precision.auto, 2)

    assert chosen.name == name
    assert bool(chosen.note) == hardware.bfloat16


@pytest.mark.parametrize("wanted", list(Precision))
def test_volumes_are_trained_in_32_bit_on_every_processor(wanted: Precision) -> None:
    assert step_precision(NEW_CPU, wanted, 3).name == "32-true"


@pytest.mark.parametrize(("bfloat16", "name"), [(True, "bf16-mixed"), (False, "16-mixed")])
def test_gpus_train_in_the_16_bit_format_they_have(bfloat16: bool, name: str) -> None:
    assert step_precision(Hardware("cuda", True, bfloat16), Precision.auto, 3).name == name
