"""Packages of the BioImage Model Zoo as others would make them, without Segloop's export."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

REACH = 2  # of the network, in pixels


def onnx_file(
    weights: np.ndarray, activation: str = "", sizes: tuple[Any, ...] = (), reach: int = REACH
) -> bytes:
    """Return an ONNX file of one convolution (M, C, ..., odd sizes), and an activation after it."""
    import onnx

    helper = onnx.helper
    names = sizes or tuple("zyx"[-(weights.ndim - 2) :])
    steps = [helper.make_node("Conv", ["in", "weights"], ["conv"], pads=[reach] * (2 * len(names)))]
    if activation:
        more = {"axis": 1} if activation == "Softmax" else {}
        steps.append(helper.make_node(activation, ["conv"], ["out"], **more))
    tensors = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ("batch", channels, *names))
        for name, channels in (("in", weights.shape[1]), ("out" if activation else "conv", len(weights)))
    ]
    graph = helper.make_graph(
        steps, "others", tensors[:1], tensors[1:], [onnx.numpy_helper.from_array(weights, "weights")]
    )
    opset = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return content


def random_weights(n_outputs: int = 1, n_inputs: int = 1, dims: int = 2, seed: int = 3) -> np.ndarray:
    shape = (n_outputs, n_inputs, *(2 * REACH + 1,) * dims)
    return np.random.default_rng(seed).normal(0, 0.2, shape).astype(np.float32)


def description(
    preprocessing: list[dict[str, Any]],
    postprocessing: list[dict[str, Any]],
    inputs: tuple[str, ...] = ("dna",),
    outputs: tuple[str, ...] = ("nuclei",),
    dims: int = 2,
    size: Any = None,
    halo: int = REACH,
) -> dict[str, Any]:
    """Return a description of the specification 0.5."""
    space = "zyx"[-dims:]
    size = size or {"min": 8, "step": 2}
    reach = {} if isinstance(size, int) else {"halo": halo}
    return {
        "format_version": "0.5.3",
        "type": "model",
        "name": "Nuclei of others",
        "description": "Finds nuclei.",
        "authors": [{"name": "Someone Else"}],
        "cite": [{"text": "A paper", "doi": "10.1000/182"}],
        "license": "CC-BY-4.0",
        "documentation": {"source": "README.md"},
        "timestamp": "2024-05-02T10:00:00",
        "inputs": [
            {
                "id": "raw",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": list(inputs)},
                    *(
                        {"type": "space", "id": a, "size": size, "scale": 250.0, "unit": "nanometer"}
                        for a in space
                    ),
                ],
                "test_tensor": {"source": "test_input.npy"},
                "preprocessing": preprocessing,
            }
        ],
        "outputs": [
            {
                "id": "prediction",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": list(outputs)},
                    *(
                        {
                            "type": "space",
                            "id": a,
                            "size": size if isinstance(size, int) else {"tensor_id": "raw", "axis_id": a},
                            "scale": 250.0,
                            "unit": "nanometer",
                        }
                        | reach
                        for a in space
                    ),
                ],
                "test_tensor": {"source": "test_output.npy"},
                "postprocessing": postprocessing,
            }
        ],
        "weights": {"onnx": {"source": "weights.onnx", "opset_version": 17}},
    }


def npy(array: np.ndarray, **how: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array, **how)
    return content.getvalue()


def write_package(
    path: Path, rdf: dict[str, Any], weights: bytes, given: np.ndarray, expected: np.ndarray, **more: bytes
) -> Path:
    """Write a package, a zip if the name ends so, else a folder; ``more`` replaces files by name."""
    parts: dict[str, bytes] = {
        "rdf.yaml": yaml.safe_dump(rdf, sort_keys=False).encode(),
        "README.md": b"# Nuclei\n",
        "weights.onnx": weights,
        "test_input.npy": npy(given),
        "test_output.npy": npy(expected),
    } | more
    if path.suffix != ".zip":
        path.mkdir()
        for name, content in parts.items():
            (path / name).write_bytes(content)
        return path
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def complete_package(
    path: Path, rdf: dict[str, Any], weights: bytes, given: np.ndarray, **more: bytes
) -> Path:
    """Write a package whose expected output is what bioimageio.core computes."""
    draft = path.with_name(f"draft-{path.stem}")
    write_package(
        draft,
        rdf,
        weights,
        given,
        np.zeros((1, len(rdf["outputs"][0]["axes"][1]["channel_names"]), *given.shape[2:]), np.float32),
    )
    return write_package(path, rdf, weights, given, core_prediction(draft, given), **more)


def core_prediction(package: Path, given: np.ndarray) -> np.ndarray:
    """Return what bioimageio.core computes of an array, which it takes as it is, without padding."""
    import warnings

    from bioimageio.core import create_prediction_pipeline
    from bioimageio.core.digest_spec import create_sample_for_model
    from bioimageio.spec import load_model_description

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        described = load_model_description(package, format_version="latest", perform_io_checks=False)
        sample = create_sample_for_model(model=described, inputs={"raw": given}, sample_id="test")
        with create_prediction_pipeline(described) as pipeline:
            found = pipeline.predict_sample_without_blocking(
                sample, skip_input_padding=True, skip_output_cropping=True
            )
    return np.asarray(found.members["prediction"].data.values)
