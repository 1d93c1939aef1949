"""Losses of the compared targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def flow(logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Mean squared error of vectors whose parts lie between -1 and 1; shapes (B, 2, *S)."""
    import torch

    zero = logits.new_zeros(())
    found = torch.sigmoid(torch.where(valid, logits, zero))
    error = torch.where(valid, 2 * (found - truth), zero).square()
    return error.sum() / valid.sum().clamp(min=1)


def rays(logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute error of distances in pixels, weighted by the first map; shapes (B, 1 + rays, *S)."""
    import torch

    from other_targets.star import LONGEST

    zero = logits.new_zeros(())
    inside = valid[:, 1:]
    found = torch.sigmoid(torch.where(inside, logits[:, 1:], zero))
    weight = torch.where(inside, truth[:, :1].expand_as(found), zero)
    error = torch.where(inside, found - truth[:, 1:], zero).abs() * LONGEST
    return (weight * error).sum() / weight.sum().clamp(min=1)
