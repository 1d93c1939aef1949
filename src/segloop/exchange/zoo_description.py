"""What a package of the BioImage Model Zoo says about a model (specification 0.5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segloop.artifacts.model.card import ModelCard, NormalisationCard
from segloop.core.errors import ModelError
from segloop.exchange.onnx_weights import INPUT, OPSET, OUTPUT

TOLERANCE = 1e-4
"""Largest difference between maps computed by ONNX and by torch."""

_SHORTEST_NAME, _LONGEST_NAME = 5, 128
_LONGEST_DESCRIPTION = 1024


def describe(
    card: ModelCard,
    map_names: Sequence[str],
    authors: Sequence[str],
    files: Path,
    attached: str,
    stamp: str,
) -> Any:
    """Return the ``ModelDescr`` of a model whose files are in a folder.

    Parameters
    ----------
    card : ModelCard
        Of the model.
    map_names : sequence of str
        Names of the outputs.
    authors : sequence of str
        Who made the model; at least one.
    files : path
        Folder of ``weights.onnx``, ``test_input.npy``, ``test_output.npy`` and ``README.md``.
    attached : str
        Name of a further file there: the model as Segloop reads it.
    stamp : str
        When the model was made (ISO 8601).

    Raises
    ------
    ModelError
        If something of the model can't be said in this format.
    """
    from bioimageio.spec.common import FileDescr
    from bioimageio.spec.model import v0_5 as spec
    from pydantic import ValidationError

    try:
        return spec.ModelDescr(
            name=_name(card.name),
            description=(card.description or f"Segmentation model '{card.name}', made with Segloop.")[
                :_LONGEST_DESCRIPTION
            ],
            authors=[spec.Author(name=name) for name in authors],
            cite=_citations(card),
            license=card.license or None,
            documentation=FileDescr(source=files / "README.md"),
            attachments=[FileDescr(source=files / attached)],
            tags=[
                "segmentation",
                f"{len(card.axes)}d",
                "unet" if card.network["name"] == "unet" else "pytorch",
            ],
            inputs=[_input(card, files)],
            outputs=[_output(card, map_names, files)],
            weights=spec.WeightsDescr(
                onnx=spec.OnnxWeightsDescr(source=files / "weights.onnx", opset_version=OPSET)
            ),
            timestamp=spec.Datetime.model_validate(stamp),
            config=spec.Config(
                bioimageio=spec.BioimageioConfig(
                    reproducibility_tolerance=[
                        spec.ReproducibilityTolerance(
                            relative_tolerance=TOLERANCE,
                            absolute_tolerance=TOLERANCE,
                            mismatched_elements_per_million=0,
                        )
                    ]
                )
            ),
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            f"The model '{card.name}' can't be described for the zoo: {place}: {first['msg']}."
        ) from error


def least_size(card: ModelCard) -> list[int]:
    """Return the least size, in pixels per axis of the card, of which something is left without the halo."""
    halo = card.halo or [0] * len(card.stride)
    return [step * (-(-(2 * reach + 1) // step)) for step, reach in zip(card.stride, halo, strict=True)]


def _input(card: ModelCard, files: Path) -> Any:
    from bioimageio.spec.common import FileDescr
    from bioimageio.spec.model import v0_5 as spec

    scale = card.normalisation
    assert isinstance(scale, NormalisationCard)  # of a model that was trained here
    space = [
        spec.SpaceInputAxis(id=spec.AxisId(name), size=spec.ParameterizedSize(min=least, step=step), **length)
        for name, least, step, length in zip(
            card.axes.lower(), least_size(card), card.stride, _lengths(card), strict=True
        )
    ]
    axes = tuple(spec.AxisId(name) for name in card.axes.lower())
    return spec.InputTensorDescr(
        id=spec.TensorId(INPUT),
        description="Intensities as they were measured.",
        axes=[spec.BatchAxis(), _channels(card.recipe.channels), *space],
        test_tensor=FileDescr(source=files / "test_input.npy"),
        preprocessing=[
            spec.ScaleRangeDescr(
                kwargs=spec.ScaleRangeKwargs(min_percentile=scale.low, max_percentile=scale.high, axes=axes)
            ),
            spec.ClipDescr(kwargs=spec.ClipKwargs(min=scale.clip_low, max=scale.clip_high)),
        ],
    )


def _output(card: ModelCard, map_names: Sequence[str], files: Path) -> Any:
    from bioimageio.spec.common import FileDescr
    from bioimageio.spec.model import v0_5 as spec

    axes: list[Any] = [spec.BatchAxis(), _channels(map_names)]
    for axis, (name, length) in enumerate(zip(card.axes.lower(), _lengths(card), strict=True)):
        size = spec.SizeReference(tensor_id=spec.TensorId(INPUT), axis_id=spec.AxisId(name))
        reach = card.halo[axis] if card.halo else 0
        if reach:
            axes.append(spec.SpaceOutputAxisWithHalo(id=spec.AxisId(name), size=size, halo=reach, **length))
        else:
            axes.append(spec.SpaceOutputAxis(id=spec.AxisId(name), size=size, **length))
    return spec.OutputTensorDescr(
        id=spec.TensorId(OUTPUT),
        description=f"Maps between 0 and 1: {', '.join(map_names)}.",
        axes=axes,
        test_tensor=FileDescr(source=files / "test_output.npy"),
    )


def _channels(names: Sequence[str]) -> Any:
    """Return a channel axis; its names must be identifiers."""
    from bioimageio.spec.model import v0_5 as spec

    safe = [re.sub(r"\W", "_", name) for name in names]
    if len(set(safe)) < len(safe) or not all(name.isidentifier() for name in safe):
        safe = [f"channel{number}" for number in range(len(names))]
    return spec.ChannelAxis(channel_names=[spec.Identifier(name) for name in safe])


def _lengths(card: ModelCard) -> list[dict[str, Any]]:
    """Return the length of a pixel along each axis as the axis says it; nothing where one is unknown."""
    sizes = card.pixel_size_um[-len(card.axes) :]
    return [{} if None in sizes else {"scale": size, "unit": "micrometer"} for size in sizes]


def _name(name: str) -> str:
    """Return a name of the characters that the zoo accepts."""
    plain = re.sub(r"[^a-zA-Z0-9_ +()-]", "-", name)
    return (plain if len(plain) >= _SHORTEST_NAME else f"{plain} model")[:_LONGEST_NAME]


def _citations(card: ModelCard) -> list[Any]:
    """Return what to cite, as far as it names an address; all of it is in the README too."""
    from bioimageio.spec.common import HttpUrl
    from bioimageio.spec.model import v0_5 as spec

    found = []
    for text in card.cite:
        address = re.search(r"(?:https?://)?[\w-]+(?:\.[\w-]+)+/[\w./-]*\w", text)
        if address is not None:
            url = address.group() if "://" in address.group() else f"https://{address.group()}"
            found.append(spec.CiteEntry(text=text, url=HttpUrl(url)))
    return found
