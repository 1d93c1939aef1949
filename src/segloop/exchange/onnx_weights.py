"""A network as ONNX, which many programs can run without torch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

OPSET = 20
"""Version of the operators in the file."""

INPUT, OUTPUT = "raw", "maps"
"""Names of the tensors, as in the description of a package."""


def write_onnx(network: nn.Module, activation: str, stride: Sequence[int], path: Path) -> None:
    """Write a network and the activation after it.

    Parameters
    ----------
    network : Module
        As `segloop.networks.build_network` gives it, in evaluation mode on the CPU.
    activation : {"sigmoid", "softmax"}
        What turns its outputs into maps.
    stride : sequence of int
        Sizes along the spatial axes may be any multiples of it.
    path : path
        The file.

    Raises
    ------
    ModelError
        If the network has steps that ONNX can't express.
    """
    import torch

    from segloop.networks.activation import activate
    from segloop.networks.folding import fold_batch_norm

    class Maps(torch.nn.Module):
        """The network with its activation."""

        def __init__(self) -> None:
            super().__init__()
            self.network = fold_batch_norm(network)

        def forward(self, raw: torch.Tensor) -> torch.Tensor:
            """Return maps (N, K, [Z,] Y, X) between 0 and 1."""
            return activate(self.network(raw), activation)

    channels: Any = network.in_channels
    example = torch.zeros(1, channels, *(4 * step for step in stride))
    sizes: dict[int, Any] = {0: torch.export.Dim("batch")}
    for axis, step in enumerate(stride):
        count = torch.export.Dim(f"size{axis}", min=1)
        sizes[2 + axis] = step * count if step > 1 else count
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's own use of torch
            torch.onnx.export(
                Maps().eval(),
                (example,),
                path,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes={"raw": sizes},
                opset_version=OPSET,
                external_data=False,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # the exporter raises whatever the network's code makes it raise
        raise ModelError(
            f"The network of this model can't be written as ONNX: {str(error).strip().splitlines()[0]}"
        ) from error
    finally:
        exporter.setLevel(level)


def run_onnx(path: Path, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the maps (K, [Z,] Y, X) that an ONNX file gives for inputs (C, [Z,] Y, X), on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    maps: NDArray[np.float32] = session.run([OUTPUT], {INPUT: inputs[None]})[0][0]
    return maps
