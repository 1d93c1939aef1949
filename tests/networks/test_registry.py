from pathlib import Path

import pytest
import torch

from segloop.core.errors import ModelError
from segloop.networks import NETWORKS, NetworkSpec, build_network


@pytest.mark.parametrize("name", ["monai.AttentionUnet", "monai.BasicUNet", "monai.SegResNet", "monai.UNet"])
@pytest.mark.parametrize("dims", [2, 3])
def test_allowed_networks_of_monai_take_multiples_of_their_stride(name: str, dims: int) -> None:
    network = build_network(NetworkSpec(name, dims, 2, 3)).eval()
    sizes = [2 * step for step in network.stride]  # type: ignore[union-attr]
    with torch.inference_mode():
        assert network(torch.rand(1, 2, *sizes)).shape == (1, 3, *sizes)


def test_networks_of_unknown_halo_say_that_they_are_not_equivariant() -> None:
    network = build_network(NetworkSpec("monai.UNet", 2, 1, 2))
    assert network.halo is None
    assert network.translation_equivariant is False


@pytest.mark.parametrize(
    "name", ["os.system", "monai.networks.nets.UNet", "monai.SwinUNETR", "torch.nn.Conv2d"]
)
def test_only_listed_names_are_looked_up(name: str) -> None:
    with pytest.raises(ModelError, match="There is no network"):
        build_network(NetworkSpec(name, 2, 1, 1))


def test_only_plain_values_are_arguments() -> None:
    with pytest.raises(ModelError, match="not a plain value"):
        NetworkSpec("monai.UNet", 2, 1, 1, {"act": print})


def test_a_wrong_argument_names_the_network() -> None:
    with pytest.raises(ModelError, match=r"'monai\.UNet' can't be built"):
        build_network(NetworkSpec("monai.UNet", 2, 1, 1, {"wings": 2}))


@pytest.mark.parametrize("values", [{}, {"name": "unet", "dims": "two", "in_channels": 1, "out_channels": 1}])
def test_a_damaged_description_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="incomplete or damaged"):
        NetworkSpec.from_dict(values)


PACKAGE = """
from torch import nn

def build(spec):
    network = nn.Conv2d(spec.in_channels, spec.out_channels, 3, padding=1)
    network.stride_of_pixels = spec.kwargs.get("step", 1)
    return Wrapped(network)

class Wrapped(nn.Module):
    stride = (1, 1)
    halo = (1, 1)
    translation_equivariant = True

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)
"""


def test_an_installed_package_brings_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "segloop_plugin_example.py").write_text(PACKAGE)
    info = tmp_path / "segloop_plugin_example-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: segloop-plugin-example\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[segloop.networks]\nexample = segloop_plugin_example:build\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "example" in NETWORKS.names()
    network = build_network(NetworkSpec("example", 2, 1, 4))
    assert network.halo == (1, 1)
    assert network(torch.rand(1, 1, 5, 5)).shape == (1, 4, 5, 5)
