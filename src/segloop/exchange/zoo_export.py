"""Export to a package of the BioImage Model Zoo (bioimage.io), with ONNX weights."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.model.card import ModelCard, NormalisationCard
from segloop.artifacts.model.files import new_zip, write_zip
from segloop.core.context import Context
from segloop.core.errors import ModelError
from segloop.exchange.quiet import quiet, require_packages
from segloop.networks.registry import ONNX

if TYPE_CHECKING:
    from segloop.artifacts.model.model import Model

_PACKAGES = ("bioimageio.core", "onnx", "onnxruntime", "onnxscript")
ATTACHED = "segloop-model.zip"
"""Name of the model as Segloop reads it, in a package."""


def export_to_zoo(
    model: Model,
    file: str | os.PathLike[str],
    authors: Sequence[str],
    *,
    license: str = "",
    context: Context | None = None,
) -> Path:
    """Write a model as a package of the BioImage Model Zoo (specification 0.5), with ONNX weights.

    The package computes the maps of a model from raw intensities. Objects are made of them by Segloop, whose
    own model file is attached. Before the package is put in place, its maps are compared with those of the
    model, and ``bioimageio.core`` tests it.

    Parameters
    ----------
    model : Model
        The model.
    file : path
        The zip file to write; ``.zip`` is added if it is missing.
    authors : sequence of str
        Names of those who made the model.
    license : str, optional
        SPDX identifier, such as ``"CC-BY-4.0"``; that of the model's card if not given.
    context : Context, optional
        Receives progress, and may cancel.

    Returns
    -------
    path
        The file.

    Raises
    ------
    ModelError
        If the model can't be described or written like this, its maps differ, the test fails, something is
        not installed, or the file exists or can't be written.
    Cancelled
        If the context asks to stop.
    """
    context = context or Context()
    require_packages(*_PACKAGES)
    path, taken = new_zip(file)
    if not authors:
        raise ModelError("A package of the zoo names its authors: say who made the model.")
    card = model.card if not license else model.card.model_copy(update={"license": license})
    _require_describable(card)
    # The zoo's library leaves files open, which can't be removed on Windows.
    with tempfile.TemporaryDirectory(prefix="segloop-", ignore_cleanup_errors=True) as folder:
        package = _build(model, card, authors, Path(folder), context)
        _test(package, context)
        with zipfile.ZipFile(package) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        context.check()
        write_zip(path, parts, taken)
    return path


def _build(model: Model, card: ModelCard, authors: Sequence[str], folder: Path, context: Context) -> Path:
    """Write the files of a package and the package itself; return its path."""
    from segloop.artifacts.model.self_test import network_inputs
    from segloop.exchange.onnx_weights import run_onnx, write_onnx
    from segloop.exchange.zoo_description import TOLERANCE, describe, least_size

    target, network = model.target(), model.network()
    pixels = _test_pixels(model, least_size(card))
    inputs = network_inputs(card, pixels)
    context.progress(0, 3, "Writing the network as ONNX")
    write_onnx(network, target.activation, card.stride, folder / "weights.onnx")
    context.check()
    maps, expected = run_onnx(folder / "weights.onnx", inputs), _maps(network, target.activation, inputs)
    difference = float(np.abs(maps - expected).max())
    if not difference <= TOLERANCE:
        raise ModelError(
            f"The maps of the model '{card.name}' as ONNX differ by up to {difference:.2g} from its own, "
            f"which is more than {TOLERANCE:g}; nothing was written."
        )
    np.save(folder / "test_input.npy", pixels[None].astype(np.float32), allow_pickle=False)
    np.save(folder / "test_output.npy", expected[None], allow_pickle=False)
    names = [each.name for each in target.maps]
    (folder / "README.md").write_text(_readme(card, names), encoding="utf-8")
    model.export(folder / ATTACHED)
    stamp = card.provenance.get("created") or datetime.now(UTC).isoformat(timespec="seconds")
    context.progress(1, 3, "Writing the package")
    described = describe(card, names, authors, folder, ATTACHED, str(stamp))
    return _package(described, folder / "package.zip")


def _package(described: Any, path: Path) -> Path:
    from bioimageio.spec import save_bioimageio_package

    with quiet():
        save_bioimageio_package(described, output_path=path)
    return path


def _test(package: Path, context: Context) -> None:
    """Raise `ModelError` unless a package is valid and gives its test output."""
    from bioimageio.core import test_model

    context.progress(2, 3, "Testing the package")
    with quiet():
        summary = test_model(package)
    if summary.status == "failed":
        reasons = [error.msg for detail in summary.details for error in detail.errors]
        raise ModelError(f"The package fails the test of bioimageio.core: {'; '.join(reasons)}")


def _readme(card: ModelCard, map_names: Sequence[str]) -> str:
    """Return the documentation that goes into a package."""
    lines = [
        f"# {card.name}",
        "",
        card.description or "A segmentation model made with Segloop (napari-segloop).",
        "",
        f"The network turns raw intensities into maps between 0 and 1: {', '.join(map_names)}. "
        "Intensities are scaled by the percentiles that the package declares, measured over a whole image.",
        "",
        f"Segloop makes objects of the maps. Its own model is attached as `{ATTACHED}`: "
        f"`segloop model import {ATTACHED}` brings it back with its parameters "
        f"({', '.join(f'{name} {value}' for name, value in card.parameters.items()) or 'none'}).",
        "",
        "## Images",
        "",
        f"- Axes {card.axes}; channels: {', '.join(card.recipe.channels)}.",
    ]
    if card.object_diameter:
        size = f"{card.object_diameter:g} pixels"
        lines.append(f"- Objects should be about {size} in diameter: resample the image first.")
    if None not in card.pixel_size_um[-len(card.axes) :]:
        sizes = " x ".join(f"{size:g}" for size in card.pixel_size_um[-len(card.axes) :] if size is not None)
        lines.append(f"- Pixel size of the training images: {sizes} micrometres.")
    lines += ["", "## Validation", "", "Scores when it was trained:", ""]
    lines += [f"- {name}: {value}" for name, value in card.provenance.get("scores", {}).items()]
    if card.cite:
        lines += ["", "## Cite", "", *(f"- {text}" for text in card.cite)]
    return "\n".join(lines) + "\n"


def _test_pixels(model: Model, least: Sequence[int]) -> NDArray[Any]:
    """Return the raw pixels (C, [Z,] Y, X) of the model's own test, mirrored until they are large enough."""
    pixels = model.test_input()
    wanted = [max(size, low) for size, low in zip(pixels.shape[1:], least, strict=True)]
    missing = [(0, size - had) for size, had in zip(wanted, pixels.shape[1:], strict=True)]
    return np.pad(pixels, [(0, 0), *missing], mode="symmetric")


def _maps(network: Any, activation: str, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    import torch

    from segloop.networks.activation import activate

    with torch.inference_mode():
        maps: NDArray[np.float32] = activate(network(torch.from_numpy(inputs)[None]), activation)[0].numpy()
    return maps


def _require_describable(card: ModelCard) -> None:
    if card.network["name"] == ONNX or not isinstance(card.normalisation, NormalisationCard):
        raise ModelError(
            f"The model '{card.name}' was imported from a package of the zoo: share that package instead."
        )
    used = [each.channels[0] for each in card.recipe.inputs if each.operation == "pick"]
    if len(used) < len(card.recipe.inputs) or used != card.recipe.channels:
        raise ModelError(
            f"The model '{card.name}' computes its inputs from several channels, which a package of the zoo "
            "can't describe. Only models whose inputs are channels as they are can be exported."
        )
