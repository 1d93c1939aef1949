"""Registries that a config chooses from; Hydra groups are made from them.

Items are named here and imported when they are asked for, so that this module stays below all others.
"""

from __future__ import annotations

from typing import Any

from segloop.core.errors import ModelError
from segloop.core.registry import Registry

TARGETS: Registry[Any] = Registry(
    "segloop.targets",
    "target",
    {
        "instance": "segloop.targets.instance:InstanceTarget",
        "semantic": "segloop.targets.semantic:SemanticTarget",
    },
    ModelError,
)
"""What a network can learn; items are subclasses of `segloop.targets.Target`."""
