from collections.abc import Callable

import pytest
import torch
from torch import nn

from segloop.core.errors import ModelError
from segloop.networks import NetworkSpec, build_network
from segloop.networks.unet import receptive_radius

THIN = {"filters": [2, 2, 2, 2]}
PLANES = THIN | {"strides": [[1, 1], [2, 2], [2, 2], [2, 2]], "kernels": [[3, 3]] * 4}
FLAT_VOLUMES = {
    "filters": [2, 2, 2],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
    "kernels": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
}


def measured_radius(network: nn.Module, dims: int) -> tuple[int, ...]:
    """Return how far a NaN in one input pixel spreads in the output, per axis, for all positions."""
    stride: tuple[int, ...] = network.stride
    halo: tuple[int, ...] = network.halo
    shape = [2 * reach + 2 * step for reach, step in zip(halo, stride, strict=True)]
    farthest = [0] * dims
    for offset in range(max(stride)):
        place = [reach + min(offset, step - 1) for reach, step in zip(halo, stride, strict=True)]
        image = torch.zeros(1, 1, *shape)
        image[(0, 0, *place)] = float("nan")
        with torch.inference_mode():
            reached = network(image)[0].isnan().any(dim=0).nonzero()
        for axis in range(dims):
            low, high = int(reached[:, axis].min()), int(reached[:, axis].max())
            farthest[axis] = max(farthest[axis], place[axis] - low, high - place[axis])
    return tuple(farthest)


@pytest.mark.parametrize("kwargs", [PLANES, FLAT_VOLUMES], ids=["planes", "flat volumes"])
def test_halo_is_the_measured_reach_rounded_up_to_the_stride(kwargs: dict[str, object]) -> None:
    dims = len(kwargs["strides"][0])  # type: ignore[index]
    network = build_network(NetworkSpec("unet", dims, 1, 1, kwargs)).eval()
    measured = measured_radius(network, dims)
    assert receptive_radius(kwargs["strides"], kwargs["kernels"]) == measured  # type: ignore[arg-type]
    for halo, reach, stride in zip(network.halo, measured, network.stride, strict=True):  # type: ignore[arg-type]
        assert reach <= halo < reach + stride
        assert halo % stride == 0


@pytest.mark.parametrize("kwargs", [PLANES, FLAT_VOLUMES], ids=["planes", "flat volumes"])
def test_shifting_the_image_by_the_stride_shifts_the_output(
    kwargs: dict[str, object], stir: Callable[[NetworkSpec], nn.Module]
) -> None:
    dims = len(kwargs["strides"][0])  # type: ignore[index]
    network = stir(NetworkSpec("unet", dims, 1, 2, kwargs))
    image = torch.rand(
        1, 1, *[2 * (halo + stride) for halo, stride in zip(network.halo, network.stride, strict=True)]
    )
    shifted = torch.roll(image, network.stride, dims=tuple(range(2, 2 + dims)))
    inner = tuple(
        slice(halo + stride, -halo) for halo, stride in zip(network.halo, network.stride, strict=True)
    )
    with torch.inference_mode():
        expected = torch.roll(network(image), network.stride, dims=tuple(range(2, 2 + dims)))
        output = network(shifted)
    torch.testing.assert_close(output[(..., *inner)], expected[(..., *inner)], atol=1e-4, rtol=1e-4)


def test_each_weight_is_saved_once(make_network: Callable[..., nn.Module]) -> None:
    state = make_network().state_dict()
    assert len({tensor.data_ptr() for tensor in state.values()}) == len(state)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"filters": [2, 2]}, "three to nine levels"),
        ({"filters": [2, 2, 2, 10**6]}, "number of filters"),
        ({"strides": [[1, 1], [2, 2], [2, 2], [3, 3]]}, "strides are 1 or 2"),
        ({"kernels": [[3, 3]] * 3 + [[5, 5]]}, "kernel sizes are 1 or 3"),
        ({"kernels": [[3, 3, 3]] * 4}, "2 strides and kernel sizes"),
        ({"filters": "many"}, "needs filters, strides and kernels"),
        ({"norm_name": "instance"}, "does not know norm_name"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        build_network(NetworkSpec("unet", 2, 1, 1, PLANES | change))


@pytest.mark.parametrize("kwargs", [PLANES, FLAT_VOLUMES], ids=["planes", "flat volumes"])
def test_a_new_network_leaves_no_checkerboard(kwargs: dict[str, object]) -> None:
    dims = len(kwargs["strides"][0])  # type: ignore[index]
    network = build_network(NetworkSpec("unet", dims, 1, 2, kwargs)).eval()
    halo: tuple[int, ...] = network.halo
    with torch.inference_mode():
        maps = network(torch.ones(1, 1, *(2 * reach + 16 for reach in halo)))[0]
    inner = maps[(slice(None), *(slice(reach, -reach) for reach in halo))].flatten(1)
    assert inner.std(dim=1).max() < 1e-5 * inner.abs().max()
