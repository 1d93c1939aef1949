import pytest
import torch

from segloop.config.device import DeviceConfig, DeviceKind, Precision
from segloop.core.errors import ConfigError
from segloop.inference.device import resolve_device


def test_auto_takes_a_device_that_works_and_says_why() -> None:
    resolved = resolve_device(DeviceConfig())
    assert torch.ones(2, device=resolved.device).sum() == 2
    assert resolved.device in resolved.reason


def test_the_cpu_computes_in_32_bit_even_if_mixed_is_asked_for() -> None:
    resolved = resolve_device(DeviceConfig(kind=DeviceKind.cpu, precision=Precision.mixed))
    assert (resolved.device, resolved.mixed) == ("cpu", False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_a_missing_gpu_is_named_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"no CUDA device.*choose device 'auto' or 'cpu'"):
        resolve_device(DeviceConfig(kind=DeviceKind.cuda))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_auto_is_cuda_in_mixed_precision_where_there_is_a_gpu() -> None:
    resolved = resolve_device(DeviceConfig())
    assert (resolved.device, resolved.mixed) == ("cuda", True)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="has MPS")
def test_missing_mps_is_named_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match="MPS is not available"):
        resolve_device(DeviceConfig(kind=DeviceKind.mps))
