from __future__ import annotations

import pytest
import torch
from monai.losses import DiceLoss
from torch import nn
from torch.nn import functional

from segloop.core.errors import ConfigError
from segloop.targets import LossTerm, make_target
from segloop.training.losses import (
    LOSSES,
    TargetLoss,
    masked_bce,
    masked_cross_entropy,
    masked_dice,
    masked_smooth_l1,
)

INSTANCE = ("instance", 2)
CLASSES = ("semantic", 3)
BINARY = ("semantic", 1)
Case = tuple[str, int]
"""Name of a target and its number of maps."""


def target_loss(logits: torch.Tensor, truth: torch.Tensor, valid: torch.Tensor, case: Case) -> torch.Tensor:
    name, n_maps = case
    target = make_target(name, {"classes": max(2, n_maps)} if name == "semantic" else {})
    assert len(target.maps) == n_maps
    return TargetLoss(target.losses)(logits, truth, valid)


def patches(kinds: Case, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Image (2, 1, 16, 16), maps and valid (2, K, 16, 16) with about a third excluded."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(2, 1, 16, 16, generator=generator)
    maps = torch.rand(2, kinds[1], 16, 16, generator=generator)
    valid = (torch.rand(2, 1, 16, 16, generator=generator) > 0.33).expand(maps.shape)
    return image, maps, valid


def loss_and_gradients(
    kinds: Case, image: torch.Tensor, maps: torch.Tensor, valid: torch.Tensor
) -> list[torch.Tensor]:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, kinds[1], 3, padding=1)
    )
    loss = target_loss(network(image), maps, valid, kinds)
    loss.backward()
    return [loss.detach(), *(p.grad for p in network.parameters() if p.grad is not None)]


@pytest.mark.parametrize("kinds", [INSTANCE, CLASSES, BINARY])
def test_labels_under_exclusion_change_no_bit_of_loss_or_gradient(kinds: Case) -> None:
    image, maps, valid = patches(kinds)
    changed = torch.where(valid, maps, torch.rand(maps.shape))
    assert not torch.equal(changed, maps)

    before = loss_and_gradients(kinds, image, maps, valid)
    after = loss_and_gradients(kinds, image, changed, valid)

    assert len(before) > 4
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("kinds", [INSTANCE, CLASSES, BINARY])
def test_the_gradient_of_an_excluded_voxel_is_exactly_zero(kinds: Case) -> None:
    _, maps, valid = patches(kinds)
    logits = torch.randn(maps.shape, requires_grad=True)

    target_loss(logits, maps, valid, kinds).backward()

    assert logits.grad is not None
    assert torch.count_nonzero(logits.grad[~valid]) == 0
    assert torch.count_nonzero(logits.grad[valid]) > 0


@pytest.mark.parametrize("kinds", [INSTANCE, CLASSES, BINARY])
def test_even_a_nan_under_exclusion_reaches_nothing(kinds: Case) -> None:
    _, maps, valid = patches(kinds)
    logits = torch.randn(maps.shape)
    spoilt = torch.where(valid, logits, torch.nan)

    assert torch.equal(target_loss(spoilt, maps, valid, kinds), target_loss(logits, maps, valid, kinds))


@pytest.mark.parametrize("kinds", [INSTANCE, CLASSES, BINARY])
def test_nothing_valid_gives_exactly_zero_loss(kinds: Case) -> None:
    _, maps, valid = patches(kinds)

    loss = target_loss(torch.randn(maps.shape), maps, torch.zeros_like(valid), kinds)

    assert float(loss) == 0


def test_one_map_may_count_where_another_does_not() -> None:
    _, maps, _ = patches(INSTANCE)
    valid = torch.ones(maps.shape, dtype=torch.bool)
    valid[:, 1] = False
    logits = torch.randn(maps.shape, requires_grad=True)

    target_loss(logits, maps, valid, INSTANCE).backward()

    assert logits.grad is not None
    assert torch.count_nonzero(logits.grad[:, 1]) == 0
    assert torch.count_nonzero(logits.grad[:, 0]) > 0


def test_cross_entropies_are_torch_s_over_the_valid_voxels() -> None:
    _, maps, valid = patches(CLASSES)
    logits = torch.randn(maps.shape)
    classes = maps.argmax(1)
    one_hot = functional.one_hot(classes, 3).movedim(-1, 1).float()
    some = valid[:, 0]

    binary = masked_bce(logits[:, 0], one_hot[:, 0], some)
    several = masked_cross_entropy(logits, one_hot, some)

    expected = functional.binary_cross_entropy_with_logits(logits[:, 0][some], one_hot[:, 0][some])
    torch.testing.assert_close(binary, expected)
    expected = functional.cross_entropy(logits, classes.masked_fill(~some, -100))
    torch.testing.assert_close(several, expected)


def test_dice_is_monai_s_where_all_is_valid() -> None:
    _, maps, _ = patches(BINARY)
    probability, truth = torch.rand(maps.shape), (maps > 0.5).float()

    ours = masked_dice(probability[:, 0], truth[:, 0], torch.ones_like(truth[:, 0], dtype=torch.bool))

    theirs = DiceLoss(squared_pred=True, batch=True, smooth_nr=1.0, smooth_dr=1.0)(probability, truth)
    torch.testing.assert_close(ours, theirs)


def test_smooth_l1_is_torch_s_over_the_valid_voxels() -> None:
    _, maps, valid = patches(BINARY)
    value = torch.rand(maps.shape)

    ours = masked_smooth_l1(value, maps, valid)

    torch.testing.assert_close(ours, functional.smooth_l1_loss(value[valid], maps[valid], beta=0.1))


def test_the_right_answer_costs_less_than_a_wrong_one() -> None:
    _, maps, valid = patches(INSTANCE)

    right = target_loss(torch.logit(maps), maps, valid, INSTANCE)
    wrong = target_loss(torch.logit(1 - maps), maps, valid, INSTANCE)

    assert right < wrong


def test_terms_are_weighted_take_arguments_and_can_be_replaced() -> None:
    def offset(
        logits: torch.Tensor, truth: torch.Tensor, valid: torch.Tensor, by: float = 1.0
    ) -> torch.Tensor:
        assert logits.shape == truth.shape == valid.shape == (2, 1, 16, 16)
        return logits.new_tensor(by)

    _, maps, valid = patches(BINARY)
    terms = (
        LossTerm("a", "offset", (0,), weight=2, arguments={"by": 3}),
        LossTerm("b", "binary_dice", (0,)),
    )
    with LOSSES.registered("offset", offset):
        both, swapped = TargetLoss(terms), TargetLoss(terms, {"b": "offset"})
        second = TargetLoss(terms[1:])

    assert float(both(maps, maps, valid) - second(maps, maps, valid)) == pytest.approx(6)
    assert float(swapped(maps, maps, valid)) == 7


def test_a_loss_or_a_term_that_does_not_exist_is_named() -> None:
    terms = (LossTerm("a", "nowhere", (0,)),)
    with pytest.raises(ConfigError, match="no loss 'nowhere'"):
        TargetLoss(terms)
    with pytest.raises(ConfigError, match=r"no loss\.b: choose among a"):
        TargetLoss(terms, {"b": "distance"})
