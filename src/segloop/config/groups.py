"""Settings that name items of registries, with the options of the chosen items.

Each such setting is made into a Hydra group, as far as Hydra has a form for it:

- one item, its options beside its name: ``target=semantic target.classes=3``;
- several items: ``augmentation/more=[affine,elastic] augmentation.more.elastic.magnitude=5``;
- an item for each of some terms, which only the target knows: ``loss.distance={name:NAME,power:3}``.
"""

from __future__ import annotations

import dataclasses
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from segloop.config.parameters import options_type_of
from segloop.config.registries import AUGMENTATIONS, LOSSES, NETWORKS, TARGETS
from segloop.config.train import AUTO, TrainConfig
from segloop.core.errors import ConfigError, SegloopError
from segloop.core.registry import Registry

Node = tuple[str, Any, str]
"""Name of an option of a Hydra group, its values, and where in the config they go."""


@dataclass(frozen=True)
class Group(ABC):
    """A part of a config that names items of a registry.

    Attributes
    ----------
    schema : type
        The config.
    path : str
        Dotted path of the part.
    registry : Registry
        What there is to choose from. The options of an item are those of its ``options_type``.
    """

    schema: type
    path: str
    registry: Registry[Any]

    @property
    def hydra_name(self) -> str:
        """Name of the Hydra group."""
        return self.path.replace(".", "/")

    @abstractmethod
    def nodes(self) -> list[Node]:
        """Return the options of the Hydra group; none if it has no such group."""

    @abstractmethod
    def chosen(self, part: Any, value: Any) -> Any:
        """Return the plain values of the part after the group was set to a value."""

    @abstractmethod
    def flat(self, part: Any) -> Any:
        """Return the part as it is in YAML files."""

    @abstractmethod
    def nested(self, part: Any) -> Any:
        """Undo `flat`, with all options checked and filled in.

        Raises
        ------
        SegloopError
            If there is no such item, it can't be imported, or an option is not valid.
        """

    def options(
        self, name: str, values: Mapping[str, Any], prefix: str, reserved: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """Return all options of an item, checked and with defaults filled in."""
        kind = options_type_of(self.registry.get(name))
        taken = [field.name for field in kind.fields() if field.name in reserved]
        if taken:
            raise ConfigError(
                f"The {self.registry.noun} '{name}' can't be used: its option '{taken[0]}' has the name of a "
                f"setting of all {self.registry.noun}s. Report it to the author of its package."
            )
        return kind.from_values(values, prefix, also=reserved).values()


@dataclass(frozen=True)
class OneOf(Group):
    """One item, with its options beside its name and beside the settings that all items have in common.

    In Python such a part is a dataclass with the name, the common settings and ``options``.

    Attributes
    ----------
    key : str
        Name of the part's field that holds the name of the item.
    automatic : str
        Name of the choice that is made later, by the data; empty if there is none. It has no options.
    """

    key: str
    automatic: str = ""

    def names(self) -> tuple[str, ...]:
        """Return all choices."""
        return (*([self.automatic] if self.automatic else []), *self.registry.names())

    def common(self) -> dict[str, Any]:
        """Return the settings that all items have in common, with their defaults as plain values."""
        default = getattr(self.schema(), self.path)
        names = [field.name for field in dataclasses.fields(default)]
        values = {name: getattr(default, name) for name in names if name not in (self.key, "options")}
        return {name: value.name if isinstance(value, Enum) else value for name, value in values.items()}

    def nodes(self) -> list[Node]:
        """Return each item by its name alone; `nested` fills in its options."""
        return [(name, {self.key: name}, self.path) for name in self.names()]

    def chosen(self, part: Any, value: Any) -> Any:
        """Keep what all items have in common, and the options if the item is the same."""
        if part[self.key] == value:
            return part
        return {self.key: value, **{name: part[name] for name in self.common()}}

    def flat(self, part: Any) -> Any:
        """Put the options beside the name."""
        return {**{name: value for name, value in part.items() if name != "options"}, **part["options"]}

    def nested(self, part: Any) -> Any:
        """Put the options into a dict of their own."""
        if not isinstance(part, dict):
            raise ConfigError(f"{self.path}={part} is not valid: set {self.path}.{self.key}.")
        common = tuple(self.common())
        name = str(part.get(self.key) or getattr(getattr(self.schema(), self.path), self.key))
        own = {key: value for key, value in part.items() if key in common}
        options = {key: value for key, value in part.items() if key not in (self.key, *common)}
        if name == self.automatic:
            if options:
                raise ConfigError(
                    f"{self.path}.{next(iter(options))} depends on the choice: set {self.path}, "
                    f"for example to {self.registry.names()[-1]}."
                )
            return {self.key: name, **own, "options": {}}
        return {self.key: name, **own, "options": self.options(name, options, self.path, common)}


@dataclass(frozen=True)
class Several(Group):
    """Any number of items, each with its options: a dict by their names."""

    def nodes(self) -> list[Node]:
        """Return each item without options; `nested` fills them in."""
        owner, _, name = self.path.rpartition(".")
        return [(item, {name: {item: {}}}, owner) for item in self.registry.names()]

    def chosen(self, part: Any, value: Any) -> Any:
        """Replace the items; those that stay keep their options."""
        names = [value] if isinstance(value, str) else list(value)
        return {str(name): part.get(str(name), {}) for name in names}

    def flat(self, part: Any) -> Any:
        """Return the part as it is."""
        return part

    def nested(self, part: Any) -> Any:
        """Fill in the options of each item."""
        if not isinstance(part, dict):
            raise ConfigError(f"{self.path}={part} is not valid: write {self.path}={{NAME:{{}}}}.")
        found = {}
        for name, options in part.items():
            if not isinstance(options, dict | None):
                raise ConfigError(
                    f"{self.path}.{name}={options} is not valid: write {self.path}.{name}={{OPTION:VALUE}}."
                )
            found[str(name)] = self.options(str(name), options or {}, f"{self.path}.{name}")
        return found


@dataclass(frozen=True)
class ForEachTerm(Group):
    """An item for each of some terms that another choice decides: a dict by the names of the terms.

    An item is its name, or a dict with its ``name`` and its options.
    """

    def nodes(self) -> list[Node]:
        """Return nothing: a Hydra group would need the names of the terms."""
        return []

    def chosen(self, part: Any, value: Any) -> Any:
        """Return the value."""
        return value

    def flat(self, part: Any) -> Any:
        """Return the part as it is."""
        return part

    def nested(self, part: Any) -> Any:
        """Fill in the options of each item that has some."""
        if not isinstance(part, dict):
            raise ConfigError(f"{self.path}={part} is not valid: write {self.path}.TERM=NAME.")
        found: dict[str, Any] = {}
        for term, value in part.items():
            where = f"{self.path}.{term}"
            if not isinstance(value, dict | str) or (isinstance(value, dict) and not value.get("name")):
                raise ConfigError(f"{where} needs a name: write {where}=NAME, or {where}={{name:NAME}}.")
            name, options = item_and_options(value)
            options = self.options(name, options, where, ("name",))
            found[str(term)] = {"name": name, **options} if options else name
        return found


GROUPS: tuple[Group, ...] = (
    OneOf(TrainConfig, "target", TARGETS, "kind", AUTO),
    OneOf(TrainConfig, "network", NETWORKS, "name"),
    Several(TrainConfig, "augmentation.more", AUGMENTATIONS),
    ForEachTerm(TrainConfig, "loss", LOSSES),
)
"""All such parts."""


def item_and_options(value: Any) -> tuple[str, dict[str, Any]]:
    """Return the name and the options of an item written as its name, or as a dict with both."""
    if isinstance(value, str):
        return value, {}
    return str(value["name"]), {key: each for key, each in value.items() if key != "name"}


def find_group(hydra_name: str) -> Group | None:
    """Return the part of a config that has this Hydra group, None if there is none."""
    found = (group for group in GROUPS if group.hydra_name == hydra_name and group.nodes())
    return next(found, None)


def flat(schema: type, values: dict[str, Any]) -> dict[str, Any]:
    """Return a config's plain values with the options beside their choice."""
    for group in _of(schema):
        values = _replaced(values, group.path, group.flat)
    return values


def nested(schema: type, values: dict[str, Any]) -> dict[str, Any]:
    """Undo `flat`, with all options checked and filled in.

    Raises
    ------
    ConfigError
        If a choice does not exist, or an option is not valid.
    """
    for group in _of(schema):
        try:
            values = _replaced(values, group.path, group.nested)
        except SegloopError as error:
            raise ConfigError(str(error)) from error
    return values


def open_node(schema: type) -> Any:
    """Return a config's schema as OmegaConf's node in which groups and dicts of values take any names."""
    from omegaconf import OmegaConf

    groups = {group.path: group.common() for group in _of(schema) if isinstance(group, OneOf)}
    hints = typing.get_type_hints(schema)
    parts: list[tuple[str, Any, Any]] = []
    for field in dataclasses.fields(schema):
        if field.name in groups:
            default = groups[field.name]
            parts.append((field.name, dict[str, Any], dataclasses.field(default_factory=default.copy)))
        elif field.default_factory is not dataclasses.MISSING:
            factory = field.default_factory
            parts.append((field.name, hints[field.name], dataclasses.field(default_factory=factory)))
        else:
            parts.append((field.name, hints[field.name], dataclasses.field(default=field.default)))
    node = OmegaConf.structured(dataclasses.make_dataclass(schema.__name__, parts))
    for name in groups:
        OmegaConf.set_struct(node[name], False)
    _open_dicts(node, schema, set(groups))
    return node


def _replaced(values: dict[str, Any], path: str, change: Any) -> dict[str, Any]:
    """Return plain values with the part at a path changed; absent parts stay absent."""
    name, _, rest = path.partition(".")
    part = values.get(name)
    if part is None or (rest and not isinstance(part, dict)):
        return values
    return {**values, name: _replaced(part, rest, change) if rest else change(part)}


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
