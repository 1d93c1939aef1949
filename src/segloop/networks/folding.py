"""Batch norm folded into the convolutions before it: the same outputs with fewer steps."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator

from monai.networks.blocks.dynunet_block import UnetBasicBlock, UnetResBlock
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode with each batch norm folded into the convolution before it.

    Folded are the blocks of MONAI's DynUNet, and a batch norm that follows a convolution in a
    `torch.nn.Sequential`; in other networks the rest stays, which gives the same outputs, slower.

    Parameters
    ----------
    network : torch.nn.Module
        Is left as it is.

    Returns
    -------
    torch.nn.Module
        Of the same class, without gradients.
    """
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for parent, first, second in list(_pairs(folded)):
        convolution, norm = getattr(parent[0], first), getattr(parent[1], second)
        if (
            isinstance(convolution, _CONVOLUTIONS)
            and isinstance(norm, _NORMS)
            and norm.running_mean is not None
            and norm.running_var is not None
        ):
            setattr(parent[0], first, fuse_conv_bn_eval(convolution, norm))
            setattr(parent[1], second, nn.Identity())
    return folded


def _pairs(network: nn.Module) -> Iterator[tuple[tuple[nn.Module, nn.Module], str, str]]:
    """Yield (holder of the convolution, holder of the norm), name of the convolution, name of the norm."""
    for module in network.modules():
        if isinstance(module, UnetBasicBlock | UnetResBlock):
            for number in (1, 2, 3):
                convolution = getattr(module, f"conv{number}", None)
                # With dropout there is more than the convolution between it and the norm.
                if isinstance(convolution, nn.Sequential) and [*convolution._modules] == ["conv"]:
                    yield (convolution, module), "conv", f"norm{number}"
        elif type(module) is nn.Sequential:
            names = [*module._modules]
            for first, second in itertools.pairwise(names):
                yield (module, module), first, second
