from __future__ import annotations

import pytest
import torch

from segloop.training.computing import sensible_threads


def test_the_user_s_number_of_threads_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    assert sensible_threads() == torch.get_num_threads()


def test_at_least_one_thread_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    assert sensible_threads() >= 1
