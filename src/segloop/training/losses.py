"""Losses under a validity mask: an excluded voxel adds exactly nothing to the loss or to any gradient.

torch is imported when a loss is computed, since the docks ask a loss for its options.

Excluded voxels are replaced by constants with ``torch.where`` *before* any arithmetic, so that neither the
label nor the logit there (not even NaN) can reach the sum, and the gradient that flows back to the logit is
exactly zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from segloop.config import registries
from segloop.config.groups import item_and_options
from segloop.config.parameters import options_type_of
from segloop.core.errors import ConfigError
from segloop.core.registry import Registry
from segloop.targets import LossTerm

if TYPE_CHECKING:
    from torch import Tensor

_SMOOTH = 1.0


def masked_bce(logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Binary cross-entropy with logits, averaged over the valid voxels.

    Parameters
    ----------
    logits : (B, *S) float
        Network output before the sigmoid.
    truth : (B, *S) float
        Wanted probability, 0 to 1.
    valid : (B, *S) bool
        False where a voxel is excluded.

    Returns
    -------
    () float32
        0 where no voxel is valid.
    """
    import torch
    from torch.nn import functional

    zero = logits.new_zeros(())
    loss = functional.binary_cross_entropy_with_logits(
        torch.where(valid, logits, zero), torch.where(valid, truth, zero), reduction="none"
    )
    return _mean(loss, valid)


def masked_dice(probability: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Soft Dice loss over the valid voxels of the whole batch (Milletari et al. 2016, V-Net, section 3).

    Pooling over the batch keeps patches without foreground from dominating.

    Parameters
    ----------
    probability, truth : (B, *S) float
        0 to 1.
    valid : (B, *S) bool
        False where a voxel is excluded.

    Returns
    -------
    () float32
        0 where no voxel is valid.
    """
    import torch

    zero = probability.new_zeros(())
    p = torch.where(valid, probability, zero)
    t = torch.where(valid, truth, zero)
    return 1 - (2 * (p * t).sum() + _SMOOTH) / (p.square().sum() + t.square().sum() + _SMOOTH)


def masked_smooth_l1(value: Tensor, truth: Tensor, valid: Tensor, beta: float = 0.1) -> Tensor:
    """Smooth L1 (Huber) loss, averaged over the valid voxels.

    Parameters
    ----------
    value, truth : (B, *S) float
        0 to 1.
    valid : (B, *S) bool
        False where a voxel is excluded.
    beta : float
        Error below which the loss is quadratic.

    Returns
    -------
    () float32
        0 where no voxel is valid.
    """
    import torch
    from torch.nn import functional

    zero = value.new_zeros(())
    loss = functional.smooth_l1_loss(
        torch.where(valid, value, zero), torch.where(valid, truth, zero), reduction="none", beta=beta
    )
    return _mean(loss, valid)


def masked_cross_entropy(logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Softmax cross-entropy over K classes, averaged over the valid voxels.

    Parameters
    ----------
    logits, truth : (B, K, *S) float
        Network output before the softmax; one-hot classes.
    valid : (B, *S) bool
        False where a voxel is excluded.
    """
    import torch
    from torch.nn import functional

    mask = valid.unsqueeze(1)
    zero = logits.new_zeros(())
    log_probability = functional.log_softmax(torch.where(mask, logits, zero), dim=1)
    return _mean(-(torch.where(mask, truth, zero) * log_probability).sum(1), valid)


def binary_dice(logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Cross-entropy plus soft Dice of one foreground map; shapes (B, 1, *S)."""
    import torch

    return masked_bce(logits, truth, valid) + masked_dice(torch.sigmoid(logits), truth, valid)


def class_dice(logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Cross-entropy plus the mean soft Dice over K classes, which share a softmax; shapes (B, K, *S)."""
    import torch

    mask = valid.all(dim=1)
    zero = logits.new_zeros(())
    probability = torch.softmax(torch.where(mask.unsqueeze(1), logits, zero), dim=1)
    dice = [masked_dice(probability[:, k], truth[:, k], mask) for k in range(logits.shape[1])]
    return masked_cross_entropy(logits, truth, mask) + torch.stack(dice).mean()


def distance(logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Cross-entropy with soft labels plus smooth L1 of a distance map between 0 and 1; shapes (B, 1, *S).

    Cross-entropy has the right minimum and a strong gradient from the first step on; smooth L1 sharpens the
    valleys between touching objects. Objects, usually the smaller part of an image, count twice in the
    cross-entropy with half the weight.
    """
    import torch

    inside = valid & (truth > 0)
    return (
        masked_bce(logits, truth, valid)
        + 0.5 * masked_bce(logits, truth, inside)
        + masked_smooth_l1(torch.sigmoid(logits), truth, inside)
    )


class Loss(Protocol):
    """Compares the network's output with the truth; a function will do.

    If it has options, such as ``loss.TERM={name:NAME,power:3}``, the attribute ``options_type`` is their
    `ParameterSet`. The docks read the options, so import torch only when the loss is computed.
    """

    def __call__(self, logits: Tensor, truth: Tensor, valid: Tensor, /, *_: Any, **options: Any) -> Tensor:
        """Return a scalar.

        Where ``valid`` is False, neither logit nor truth may change it, and the gradient must be zero.

        Parameters
        ----------
        logits, truth : (B, k, *S) float
            Output before the activation, and the wanted output (0 to 1), of the maps of a term.
        valid : (B, k, *S) bool
            Where the truth counts.
        **options
            Its own, or the arguments of the target's term.
        """
        ...


LOSSES: Registry[Loss] = registries.LOSSES
"""The losses by name: our own, those registered by a script, and those of installed packages."""


class TargetLoss:
    """The sum of the loss terms of a target.

    Parameters
    ----------
    terms : sequence of LossTerm
        As the target names them.
    replaced : mapping, optional
        Other losses by the name of the term: the name of a loss, or a dict with its ``name`` and its options.

    Raises
    ------
    ConfigError
        If there is no such loss, term or option.
    """

    def __init__(self, terms: Sequence[LossTerm], replaced: Mapping[str, Any] | None = None) -> None:
        replaced = replaced or {}
        names = [term.name for term in terms]
        for name in replaced:
            if name not in names:
                raise ConfigError(f"The target has no loss.{name}: choose among {', '.join(names)}.")
        self._terms: list[tuple[Loss, LossTerm]] = []
        for term in terms:
            if term.name in replaced:
                name, values = item_and_options(replaced[term.name])
                options = options_type_of(LOSSES.get(name)).from_values(values, f"loss.{term.name}")
                term = replace(term, loss=name, arguments=options.values())
            self._terms.append((LOSSES.get(term.loss), term))

    def __call__(self, logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
        """Return the loss.

        Parameters
        ----------
        logits : (B, K, *S) float
            Network output.
        truth : (B, K, *S) float
            Encoded ground truth, 0 to 1.
        valid : (B, K, *S) bool
            False where a map is to be ignored.

        Returns
        -------
        () float32
            The loss; exactly 0, with exactly zero gradient, where nothing is valid.
        """
        import torch

        logits, truth = logits.float(), truth.float()
        losses = [
            term.weight * loss(*(x[:, list(term.maps)] for x in (logits, truth, valid)), **term.arguments)
            for loss, term in self._terms
        ]
        return torch.stack(losses).sum()


def _mean(loss: Tensor, valid: Tensor) -> Tensor:
    # The loss is finite everywhere (constants went in where not valid), so the product is exactly 0 there.
    return (loss * valid).sum() / valid.sum().clamp(min=1)
