"""The test that goes along with a model: raw pixels, and what the network gives for them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.model.card import ModelCard
from segloop.artifacts.model.file_names import TEST_INPUT, TEST_OUTPUT
from segloop.core.errors import ModelError
from segloop.images.image import Image
from segloop.images.scaling import Scaling
from segloop.networks import NetworkSpec

if TYPE_CHECKING:
    from torch import nn

_TOLERANCE = 1e-2
_MOST_VALUES = 2**24  # of a test input; those that are made here have far fewer


def network_inputs(card: ModelCard, pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return what the network gets for raw pixels, which are taken for a whole image.

    Parameters
    ----------
    card : ModelCard
        Says how to normalise them, and what to compute from them.
    pixels : (C, [Z,] Y, X), any real type
        The channels of the card's recipe.

    Returns
    -------
    (N, [Z,] Y, X) float32
        The inputs of the network.

    Raises
    ------
    ConfigError
        If the card's recipe can't be applied.
    """
    name = f"The test of the model '{card.name}'"
    scaled = normalised(pixels, card.recipe.channels, card.normalisation.build(), name)
    sizes = pixels.shape[1:]
    inputs = card.recipe.build().apply(scaled.reshape(len(scaled), *(1,) * (3 - len(sizes)), *sizes))
    return np.ascontiguousarray(inputs.reshape(len(inputs), *sizes))


def normalised(
    pixels: NDArray[Any], names: Sequence[str], scaling: Scaling, name: str
) -> NDArray[np.float32]:
    """Return raw pixels (C, [Z,] Y, X), which are taken for a whole image, as a scaling leaves them.

    Parameters
    ----------
    pixels : (C, [Z,] Y, X), any real type
        Some channels.
    names : sequence of str
        Of the channels.
    scaling : Scaling
        How intensities are scaled.
    name : str
        Of the image, for messages.
    """
    sizes = pixels.shape[1:]
    block = pixels.reshape(len(pixels), *(1,) * (3 - len(sizes)), *sizes)
    image = Image.from_array(block, "CZYX", names, name=name)
    ranges = scaling.measure(image, 0, range(len(block))).ranges
    scaled: NDArray[np.float32] = scaling.apply(block, ranges).reshape(pixels.shape)
    return scaled


def run_test(card: ModelCard, network: nn.Module, test_input: NDArray[Any]) -> NDArray[np.float32]:
    """Return the outputs (K, [Z,] Y, X) of a network, in evaluation mode on the CPU, for a test input."""
    import torch

    inputs = network_inputs(card, test_input) if card.test_input == "pixels" else test_input
    with torch.inference_mode():
        output: NDArray[np.float32] = network(torch.from_numpy(inputs)[None])[0].numpy()
    return output


def require_expected(path: Path, output: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Raise `ModelError` unless an output is the expected one, but for rounding."""
    same_shape = output.shape == expected.shape
    difference = float(np.abs(output - expected).max(initial=0)) if same_shape else np.inf
    if not difference <= _TOLERANCE * (1 + float(np.abs(expected).max(initial=0))):
        raise ModelError(
            f"The model {path} does not give its expected output here (off by {difference:.3g}): "
            "get a new copy of it, or install the package versions that its card names."
        )


def require_fit(card: ModelCard, test_input: NDArray[Any], test_output: NDArray[Any] | None = None) -> None:
    """Raise `ModelError` unless the shapes of a test are those of the card's network."""
    spec = NetworkSpec.from_dict(card.network)
    sizes = test_input.shape[1:]
    n_channels = len(card.recipe.channels) if card.test_input == "pixels" else spec.in_channels
    if (
        test_input.shape[:1] != (n_channels,)
        or (test_output is not None and test_output.shape != (spec.out_channels, *sizes))
        or len(sizes) != spec.dims
        or 0 in sizes
        or any(size % step for size, step in zip(sizes, card.stride, strict=True))
    ):
        output = "" if test_output is None else f"output {test_output.shape}, "
        raise ModelError(
            f"The test of the model '{card.name}' does not fit its network: input {test_input.shape}, "
            f"{output}stride {card.stride}. Get a new copy of it."
        )


def array_bytes(array: NDArray[Any]) -> bytes:
    """Return an array as the content of an ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def read_test(
    card: ModelCard, parts: Mapping[str, bytes], path: Path
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the test input and its expected output from the contents of their files.

    Raises
    ------
    ModelError
        If one is damaged, or they do not fit the card.
    """
    kinds = "iuf" if card.test_input == "pixels" else "f"
    test_input = _as_array(parts[TEST_INPUT], TEST_INPUT, kinds, path)
    if card.test_input == "inputs":
        test_input = test_input.astype(np.float32)
    test_output = _as_array(parts[TEST_OUTPUT], TEST_OUTPUT, "f", path).astype(np.float32)
    if test_input.size > _MOST_VALUES:
        raise ModelError(
            f"{TEST_INPUT} of the model {path} is too large to be genuine: get a new copy of it."
        )
    require_fit(card, test_input, test_output)
    return test_input, test_output


def _as_array(content: bytes, name: str, kinds: str, path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        if array.dtype.kind not in kinds:
            raise ValueError(f"values of the type {array.dtype}")
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    except Exception as error:  # a stranger's header may raise anything
        raise ModelError(f"{name} of the model {path} is damaged: get a new copy of it.") from error
