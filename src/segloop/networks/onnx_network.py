"""A network that is kept as ONNX, such as those of the BioImage Model Zoo; onnxruntime runs it on the CPU.

It can be applied like the networks that Segloop trains, but not trained.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segloop.core.errors import ModelError
from segloop.networks.onnx_graph import bytes_per_pixel, read_graph, zoo_package
from segloop.networks.spec import NetworkSpec

_NEAR = 1e-4  # probabilities nearer to 0 or 1 count as this near
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(uint16)": np.uint16,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
}

Step = Sequence[Any]
"""A step with its arguments, as plain values: ``("linear", gains, offsets)``, one number for each channel or
for all; ``("clip", low, high)``, either of which may be None; ``("sigmoid",)``; ``("softmax",)``."""


@dataclass(frozen=True)
class Window:
    """A part of one axis that is computed at once: where it begins, and what of it is kept."""

    start: int
    write: slice


class OnnxNetwork(nn.Module):
    """An ONNX file as a module; the file itself is its only weight.

    Parameters
    ----------
    spec : NetworkSpec
        With these further arguments:

        ``size`` : bytes of the file.
        ``input_axes``, ``output_axes`` : letters of the tensors' axes, among b, c, z, y, x.
        ``minimum``, ``step`` : per spatial axis, sizes can be ``minimum + n * step``; a step of 0 means that
        the size is fixed.
        ``halo`` : per spatial axis, how far from the edge outputs are of no use.
        ``before``, ``after`` : each `Step` before and after the network; then values are probabilities.
        ``outputs`` : number of output channels.
        ``maps`` : for each map the number of an output channel, and of others that are subtracted from it;
        empty if each output is the probability of a class.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        given = dict(spec.kwargs)
        self.in_channels = spec.in_channels
        self._out_channels = spec.out_channels
        self._size = int(given.pop("size"))
        self._axes: tuple[str, str] = (str(given.pop("input_axes")), str(given.pop("output_axes")))
        self._minimum = [int(value) for value in given.pop("minimum")]
        self._step = [int(value) for value in given.pop("step")]
        halo = [int(value) for value in given.pop("halo")]
        self._before: list[Step] = given.pop("before")
        self._after: list[Step] = given.pop("after")
        self._outputs = int(given.pop("outputs"))
        self._maps = [[int(number) for number in numbers] for numbers in given.pop("maps")]
        self._require_sense(spec.dims, halo, given)
        self.stride = tuple(max(1, step) for step in self._step)
        self._margin = [
            reach or (0 if step else low // 8)
            for reach, step, low in zip(halo, self._step, self._minimum, strict=True)
        ]
        # Without a halo, tiles are blended.
        self.halo = None
        self.translation_equivariant = False
        if any(halo):
            self.halo = tuple(-(-reach // by) * by for reach, by in zip(halo, self.stride, strict=True))
            self.translation_equivariant = True
        self.register_buffer("file", torch.empty(self._size, dtype=torch.uint8))
        self._session: Any = None
        self._bytes_per_pixel: float | None = None

    def _require_sense(self, dims: int, halo: Sequence[int], unknown: Any) -> None:
        lists = (self._minimum, self._step, halo)
        letters = {"b", "c", *"zyx"[-dims:]}
        if (
            unknown
            or any(len(values) != dims or min(values) < 0 for values in lists)
            or min(self._minimum) < 1
            or any(
                not step and 2 * reach >= low
                for step, reach, low in zip(self._step, halo, self._minimum, strict=True)
            )
            or any(len(set(axes)) < len(axes) or not set(axes) <= letters for axes in self._axes)
            or any(not set("zyx"[-dims:]) <= set(axes) for axes in self._axes)
            or self._out_channels != (len(self._maps) or self._outputs)
            or any(not numbers or not set(numbers) <= set(range(self._outputs)) for numbers in self._maps)
        ):
            raise ModelError("The description of an ONNX network contradicts itself.")

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the session, which can't be copied."""
        return self.__dict__ | {"_session": None}

    @property
    def bytes_per_pixel(self) -> float:
        """Bytes that a forward pass needs for each input pixel, as if it freed nothing.

        Raises
        ------
        ModelError
            If the file can't be used.
        """
        if self._bytes_per_pixel is None:
            self._open()
        assert self._bytes_per_pixel is not None
        return self._bytes_per_pixel

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (N, K, [Z,] Y, X) of images (N, C, [Z,] Y, X).

        Raises
        ------
        ModelError
            If the file can't be used, or gives something else than it should.
        RuntimeError
            If memory does not suffice.
        """
        found = self.probabilities(inputs)
        if not self._maps:
            return found.clamp(_NEAR, 1 - _NEAR).log()
        maps = [found[:, first] - found[:, others].sum(dim=1) for first, *others in self._maps]
        return torch.stack(maps, dim=1).clamp(_NEAR, 1 - _NEAR).logit()

    def probabilities(self, inputs: Tensor) -> Tensor:
        """Return all outputs (N, M, [Z,] Y, X), after the steps that follow the network."""
        return apply_steps(self.raw(inputs), self._after)

    def raw(self, inputs: Tensor) -> Tensor:
        """Return all outputs (N, M, [Z,] Y, X), before the steps that follow the network."""
        images = apply_steps(inputs.float(), self._before).cpu().numpy()
        found = np.stack([self._whole(image) for image in images])
        return torch.from_numpy(found).to(inputs.device)

    def _whole(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the outputs (M, [Z,] Y, X) of an image (C, [Z,] Y, X), mirrored where it is too small."""
        sizes = image.shape[1:]
        valid = [
            max(low, size) if not step else low + step * max(0, -(-(size - low) // step))
            for size, low, step in zip(sizes, self._minimum, self._step, strict=True)
        ]
        far = [(0, new - old) for new, old in zip(valid, sizes, strict=True)]
        padded = np.pad(image, [(0, 0), *far], mode="reflect") if any(end for _, end in far) else image
        spans = [
            low if not step else size
            for size, low, step in zip(valid, self._minimum, self._step, strict=True)
        ]
        whole = np.empty((self._outputs, *valid), np.float32)
        plans = [windows(*sizes) for sizes in zip(valid, spans, self._margin, strict=True)]
        for parts in itertools.product(*plans):
            read = tuple(
                slice(part.start, part.start + span) for part, span in zip(parts, spans, strict=True)
            )
            found = self._run(padded[(slice(None), *read)])
            kept = tuple(slice(part.write.start - part.start, part.write.stop - part.start) for part in parts)
            whole[(slice(None), *(part.write for part in parts))] = found[(slice(None), *kept)]
        return whole[(slice(None), *(slice(size) for size in sizes))]

    def _run(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the outputs (M, [Z,] Y, X) of a block (C, [Z,] Y, X) of a size that the network accepts."""
        session = self._open()
        given = session.get_inputs()[0]
        own = "c" + "zyx"[-(block.ndim - 1) :]
        tensor = np.ascontiguousarray(rearranged(block, own, self._axes[0]).astype(_TYPES[given.type]))
        try:
            found = session.run(None, {given.name: tensor})[0]
        except Exception as error:  # its own classes
            if "alloc" in str(error):
                raise RuntimeError(f"not enough memory: {error}") from error
            raise ModelError(
                f"The ONNX network can't be run ({str(error).splitlines()[0][:200]}): get a new copy of it."
            ) from error
        if not isinstance(found, np.ndarray) or found.ndim != len(self._axes[1]):
            raise ModelError("The ONNX network does not give what it should: get a new copy of it.")
        outputs = rearranged(found, self._axes[1], own)
        if outputs.shape != (self._outputs, *block.shape[1:]):
            raise ModelError(
                f"The ONNX network gives {outputs.shape} for an image of {block.shape[1:]}, "
                f"but it should give {self._outputs} maps of the size of the image."
            )
        return outputs.astype(np.float32)

    def _open(self) -> Any:
        """Return the session that runs the file; check the file when it is first needed."""
        if self._session is not None:
            return self._session
        onnxruntime: Any = zoo_package("onnxruntime")
        content = self.file.cpu().numpy().tobytes()  # type: ignore[operator]
        graph = read_graph(content)
        size = {
            axis: low + 4 * step if step else low
            for axis, low, step in zip("zyx"[-len(self._step) :], self._minimum, self._step, strict=True)
        }
        shape = {"b": 1, "c": self.in_channels} | size
        by_axis = {number: shape[axis] for number, axis in enumerate(self._axes[0])}
        needed = bytes_per_pixel(graph, by_axis, math.prod(size.values()))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # what fails is raised
        try:
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            known = session.get_inputs()[0].type in _TYPES
        except Exception as error:  # its own classes
            raise ModelError(
                f"The ONNX network can't be used ({str(error).strip().splitlines()[0][:200]}): "
                "get a new copy of it, or a newer onnxruntime."
            ) from error
        if not known:
            raise ModelError(f"The ONNX network takes values of the type {session.get_inputs()[0].type}.")
        self._session, self._bytes_per_pixel = session, needed
        return session


def build(spec: NetworkSpec) -> OnnxNetwork:
    """Return the network of a description, still without its file."""
    return OnnxNetwork(spec)


def apply_steps(values: Tensor, steps: Sequence[Step]) -> Tensor:
    """Apply steps to values (N, C, ...) one after another.

    Raises
    ------
    ModelError
        If there is no such step.
    """
    for name, *arguments in steps:
        if name == "linear":
            gain, offset = (_per_channel(each, values) for each in arguments)
            values = values * gain + offset
        elif name == "clip":
            values = values.clamp(*arguments)
        elif name == "sigmoid":
            values = values.sigmoid()
        elif name == "softmax":
            values = values.softmax(dim=1)
        else:
            raise ModelError(f"There is no step '{str(name)[:50]}' before or after an ONNX network.")
    return values


def windows(size: int, span: int, margin: int) -> list[Window]:
    """Cover an axis by windows of one size that overlap by at least twice the margin.

    Parameters
    ----------
    size : int
        Of the axis, at least ``span``.
    span : int
        Of a window, more than twice the margin.
    margin : int
        How much of each end of a window is not used where the axis continues.
    """
    count = 1 if size == span else -(-(size - 2 * margin) // (span - 2 * margin))
    starts = [round(number * (size - span) / max(1, count - 1)) for number in range(count)]
    cuts = [0, *((first + second + span) // 2 for first, second in itertools.pairwise(starts)), size]
    return [Window(start, slice(*cut)) for start, cut in zip(starts, itertools.pairwise(cuts), strict=True)]


def _per_channel(value: Any, values: Tensor) -> Any:
    if not isinstance(value, list | tuple) or len(value) == 1:
        return value[0] if isinstance(value, list | tuple) else value
    return torch.tensor(value, device=values.device).reshape(-1, *(1,) * (values.ndim - 2))


def rearranged(array: NDArray[Any], axes: str, wanted: str) -> NDArray[Any]:
    """Return an array with its axes in another order; those that only one side has must be of size 1."""
    gone = tuple(number for number, axis in enumerate(axes) if axis not in wanted)
    if any(array.shape[number] != 1 for number in gone):
        raise ModelError("The ONNX network has an axis that its description lacks: get a new copy of it.")
    kept = [axis for axis in axes if axis in wanted]
    squeezed = array.squeeze(gone).transpose([kept.index(axis) for axis in wanted if axis in kept])
    return squeezed[tuple(slice(None) if axis in kept else None for axis in wanted)]
