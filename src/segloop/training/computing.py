"""With how many threads torch computes, and whether the processor has bfloat16."""

from __future__ import annotations

import os

import psutil
import torch


def sensible_threads() -> int:
    """Return how many threads torch should compute with: the real cores this process may use."""
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def cpu_has_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 natively."""
    describe = getattr(torch.cpu, "get_capabilities", None)
    capabilities = describe() if describe is not None else {}
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
