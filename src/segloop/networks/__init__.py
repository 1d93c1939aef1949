"""Config to torch module: the U-Net family. Importing this is light; building a network imports torch."""

from __future__ import annotations

from segloop.networks.planning import plan_network
from segloop.networks.registry import build_network, network_names
from segloop.networks.spec import NetworkSpec

__all__ = ["NetworkSpec", "build_network", "network_names", "plan_network"]
