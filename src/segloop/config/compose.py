"""Hydra composes configs; here they become typed objects, once, at the edge."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar, cast

from segloop.config.groups import GROUPS, find_group, flat, nested, open_node
from segloop.config.knob import knobs, validate
from segloop.config.predict import PredictConfig
from segloop.config.train import TrainConfig
from segloop.core.atomic import write_text
from segloop.core.errors import ConfigError, SegloopError
from segloop.core.own_yaml import read_own_yaml
from segloop.core.wording import shortened

C = TypeVar("C", TrainConfig, PredictConfig)

_NAMES: dict[type, str] = {TrainConfig: "train", PredictConfig: "predict"}

_SHOWN = 60  # characters of a setting that can't be read

CONF_DIR = Path(__file__).parent / "conf"


def register_schema() -> None:
    """Tell Hydra's store about the typed schemas and the groups (safe to call more than once)."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    for schema, name in _NAMES.items():
        store.store(group="schema", name=name, node=open_node(schema), package="_global_")
    for group in GROUPS:
        for name, node, package in group.nodes():
            store.store(group=group.hydra_name, name=name, node=node, package=package)


def compose(schema: type[C], overrides: Sequence[str] = ()) -> C:
    """Compose a config from its defaults and Hydra overrides.

    Parameters
    ----------
    schema : type
        `TrainConfig` or `PredictConfig`.
    overrides : sequence of str
        Such as ``"network.size=large"`` or ``"target=semantic"``.

    Raises
    ------
    ConfigError
        If a key does not exist, or a value has the wrong type or is out of bounds.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    register_schema()
    _parsed(overrides)
    try:
        with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
            node = hydra_compose(_NAMES[schema], list(overrides))
    except MissingConfigException as error:
        raise ConfigError(_unknown_item(error.missing_cfg_file, error)) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_first_line(error)) from error
    return from_node(schema, node)


def apply(config: C, overrides: Sequence[str]) -> C:
    """Return ``config`` with ``key=value`` overrides (Hydra's syntax for plain values) on top.

    Raises
    ------
    ConfigError
        If a key does not exist, or a value has the wrong type or is out of bounds.
    """
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    parsed = _parsed(overrides)
    node: Any = OmegaConf.merge(open_node(type(config)), _literal(to_dict(config)))
    try:
        # As Hydra does, choose the groups before setting values in them.
        for override in sorted(parsed, key=lambda override: find_group(override.key_or_group) is None):
            key, value = override.key_or_group, override.value()
            group = find_group(key)
            if group is None:
                OmegaConf.update(node, key, value)
            else:
                part = OmegaConf.to_container(OmegaConf.select(node, group.path))
                OmegaConf.update(node, group.path, group.chosen(part, value), merge=False)
            OmegaConf.set_struct(node, True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_first_line(error)) from error
    return from_node(type(config), node)


def from_node(schema: type[C], node: Any) -> C:
    """Turn a composed or loaded config node into a validated ``schema`` object.

    Raises
    ------
    ConfigError
        If a key does not exist, or a value has the wrong type or is out of bounds.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        # As plain values, or keys that an override such as +new=1 has added would pass.
        values = nested(schema, cast(dict[str, Any], OmegaConf.to_container(node)))
        merged = OmegaConf.merge(OmegaConf.structured(schema), values)
        config = cast(C, OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        raise ConfigError(_first_line(error)) from error
    validate(config)
    return config


def to_yaml(config: TrainConfig | PredictConfig) -> str:
    """Return the whole config as YAML, every knob spelled out."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(to_dict(config)))


def to_dict(config: TrainConfig | PredictConfig) -> dict[str, Any]:
    """Return the whole config as plain nested values (enums by name)."""
    from omegaconf import OmegaConf

    node = OmegaConf.structured(config)
    return flat(type(config), cast(dict[str, Any], OmegaConf.to_container(node, enum_to_str=True)))


def from_dict(schema: type[C], values: dict[str, Any]) -> C:
    """Read a config back from `to_dict`; absent knobs take their defaults, and ``${...}`` stays as it is."""
    from omegaconf import OmegaConf

    return from_node(schema, OmegaConf.create(_literal(values)))


def save(config: TrainConfig | PredictConfig, path: str | os.PathLike[str]) -> None:
    """Write the whole config as YAML, atomically."""
    write_text(path, to_yaml(config))


def load(schema: type[C], path: str | os.PathLike[str]) -> C:
    """Read a config that `save` wrote, or one written by hand with only some of the knobs.

    Values are plain: OmegaConf's ``${...}`` is not resolved, or a stranger's file could have secrets of the
    environment written into what is passed on.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or holds unknown keys or bad values.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        # The user may have named a link; a run is looked through for links before.
        node = OmegaConf.load(StringIO(read_own_yaml(Path(path).resolve())))
    except FileNotFoundError as error:
        raise ConfigError(f"There is no config file {path}: check its name.") from error
    except (OSError, ValueError, YAMLError, OmegaConfBaseException) as error:
        why = _first_line(error).rstrip(".")
        raise ConfigError(
            f"{path} is not a readable YAML config ({why}): correct it, or restore it from a copy."
        ) from error
    if not OmegaConf.is_dict(node):
        raise ConfigError(f"{path} is not a readable YAML config (it holds no keys with values): correct it.")
    try:
        return from_dict(schema, upgrade(cast(dict[str, Any], OmegaConf.to_container(node))))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def upgrade(values: dict[str, Any]) -> dict[str, Any]:
    """Return the plain values of a config as the present version has them."""
    target = values.get("target")
    if isinstance(target, dict) and target.get("kind", "instance") == "instance":
        # Before targets had options of their own, ``classes`` stood there for all of them.
        values = {**values, "target": {key: value for key, value in target.items() if key != "classes"}}
    return values


def _literal(value: Any) -> Any:
    """Escape ``${`` in strings, so that OmegaConf takes them literally."""
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_literal(each) for each in value]
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    return value


def _unknown_item(file: str | None, error: Exception) -> str:
    """Say which items there are, if an override names one that does not exist."""
    name, _, item = (file or "").rpartition("/")
    group = find_group(name)
    if group is not None:
        try:
            group.registry.get(item)
        except SegloopError as unknown:
            return str(unknown)
    return _first_line(error)


def _parsed(overrides: Sequence[str]) -> list[Any]:
    """Return Hydra's overrides.

    Raises
    ------
    ConfigError
        If one can't be read.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    parsed = []
    for override in overrides:
        try:
            parsed += parser.parse_overrides([override])
        except (HydraException, RecursionError) as error:
            raise ConfigError(_not_an_override(override)) from error
        if not parsed[-1].key_or_group:
            raise ConfigError(_not_an_override(override))
    return parsed


def _not_an_override(text: str) -> str:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return (
        f"The setting {shown!r} can't be read: write name=value, such as network.size=large or "
        "patch.size=[96,96], and quote a value with special characters."
    )


def _first_line(error: Exception) -> str:
    """Return one sentence about what Hydra or OmegaConf refused, with a remedy where it gives none."""
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError, ValidationError

    cause = error.__cause__ if error.__cause__ is not None else error
    line = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    key = getattr(cause, "full_key", None)
    if key and isinstance(cause, ConfigKeyError | ConfigAttributeError):
        return f"There is no setting {shortened(str(key))!r}{_similar(str(key))}."
    line = shortened(line, 300)
    text = f"{shortened(str(key))}: {line}" if key else line
    return f"{text}; correct the value." if isinstance(cause, ValidationError) else text


def _similar(key: str) -> str:
    """Return the end of a sentence that names the settings most like one that does not exist."""
    known = {knob.path for schema in _NAMES for knob in knobs(schema())}
    names = {*known, *(path.partition(".")[0] for path in known)}
    close = get_close_matches(key, sorted(names), n=3) or [
        path for path in sorted(known) if key.rpartition(".")[2] == path.rpartition(".")[2]
    ]
    return f": choose {' or '.join(close)}, or correct its name" if close else ": correct its name"
