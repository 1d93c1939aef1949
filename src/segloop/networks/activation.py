"""From logits to maps."""

from __future__ import annotations

import torch
from torch import Tensor


def activate(logits: Tensor, activation: str) -> Tensor:
    """Turn logits (N, K, ...) into float32 maps between 0 and 1.

    Parameters
    ----------
    logits : (N, K, ...) Tensor
        Outputs of a network.
    activation : {"sigmoid", "softmax"}
        As the target says; softmax runs over the K maps.
    """
    logits = logits.float()
    return torch.softmax(logits, dim=1) if activation == "softmax" else torch.sigmoid(logits)
