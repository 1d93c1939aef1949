from __future__ import annotations

import pytest
import torch

from segloop.config.device import Precision
from segloop.inference.device import ResolvedDevice
from segloop.training.computing import cpu_has_bfloat16, sensible_threads, step_precision

CPU = ResolvedDevice("cpu", False, "")


def test_full_precision_is_kept_where_asked_for() -> None:
    assert step_precision(CPU, Precision.full, 2).name == "32-true"


def test_planes_are_trained_in_bfloat16_where_the_processor_has_it() -> None:
    chosen = step_precision(CPU, Precision.auto, 2)

    assert chosen.name == ("bf16-mixed" if cpu_has_bfloat16() else "32-true")
    assert bool(chosen.note) == cpu_has_bfloat16()


@pytest.mark.parametrize("wanted", list(Precision))
def test_volumes_are_trained_in_32_bit_on_every_processor(wanted: Precision) -> None:
    assert step_precision(CPU, wanted, 3).name == "32-true"


def test_the_user_s_number_of_threads_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    assert sensible_threads() == torch.get_num_threads()


def test_at_least_one_thread_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    assert sensible_threads() >= 1
