"""Which device does the work, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass

from segloop.config.device import DeviceConfig, DeviceKind, Precision
from segloop.core.errors import ConfigError


@dataclass(frozen=True)
class ResolvedDevice:
    """A device that exists.

    Attributes
    ----------
    device : {"cpu", "cuda", "mps"}
        As torch calls it.
    mixed : bool
        Whether to compute in 16 bit where it is safe.
    reason : str
        Why, in one sentence.
    """

    device: str
    mixed: bool
    reason: str


def resolve_device(config: DeviceConfig) -> ResolvedDevice:
    """Choose the device: CUDA where there is a GPU, else Apple's MPS, else the CPU.

    Raises
    ------
    ConfigError
        If a device is asked for that is not here.
    """
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    wanted = config.kind
    if wanted is DeviceKind.auto:
        wanted = DeviceKind.cuda if cuda else DeviceKind.mps if mps else DeviceKind.cpu
    if wanted is DeviceKind.cuda and not cuda:
        raise ConfigError(
            "There is no CUDA device that torch can use here: choose device 'auto' or 'cpu', "
            "or install the CUDA build of torch and the GPU's driver."
        )
    if wanted is DeviceKind.mps and not mps:
        raise ConfigError("Apple's MPS is not available here: choose device 'auto' or 'cpu'.")
    mixed = config.precision is Precision.mixed or (
        config.precision is Precision.auto and wanted is DeviceKind.cuda
    )
    if wanted is not DeviceKind.cuda:
        # 16 bit saves nothing on CPUs and is incomplete on MPS.
        mixed = False
    return ResolvedDevice(wanted.value, mixed, _reason(config, wanted, mixed))


def _reason(config: DeviceConfig, kind: DeviceKind, mixed: bool) -> str:
    import torch

    precision = "mixed precision" if mixed else "32 bit"
    if kind is DeviceKind.cuda:
        name = torch.cuda.get_device_name()
        memory = torch.cuda.get_device_properties(0).total_memory / 1e9
        return f"Device cuda ({name}, {memory:.0f} GB), {precision}."
    if kind is DeviceKind.mps:
        return f"Device mps (Apple GPU), {precision}."
    why = "no GPU was found" if config.kind is DeviceKind.auto else "as asked"
    return f"Device cpu ({torch.get_num_threads()} threads), {precision}: {why}."
