"""Whether a training can start from a model."""

from __future__ import annotations

from segloop.artifacts.model.model import Model
from segloop.core.errors import ModelError
from segloop.core.wording import counted
from segloop.networks.registry import ONNX
from segloop.targets import Target


def example_channels(n_channels: int) -> str:
    """Return an example of the setting that chooses channels, as part of an advice."""
    return f"such as recipe.channels=[{','.join(map(str, range(n_channels)))}]"


def require_compatible(model: Model, target: Target, n_channels: int, name: str) -> None:
    """Check that a training can start from a model.

    Raises
    ------
    ModelError
        If the model can't be trained, or has other dimensions, channels or outputs.
    """
    spec, own = model.network_spec, model.target()
    if spec.name == ONNX:
        raise ModelError(
            f"The model {name} is an ONNX network, which can't be trained: start from another model, "
            "or from scratch."
        )
    if spec.dims != target.dims:
        raise ModelError(
            f"The model {name} is for {spec.dims}D images, the training is {target.dims}D: "
            "start from another model, or from scratch."
        )
    if spec.in_channels != n_channels:
        inputs = ", ".join(model.card.recipe.build().names)
        raise ModelError(
            f"The model {name} has {counted(spec.in_channels, 'channel')} "
            f"({inputs}), "
            f"the training has {n_channels}: choose them under Channels "
            f"({example_channels(spec.in_channels)}), or start from scratch."
        )
    if (own.name, own.options) != (target.name, target.options):
        raise ModelError(
            f"The model {name} learned the target {own.name} ({own.summary()}), the training is for "
            f"{target.name} ({target.summary()}): choose the same target, or start from scratch."
        )
