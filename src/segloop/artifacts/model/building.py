"""A network with its weights, neither of which is trusted: both may come from a stranger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.core.errors import ModelError
from segloop.networks import NetworkSpec, build_network

if TYPE_CHECKING:
    from torch import Tensor, nn

_MODULES_PER_WEIGHT = 20
_MOST_MODULES = 2_000  # of a network with few weights


class _TooManyModulesError(Exception):
    """The network has far more parts than there are weights for."""


def build_with_weights(spec: NetworkSpec, content: bytes, path: Path) -> nn.Module:
    """Build a network in evaluation mode on the CPU and give it its weights.

    It is first built without memory for its weights, whose shapes are compared with those that are there. So
    a description of a network of any size costs neither much time nor much memory.

    Parameters
    ----------
    spec : NetworkSpec
        What to build.
    content : bytes
        Weights, as safetensors.
    path : Path
        Of the model, for messages.

    Raises
    ------
    ModelError
        If the weights can't be read, the network can't be built, or they do not fit.
    """
    import safetensors.torch
    import torch

    try:
        weights = safetensors.torch.load(content)
    except Exception as error:  # a stranger's header may raise anything
        raise ModelError(
            f"The weights of the model {path} can't be read ({first_line(error)}): get a new copy of it."
        ) from error
    try:
        with _at_most(_MOST_MODULES + _MODULES_PER_WEIGHT * len(weights)):
            with torch.device("meta"):
                skeleton = build_network(spec)
            _require_fit(skeleton, weights, path)
            network = build_network(spec)
    except ModelError:
        raise
    except _TooManyModulesError as error:
        raise ModelError(
            f"The network of the model {path} has more parts than there are weights: get a new copy of it."
        ) from error
    except Exception as error:  # the arguments of a network may raise anything as well
        raise ModelError(
            f"The network of the model {path} can't be built ({first_line(error)}): get a new copy of it."
        ) from error
    network.load_state_dict(weights, strict=False)  # aliases of a weight are stored once
    return network.eval()


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, shortened."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


@contextmanager
def _at_most(modules: int) -> Iterator[None]:
    """Raise `_TooManyModulesError` as soon as the body has built more modules than this, for each network."""
    from torch.nn.modules.module import register_module_module_registration_hook

    count = 0

    def on_module(*_: object) -> None:
        nonlocal count
        count += 1
        if count > 2 * modules:  # the network is built twice
            raise _TooManyModulesError

    hook = register_module_module_registration_hook(on_module)
    try:
        yield
    finally:
        hook.remove()


def _require_fit(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Raise `ModelError` unless names and shapes of the weights are those of the network."""
    own = network.state_dict(keep_vars=True)
    # On the meta device tensors have no memory by which to recognise two names of one weight.
    stored = {id(own[name]) for name in weights if name in own}
    missing = [name for name, tensor in own.items() if name not in weights and id(tensor) not in stored]
    unknown = [name for name in weights if name not in own]
    differ = [name for name in weights if name in own and own[name].shape != weights[name].shape]
    if missing or unknown or differ:
        first = (missing + unknown + differ)[0]
        raise ModelError(
            f"The weights of the model {path} do not fit its network ({first}): get a new copy of it."
        )
