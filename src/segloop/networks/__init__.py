"""Networks from plain values: the U-Net and others; torch is imported when one is built."""

from __future__ import annotations

from segloop.networks.registry import (
    NETWORKS,
    build_network,
    network_stride,
    plan_network,
    plans_without_torch,
)
from segloop.networks.spec import NetworkSpec

__all__ = [
    "NETWORKS",
    "NetworkSpec",
    "build_network",
    "network_stride",
    "plan_network",
    "plans_without_torch",
]
