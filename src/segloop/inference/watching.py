"""Following a forward pass from layer to layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def watched(network: nn.Module, advance: Callable[[float], None]) -> Iterator[None]:
    """Call ``advance`` before each layer with the share of layers that are done; it may raise to end it."""
    leaves = [
        module
        for module in network.modules()
        if not isinstance(module, nn.Identity) and not any(True for _ in module.children())
    ]
    started = 0

    def before(_: nn.Module, __: object) -> None:
        nonlocal started
        advance(min(1.0, started / len(leaves)))
        started += 1

    hooks = [module.register_forward_pre_hook(before) for module in leaves]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
