"""Settings that depend on a choice from a registry: a Hydra group for each, its options beside the choice.

Such a part of a config is a dataclass with the chosen name and ``options``. In YAML files and overrides the
options stand beside the name, ``target: {kind: semantic, classes: 3}``, as Hydra's groups have them.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segloop.config.registries import TARGETS
from segloop.config.train import AUTO, TrainConfig
from segloop.core.errors import ConfigError, SegloopError
from segloop.core.registry import Registry


@dataclass(frozen=True)
class Group:
    """A part of a config whose options are those of an item of a registry.

    Attributes
    ----------
    schema : type
        The config.
    field : str
        Name of the part, and of the Hydra group.
    key : str
        Name of the part's field that holds the choice.
    registry : Registry
        What there is to choose from; the class attribute ``options_type`` of an item is a pydantic class
        with the methods of `segloop.targets.ParameterSet`.
    automatic : str
        Name of the choice that is made later, by the data; empty if there is none. It has no options.
    """

    schema: type
    field: str
    key: str
    registry: Registry[Any]
    automatic: str = ""

    def names(self) -> tuple[str, ...]:
        """Return all choices."""
        return (*([self.automatic] if self.automatic else []), *self.registry.names())

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the name and all options of a choice, checked and with defaults filled in.

        Raises
        ------
        SegloopError
            If there is no such item, it can't be imported, or an option is not valid.
        """
        options = {name: value for name, value in values.items() if name != self.key}
        name = str(values.get(self.key) or self._default)
        return {self.key: name} | self._options(name, options)

    def defaults(self, name: str) -> dict[str, Any]:
        """Return the name and the default options of an item; the name alone if it can't be imported."""
        try:
            return {self.key: name} | self._options(name, {})
        except SegloopError:
            return {self.key: name}  # `complete` says why once the item is chosen

    @property
    def _default(self) -> str:
        return str(getattr(getattr(self.schema(), self.field), self.key))

    @property
    def _example(self) -> str:
        return self.registry.names()[-1]

    def _options(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        if self.automatic and name == self.automatic:
            if options:
                key = f"{self.field}.{next(iter(options))}"
                raise ConfigError(
                    f"{key} depends on the choice: set {self.field}, for example to {self._example}."
                )
            return {}
        options_type: Any = self.registry.get(name).options_type
        values: dict[str, Any] = options_type.from_values(options, self.field).values()
        return values


GROUPS: tuple[Group, ...] = (Group(TrainConfig, "target", "kind", TARGETS, AUTO),)
"""All such parts."""


def flat(schema: type, values: dict[str, Any]) -> dict[str, Any]:
    """Return a config's plain values with the options beside their choice."""
    for group in _of(schema):
        part = values[group.field]
        values = {**values, group.field: {group.key: part[group.key], **part["options"]}}
    return values


def nested(schema: type, values: dict[str, Any]) -> dict[str, Any]:
    """Undo `flat`, with all options checked and filled in.

    Raises
    ------
    ConfigError
        If a choice does not exist, or an option is not valid.
    """
    for group in _of(schema):
        part = values.get(group.field)
        if part is None:
            continue
        if not isinstance(part, dict):
            raise ConfigError(f"{group.field}={part} is not valid: set {group.field}.{group.key}.")
        try:
            options = group.complete(part)
        except SegloopError as error:
            raise ConfigError(str(error)) from error
        values = {**values, group.field: {group.key: options.pop(group.key), "options": options}}
    return values


def open_node(schema: type) -> Any:
    """Return a config's schema as OmegaConf's node in which groups and dicts of values take any names."""
    from omegaconf import OmegaConf

    groups = {group.field for group in _of(schema)}
    hints = typing.get_type_hints(schema)
    parts: list[tuple[str, Any, Any]] = []
    for field in dataclasses.fields(schema):
        if field.name in groups:
            parts.append((field.name, dict[str, Any], dataclasses.field(default_factory=dict)))
        elif field.default_factory is not dataclasses.MISSING:
            factory = field.default_factory
            parts.append((field.name, hints[field.name], dataclasses.field(default_factory=factory)))
        else:
            parts.append((field.name, hints[field.name], dataclasses.field(default=field.default)))
    node = OmegaConf.structured(dataclasses.make_dataclass(schema.__name__, parts))
    for name in groups:
        OmegaConf.set_struct(node[name], False)
    _open_dicts(node, schema, groups)
    return node


def _open_dicts(node: Any, schema: type, groups: set[str]) -> None:
    """Let dicts of values take any names, at every depth."""
    from omegaconf import OmegaConf

    for name, hint in typing.get_type_hints(schema).items():
        if typing.get_origin(hint) is dict:
            OmegaConf.set_struct(node[name], False)
        elif dataclasses.is_dataclass(hint) and name not in groups:
            _open_dicts(node[name], typing.cast(type, hint), set())


def _of(schema: type) -> list[Group]:
    return [group for group in GROUPS if group.schema is schema]
