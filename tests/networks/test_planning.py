import pytest

from segloop.config.train import NetworkConfig, NetworkSize
from segloop.core.errors import ConfigError, ModelError
from segloop.networks import NetworkSpec, build_network, plan_network


@pytest.mark.parametrize("dims", [2, 3])
def test_larger_sizes_have_more_weights(dims: int) -> None:
    counts = []
    for size in (NetworkSize.small, NetworkSize.medium):
        network = build_network(plan_network(NetworkConfig(size=size), dims, 1, 2))
        counts.append(sum(weight.numel() for weight in network.parameters()))
    assert counts[1] > 3 * counts[0]


def test_isotropic_voxels_are_downsampled_alike_along_all_axes() -> None:
    spec = plan_network(NetworkConfig(), 3, 1, 2, voxel_size=(0.5, 0.5, 0.5))
    assert build_network(spec).stride == (8, 8, 8)


def test_distant_slices_are_neither_downsampled_nor_mixed_at_first() -> None:
    spec = plan_network(NetworkConfig(), 3, 1, 2, voxel_size=(2.0, 0.5, 0.5))
    assert spec.kwargs["kernels"][0] == [1, 3, 3]
    assert spec.kwargs["strides"][1] == [1, 2, 2]
    assert build_network(spec).stride == (4, 8, 8)


def test_unknown_voxel_size_counts_as_isotropic() -> None:
    known = plan_network(NetworkConfig(), 3, 1, 2, voxel_size=(1.0, 1.0, 1.0))
    assert plan_network(NetworkConfig(), 3, 1, 2, voxel_size=(None, 0.5, 0.5)) == known


def test_a_shallow_stack_keeps_four_slices() -> None:
    spec = plan_network(NetworkConfig(), 3, 1, 2, shape=(9, 256, 256))
    assert build_network(spec).stride == (2, 8, 8)


def test_the_plan_survives_saving() -> None:
    spec = plan_network(NetworkConfig(), 3, 2, 4, voxel_size=(2.0, 0.5, 0.5))
    assert NetworkSpec.from_dict(spec.to_dict()) == spec


def test_other_networks_take_their_options() -> None:
    config = NetworkConfig("monai.UNet", options={"dropout": 0.1})

    spec = plan_network(config, 2, 1, 2)

    assert spec == NetworkSpec("monai.UNet", 2, 1, 2, {"dropout": 0.1, "num_res_units": 0})
    assert any(type(part).__name__ == "Dropout" for part in build_network(spec).modules())


def test_an_option_that_the_network_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no network\.depth: choose among .*features, levels"):
        plan_network(NetworkConfig(options={"depth": 3}), 2, 1, 2)


@pytest.mark.parametrize(
    ("options", "filters"),
    [
        ({}, [16, 32, 64, 128]),
        ({"features": 24}, [24, 48, 96, 192]),
        ({"levels": 3}, [16, 32, 64]),
        ({"levels": 6}, [16, 32, 64, 128, 128, 128]),
        ({"features": 8, "levels": 5}, [8, 16, 32, 64, 64]),
    ],
)
def test_width_and_depth_of_the_u_net_can_be_chosen(options: dict[str, int], filters: list[int]) -> None:
    spec = plan_network(NetworkConfig(options=options), 2, 1, 2)

    assert spec.kwargs["filters"] == filters
    assert build_network(spec).stride == (2 ** (len(filters) - 1),) * 2


def test_a_u_net_of_two_levels_is_refused() -> None:
    with pytest.raises(ModelError, match="three to nine levels"):
        build_network(plan_network(NetworkConfig(options={"levels": 2}), 2, 1, 2))
