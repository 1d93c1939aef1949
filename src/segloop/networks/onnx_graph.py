"""An ONNX network from a stranger, looked through before it is run."""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from segloop.core.errors import ModelError

_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_ENDLESS = ("Loop", "Scan")
_MOST_NODES = 100_000
_LARGEST = 2**31 - 1  # bytes, of what protobuf can hold
_LARGEST_TENSOR = 2**31  # values
_DEEPEST = 20
_UNKNOWN = 4000.0  # bytes per pixel, where the sizes of the tensors are not known


def zoo_package(name: str) -> ModuleType:
    """Import a package of the extra ``zoo``.

    Raises
    ------
    ModelError
        If it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of their own use of their libraries
            return importlib.import_module(name)
    except ImportError as error:
        raise ModelError(
            f'Models of the zoo need {name}: pip install "napari-segloop[zoo]", then try again.'
        ) from error


def read_graph(content: bytes) -> Any:
    """Return the ``onnx.ModelProto`` of an ONNX file, after checking that running it does no harm.

    Parameters
    ----------
    content : bytes
        The file.

    Raises
    ------
    ModelError
        If it is damaged, names other files, has steps that are not standard ONNX or could run without end,
        or does not have one input and one output.
    """
    onnx = zoo_package("onnx")
    if len(content) > _LARGEST:
        raise ModelError("The ONNX network is larger than 2 GB, which ONNX does not allow.")
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:  # the parser is protobuf's
        raise ModelError("The ONNX network can't be read: get a new copy of it.") from error
    if model.functions or model.training_info:
        raise ModelError("The ONNX network has functions of its own, which can't be used: export it without.")
    n_nodes = 0
    for part in _parts(model):
        kind = type(part).__name__
        if kind == "TensorProto" and (part.external_data or part.data_location):
            raise ModelError(
                "The ONNX network keeps its weights in other files, which is not safe: export it as one file."
            )
        if kind == "NodeProto":
            n_nodes += 1
            _require_standard(part)
    if n_nodes > _MOST_NODES:
        raise ModelError(f"The ONNX network has more than {_MOST_NODES} steps: get a new copy of it.")
    if any(each.domain not in _DOMAINS for each in model.opset_import):
        raise ModelError("The ONNX network uses steps that are not standard ONNX: export it without.")
    weights = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise ModelError(
            f"The ONNX network has {len(inputs)} inputs and {len(model.graph.output)} outputs; only networks "
            "with one image in and one out can be used."
        )
    return model


def bytes_per_pixel(model: Any, shape: Mapping[int, int], n_pixels: int) -> float:
    """Return the bytes that a network needs for each pixel of its input, as if it freed nothing.

    Parameters
    ----------
    model : ModelProto
        As `read_graph` returns it.
    shape : mapping of int to int
        Size of the input along each of its axes.
    n_pixels : int
        Number of pixels in it.

    Raises
    ------
    ModelError
        If an image of this size makes the network allocate far more than any real one does.
    """
    onnx = zoo_package("onnx")
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    weights = {each.name for each in sized.graph.initializer}
    for each in sized.graph.input:
        if each.name not in weights:
            for axis, dim in enumerate(each.type.tensor_type.shape.dim):
                dim.dim_value = shape.get(axis, dim.dim_value)
    del sized.graph.value_info[:]
    try:
        inferred = onnx.shape_inference.infer_shapes(sized, data_prop=True).graph
    except Exception:  # written in C++; a network that can't be followed may still run
        return _UNKNOWN
    total, known = 0, 0
    for value in (*inferred.value_info, *inferred.output):
        dims = value.type.tensor_type.shape.dim
        if not dims or not all(dim.HasField("dim_value") for dim in dims):
            continue
        size = math.prod(dim.dim_value for dim in dims)
        if size > _LARGEST_TENSOR:
            raise ModelError("The ONNX network needs more memory than any genuine one: get a new copy of it.")
        known += 1
        total += 4 * size
    return total / n_pixels if 2 * known > len(model.graph.node) else max(total / n_pixels, _UNKNOWN)


def _require_standard(node: Any) -> None:
    if node.domain not in _DOMAINS:
        raise ModelError(
            f"The ONNX network has the step {node.domain[:50]}.{node.op_type[:50]}, which is not standard "
            "ONNX: export it without."
        )
    if node.op_type in _ENDLESS:
        raise ModelError(
            f"The ONNX network has the step {node.op_type}, which could run without end: export it without."
        )


def _parts(message: Any, depth: int = 0) -> Iterator[Any]:
    """Yield a message of protobuf and all messages in it."""
    if depth > _DEEPEST:
        raise ModelError("The ONNX network is nested too deeply: get a new copy of it.")
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if _is_repeated(field) else (value,):
                yield from _parts(part, depth + 1)


def _is_repeated(field: Any) -> bool:
    """Return whether a field is a list; protobuf has another name for this since version 6."""
    repeated = getattr(field, "is_repeated", None)
    return bool(field.label == field.LABEL_REPEATED if repeated is None else repeated)
