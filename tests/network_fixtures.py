"""Networks as if they had been trained, for the tests of networks and of inference."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from segloop.config.train import NetworkConfig, NetworkSize
from segloop.networks import NetworkSpec, build_network, plan_network


def stirred(spec: NetworkSpec, seed: int = 0) -> nn.Module:
    """Build a network whose batch norms have statistics of their own, as after training."""
    torch.manual_seed(seed)
    network = build_network(spec)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d) and module.running_mean is not None:
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    return network.eval()


@pytest.fixture(scope="session")
def stir() -> Callable[[NetworkSpec], nn.Module]:
    """Return a function that builds any network as if it had been trained."""
    return stirred


@pytest.fixture(scope="session")
def make_network() -> Callable[..., nn.Module]:
    """Return a function that builds a U-Net as if it had been trained."""

    def make(
        dims: int = 2, size: str = "small", channels: int = 1, maps: int = 2, **plan: object
    ) -> nn.Module:
        config = NetworkConfig(size=NetworkSize[size])
        return stirred(plan_network(config, dims, channels, maps, **plan))  # type: ignore[arg-type]

    return make
