"""Settings as people write them in Python: strings where enums are meant, a mapping of dotted names."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar, get_origin, get_type_hints

from segloop.config import compose
from segloop.config.predict import PredictConfig
from segloop.config.train import TrainConfig
from segloop.core.errors import ConfigError

C = TypeVar("C", TrainConfig, PredictConfig)

Settings = Mapping[str, Any] | Sequence[str]
"""Dotted names with values, ``{"network.size": "large"}``, or overrides, ``["network.size=large"]``."""


def resolve(config: C, settings: Settings = ()) -> C:
    """Return a valid config: strings become the enum members that they name, then settings are applied.

    Parameters
    ----------
    config : TrainConfig or PredictConfig
        Left as it is.
    settings : mapping or sequence of str, optional
        As `Settings`.

    Raises
    ------
    ConfigError
        If a name does not exist, or a value is of the wrong type, out of bounds or none of the choices.
    """
    from omegaconf.errors import OmegaConfBaseException

    try:
        complete: C = _with_enums(config)
        return compose.apply(complete, as_overrides(settings))
    except OmegaConfBaseException as error:
        name = getattr(error, "full_key", None) or type(config).__name__
        raise ConfigError(f"{name}: {str(error).splitlines()[0]}") from error


def as_overrides(settings: Settings) -> list[str]:
    """Return settings as Hydra overrides.

    Raises
    ------
    ConfigError
        If a value is not plain: a number, a string, true or false, None, or a list or mapping of these.
    """
    if isinstance(settings, str):
        return [settings]
    if not isinstance(settings, Mapping):
        return list(settings)
    return [f"{name}={_literal(name, value)}" for name, value in settings.items()]


def _literal(name: str, value: Any) -> str:
    """Write a value in Hydra's grammar, in which a quoted string stands for itself."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool | int | float) or value is None:
        return json.dumps(value)
    if isinstance(value, str):
        value = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)  # or OmegaConf would resolve it
        # Backslashes count only where a quote follows: inside, or at the end.
        return "'" + re.sub(r"(\\*)('|$)", lambda found: _before_quote(*found.groups()), value) + "'"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_literal(name, k)}:{_literal(name, v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(_literal(name, each) for each in value) + "]"
    raise ConfigError(f"{name}={value!r} is not a plain value: use a number, a string or a list of these.")


def _before_quote(backslashes: str, quote: str) -> str:
    return backslashes * 2 + (f"\\{quote}" if quote else "")


def _with_enums(config: Any, prefix: str = "") -> Any:
    """Return a config object in which strings have become the enum members that they name."""
    hints = get_type_hints(type(config))
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        name, value, hint = f"{prefix}{field.name}", getattr(config, field.name), hints[field.name]
        if dataclasses.is_dataclass(value):
            changes[field.name] = _with_enums(value, f"{name}.")
        elif _is_enum(hint):
            changes[field.name] = _member(hint, value, name)
        elif get_origin(hint) is list and isinstance(value, str):
            changes[field.name] = [value]
    return dataclasses.replace(config, **changes)


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Enum)


def _member(kind: type[Enum], value: Any, name: str) -> Enum:
    try:
        return kind(value)
    except ValueError as error:
        choices = ", ".join(str(member.value) for member in kind)
        raise ConfigError(f"{name}={value!r} is not possible: choose one of {choices}.") from error
