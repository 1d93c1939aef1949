"""What this computer offers to a training, as plain values.

Finding out imports torch. A process that must not, such as napari's, asks another one: `ask_hardware`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import lru_cache

from segloop.config.device import DeviceConfig, DeviceKind, Precision
from segloop.core.errors import ConfigError, RunError

_TIMEOUT = 120  # seconds; importing torch from a cold disk takes long


@dataclass(frozen=True)
class Hardware:
    """The device that a training will use.

    Attributes
    ----------
    device : {"cpu", "cuda", "mps"}
        As torch calls it.
    mixed : bool
        Whether to compute in 16 bit where it is safe.
    bfloat16 : bool
        Whether the device multiplies bfloat16 natively.
    threads : int
        Number of CPU threads that torch uses.
    reason : str
        Why this device, in one sentence.
    """

    device: str
    mixed: bool = False
    bfloat16: bool = False
    threads: int = 1
    reason: str = ""


def find_hardware(config: DeviceConfig) -> Hardware:
    """Find the device to use; imports torch.

    Raises
    ------
    ConfigError
        If a device is asked for that is not available.
    """
    import torch

    from segloop.inference.device import resolve_device
    from segloop.training.computing import cpu_has_bfloat16, sensible_threads

    torch.set_num_threads(sensible_threads())
    found = resolve_device(config)
    if found.device == "cuda":
        bfloat16 = torch.cuda.get_device_capability()[0] >= 8
    else:
        bfloat16 = found.device == "cpu" and cpu_has_bfloat16()
    return Hardware(found.device, found.mixed, bfloat16, torch.get_num_threads(), found.reason)


def ask_hardware(config: DeviceConfig) -> Hardware:
    """Find the device to use without importing torch here; asks another process once, then remembers.

    Blocks for the seconds that importing torch takes: call it from a worker thread.

    Raises
    ------
    ConfigError
        If a device is asked for that is not available.
    RunError
        If the other process fails.
    """
    return _ask(config.kind.value, config.precision.value)


@lru_cache
def _ask(kind: str, precision: str) -> Hardware:
    command = [sys.executable, "-m", "segloop.training.planning.hardware", kind, precision]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
        values = json.loads(answer.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise RunError(
            "The devices of this computer can't be found because torch can't be loaded: run segloop doctor."
        ) from error
    if "error" in values:
        raise ConfigError(values["error"])
    return Hardware(**values)


def main(arguments: list[str]) -> str:
    """Return as JSON what `find_hardware` finds for a kind of device and a precision."""
    kind, precision = arguments
    try:
        return json.dumps(asdict(find_hardware(DeviceConfig(DeviceKind(kind), Precision(precision)))))
    except ConfigError as error:
        return json.dumps({"error": str(error)})


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
