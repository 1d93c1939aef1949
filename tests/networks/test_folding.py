from collections.abc import Callable

import pytest
import torch
from torch import nn

from segloop.networks import NetworkSpec, build_network
from segloop.networks.folding import fold_batch_norm


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d) for module in network.modules())


@pytest.mark.parametrize("dims", [2, 3])
def test_folding_removes_every_batch_norm_and_keeps_the_output(
    dims: int, make_network: Callable[..., nn.Module]
) -> None:
    network = make_network(dims, channels=2)
    folded = fold_batch_norm(network)
    image = torch.rand(1, 2, *[32] * dims)
    assert norms(network) > 0
    assert norms(folded) == 0
    with torch.inference_mode():
        expected, output = torch.sigmoid(network(image)), torch.sigmoid(folded(image))
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=0)


def test_the_network_itself_is_left_as_it_is(make_network: Callable[..., nn.Module]) -> None:
    network = make_network().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fold_batch_norm(network)
    assert network.training
    assert all(weight.requires_grad for weight in network.parameters())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("name", ["monai.AttentionUnet", "monai.BasicUNet", "monai.SegResNet", "monai.UNet"])
def test_other_networks_keep_their_output(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(NetworkSpec(name, 2, 1, 2)).eval()
    image = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(fold_batch_norm(network)(image), network(image), atol=1e-4, rtol=1e-4)
