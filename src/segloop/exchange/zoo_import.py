"""Import of packages of the BioImage Model Zoo (bioimage.io) with ONNX weights."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.model.card import ModelCard, RecipeCard, TargetCard, card_name
from segloop.artifacts.model.model import Model, place_for
from segloop.artifacts.model.self_test import normalised
from segloop.core.context import Context
from segloop.core.errors import ModelError
from segloop.core.wording import counted
from segloop.exchange.zoo_export import ATTACHED
from segloop.exchange.zoo_package import RefusalError, ZooPackage
from segloop.exchange.zoo_steps import After, steps_after, steps_before
from segloop.exchange.zoo_tensors import Tensor, input_tensor, output_tensor
from segloop.images.recipe import Recipe
from segloop.networks import NetworkSpec, build_network
from segloop.networks.registry import ONNX
from segloop.targets import make_target
from segloop.targets.semantic import MAX_CLASSES

_ACTIVATIONS = ("", "sigmoid", "softmax")
_TOLERANCE = 1e-3  # of a package that does not say how exact it is
_PER_MILLION = 100
_NEAR = 1e-3  # how far beyond 0 and 1 a probability may lie by rounding
_SUM_NEAR = 1e-2
_MOST_TEST_VALUES = 2**22
# What no probability of foreground is called.
_OTHER_OUTPUT = re.compile(r"bound|border|edge|contour|affinit|dist|embed|flow|offset|vector|grad", re.I)


@dataclass(frozen=True)
class Choices:
    """What a package may leave open.

    Attributes
    ----------
    foreground : str
        Name or number of the output channel that is the probability of foreground; empty if it is to follow
        from the package.
    boundary : str
        Name or number of the one that is the probability of a boundary, by which objects are separated; it
        needs a foreground.
    activation : {"", "sigmoid", "softmax"}
        What turns outputs into probabilities where the package declares nothing.
    """

    foreground: str = ""
    boundary: str = ""
    activation: str = ""


def import_from_zoo(
    file: str | os.PathLike[str],
    into: str | os.PathLike[str] | None = None,
    choices: Choices | None = None,
    context: Context | None = None,
) -> Model:
    """Make a model of a package of the zoo, which must reproduce the test that it brings.

    A package that Segloop wrote has Segloop's own model attached; that one is taken.

    Parameters
    ----------
    file : path
        Zip or folder, maybe by a stranger: nothing in it is run but the steps of its ONNX network.
    into : path, optional
        Folder to create the model's folder in; the user's model folder if not given.
    choices : Choices, optional
        What the package leaves open.
    context : Context, optional
        Receives progress, and may cancel.

    Returns
    -------
    Model
        With the name of the file. In ``assumptions`` among its provenance are sentences about what was
        assumed because the package does not say it.

    Raises
    ------
    ModelError
        If the package can't be imported, or something is not installed. Then nothing is written.
    Cancelled
        If the context asks to stop.
    """
    context = context or Context()
    choices = choices or Choices()
    if choices.activation not in _ACTIVATIONS:
        raise ModelError(f"There is no activation '{choices.activation}': choose sigmoid or softmax.")
    if choices.boundary and not choices.foreground:
        raise ModelError("Say also which output is the foreground, or leave out the boundary.")
    place_for(file, into)
    try:
        context.progress(0, 2, "Reading the package")
        package = ZooPackage(file)
        attached = package.attached(ATTACHED)
        with tempfile.TemporaryDirectory(prefix="segloop-") as folder:
            if attached is not None:
                zipped = Path(folder) / "model.zip"
                zipped.write_bytes(attached)
                del attached
                made = Model.load(zipped)
            else:
                made = _make(package, choices, Path(folder) / "model", context)
            context.check()
            return made.install(file, into)
    except RefusalError as refused:
        raise ModelError(f"{os.fspath(file)} can't be imported: {refused}.") from refused


def _make(package: ZooPackage, choices: Choices, folder: Path, context: Context) -> Model:
    """Write a model that does what a package does into a folder."""
    import torch

    from segloop.networks.onnx_network import apply_steps

    described = package.description
    content = package.weights()
    given, found = input_tensor(described), output_tensor(described)
    if given.space != found.space:
        raise RefusalError("its output has other axes than its image; only maps of the image can be used")
    before = steps_before(described.inputs[0].preprocessing, given.letters, given.name, len(given.channels))
    after = steps_after(described.outputs[0].postprocessing, found.letters)
    pixels = given.rearranged(package.array(described.inputs[0].test_tensor))
    expected = found.rearranged(package.array(described.outputs[0].test_tensor))
    spec = _spec(content, given, found, before.steps, after)
    network = _network(spec, content)
    inputs = normalised(pixels, given.channels, before.normalisation.build(), "The test of the package")
    context.progress(1, 2, "Running the test of the package")
    try:
        with torch.inference_mode():
            maps = network.probabilities(torch.from_numpy(inputs)[None])[0].numpy()
    except ModelError as error:
        sentence = str(error).rstrip(".")
        raise RefusalError(sentence[0].lower() + sentence[1:]) from error
    _require_expected(described, after, maps, expected)
    if choices.activation:
        if after.activated:
            raise RefusalError("it says itself what gives probabilities: leave out the activation")
        activation = [choices.activation]
        spec = replace(spec, kwargs=spec.kwargs | {"after": [*after.steps, activation]})
        maps = apply_steps(torch.from_numpy(maps)[None], [activation])[0].numpy()
    chosen, assumptions = _maps(found, maps, choices)
    if chosen:
        spec = replace(spec, out_channels=len(chosen), kwargs=spec.kwargs | {"maps": chosen})
    network = _network(spec, content)
    target = (
        make_target("instance", dims=spec.dims)
        if choices.boundary
        else make_target("semantic", {"classes": max(2, spec.out_channels)}, dims=spec.dims)
    )
    threshold = after.threshold if after.threshold is not None and 0 <= after.threshold <= 1 else None
    parameters = target.parameters.values() | ({} if threshold is None else {"foreground": threshold})
    card = ModelCard(
        name=card_name(package.path.stem),
        axes="YX" if spec.dims == 2 else "ZYX",
        recipe=RecipeCard.of(Recipe.of_channels(given.channels)),
        network=spec.to_dict(),
        target=TargetCard(name=target.name, options=target.options.values()),
        normalisation=before.normalisation,
        pixel_size_um=given.pixel_size_um,
        stride=list(network.stride),
        halo=None if network.halo is None else list(network.halo),
        parameters=parameters,
        provenance=_provenance(described, assumptions),
        description=str(described.description or "")[:2000],
        license=str(described.license or "")[:200],
        cite=[
            " ".join(filter(None, (each.text, str(each.doi or each.url or "")))) for each in described.cite
        ],
    )
    return Model.save(folder, card, network, _fitting(pixels, network.stride))


def _spec(content: bytes, given: Tensor, found: Tensor, before: list[Any], after: After) -> NetworkSpec:
    """Return the network, of which each output is a map."""
    kwargs = {
        "size": len(content),
        "input_axes": given.axes,
        "output_axes": found.axes,
        "minimum": given.minimum,
        "step": given.step,
        "halo": [found.halo[letter] for letter in given.space],
        "before": before,
        "after": after.steps,
        "outputs": len(found.channels),
        "maps": [],
    }
    return NetworkSpec(ONNX, len(given.space), len(given.channels), len(found.channels), kwargs)


def _network(spec: NetworkSpec, content: bytes) -> Any:
    import torch

    network = build_network(spec)
    network.load_state_dict({"file": torch.from_numpy(np.frombuffer(content, np.uint8).copy())})
    return network.eval()


def _require_expected(
    described: Any, after: After, maps: NDArray[np.float32], expected: NDArray[Any]
) -> None:
    """Raise `RefusalError` unless a package gives the output of its own test."""
    if maps.shape != expected.shape:
        raise RefusalError(
            f"its output is of the size {expected.shape[1:]} for an image of {maps.shape[1:]}; only maps "
            "of the size of the image can be used"
        )
    shown = maps if after.threshold is None else maps > after.threshold
    relative, absolute, per_million = _TOLERANCE, _TOLERANCE, float(_PER_MILLION)
    for each in described.config.bioimageio.reproducibility_tolerance:
        if not each.weights_formats or "onnx" in each.weights_formats:
            relative, absolute = each.relative_tolerance, each.absolute_tolerance
            per_million = each.mismatched_elements_per_million
            break
    differ = ~np.isclose(shown, expected, rtol=relative, atol=absolute)
    if differ.sum() > per_million * differ.size / 1e6:
        furthest = float(np.nan_to_num(np.abs(shown - expected.astype(np.float64)), nan=np.inf).max())
        raise RefusalError(
            f"it does not give the output of its own test here (off by up to {furthest:.2g} in "
            f"{100 * differ.mean():.1f} % of the pixels): get a new copy of it, or another "
            "version of onnxruntime"
        )


def _maps(
    found: Tensor, maps: NDArray[np.float32], choices: Choices
) -> tuple[list[list[int]], tuple[str, ...]]:
    """Return from which outputs each map is made, none if each is a class; and what was assumed for that."""
    low, high = float(maps.min()), float(maps.max())
    if not (low >= -_NEAR and high <= 1 + _NEAR):
        raise RefusalError(
            f"its outputs go from {low:.3g} to {high:.3g}, which are no probabilities; if a sigmoid or "
            "softmax makes them so, use `segloop model import` with --activation and its name"
        )
    names = [name or found.name for name in found.channels]
    listed = ", ".join(names[:20])
    if choices.foreground:
        foreground = _number(choices.foreground, names)
        if not choices.boundary:
            return [[foreground]], ()
        # The foreground without boundaries is highest inside objects, which are separated where it is low.
        return [[foreground], [foreground, _number(choices.boundary, names)]], ()
    other = _OTHER_OUTPUT.search(" ".join([found.name, *names]))
    if len(names) == 1 and other is None:
        return [[0]], (f"Its output {names[0]} is taken as the probability of foreground.",)
    if len(names) > 1 and other is None and np.abs(maps.sum(axis=0) - 1).max() < _SUM_NEAR:
        if len(names) == 2:
            return [[1]], (
                f"Of its outputs {listed}, the first is taken as background, the second as foreground.",
            )
        if len(names) <= MAX_CLASSES:
            return [], (f"Its outputs {listed} are taken as classes, the first as background.",)
    raise RefusalError(
        f"it is not clear what its {counted(len(names), 'output')} ({listed}) mean, foreground or classes; "
        "if one is the probability of foreground, use `segloop model import` with --foreground and its name, "
        "and with --boundary if another is that of boundaries"
    )


def _number(wanted: str, names: Sequence[str]) -> int:
    """Return the number of an output that is given by its name or number."""
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    raise RefusalError(f"it has no output {wanted[:50]}: choose among {', '.join(names[:20])}")


def _fitting(pixels: NDArray[Any], stride: Sequence[int]) -> NDArray[Any]:
    """Return the pixels (C, [Z,] Y, X) of the model's own test: not too many, in multiples of the stride."""
    sizes = list(pixels.shape[1:])
    while len(pixels) * np.prod(sizes) > _MOST_TEST_VALUES and max(sizes) > 1:
        longest = int(np.argmax(sizes))
        sizes[longest] = -(-sizes[longest] // 2)
    pixels = pixels[(slice(None), *(slice(size) for size in sizes))]
    missing = [(0, -size % step) for size, step in zip(sizes, stride, strict=True)]
    return np.pad(pixels, [(0, 0), *missing], mode="symmetric")


def _provenance(described: Any, assumptions: Sequence[str]) -> dict[str, Any]:
    """Return where a model comes from."""
    return {
        "created": str(described.timestamp.root)[:40],
        "package": {
            "format": f"bioimage.io {described.format_version}",
            "name": str(described.name),
            "id": str(described.id or ""),
            "version": str(described.version or ""),
            "authors": [str(author.name) for author in described.authors],
        },
        "assumptions": list(assumptions),
    }
