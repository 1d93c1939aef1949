"""YAML that may come from a stranger: no more of it is taken than a config has."""

from __future__ import annotations

import os

from segloop.core.own_files import NotReadableError, read_own_bytes

LARGEST = 1 << 20
"""Most bytes that are read."""

_DEEPEST = 30
_MOST_VALUES = 20_000


def read_own_yaml(path: str | os.PathLike[str]) -> str:
    """Return the text of a YAML file that is safe to parse; see `segloop.core.own_files.read_own_bytes`.

    Raises
    ------
    NotReadableError
        If it is not a plain file, larger than 1 MB, not YAML, uses references, or holds too many values.
    OSError
        If it is missing or the system can't read it.
    """
    return checked_yaml(read_own_bytes(path, LARGEST))


def checked_yaml(content: bytes, *, references: bool = False) -> str:
    """Return the text of YAML that is safe to parse.

    Parameters
    ----------
    content : bytes
        The YAML.
    references : bool, optional
        Whether values may refer to others; what they refer to counts each time.

    Raises
    ------
    NotReadableError
        If it is not YAML, uses references where they are not allowed, or holds too many values.
    """
    import yaml

    named: dict[str, int] = {}  # number of values below each name
    opened: list[tuple[str | None, int]] = []
    n_values = 0
    try:
        text = content.decode("utf-8")
        for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent):
                if not references:
                    raise NotReadableError("it uses references, which no config needs")
                if event.anchor not in named:
                    raise NotReadableError("it refers to what it does not hold")
                n_values += named[event.anchor]
            elif isinstance(event, yaml.CollectionEndEvent):
                name, before = opened.pop()
                if name is not None:
                    named[name] = n_values - before
            elif isinstance(event, yaml.NodeEvent):
                if isinstance(event, yaml.CollectionStartEvent):
                    opened.append((event.anchor, n_values))
                elif event.anchor is not None:
                    named[event.anchor] = 1
                n_values += 1
            if len(opened) > _DEEPEST or n_values > _MOST_VALUES:
                raise NotReadableError("it is nested too deeply or holds too many values")
    except yaml.YAMLError as error:
        raise NotReadableError(f"it is not YAML, {' '.join(str(error).split())}") from error
    except UnicodeDecodeError as error:
        raise NotReadableError("it is not UTF-8 text") from error
    return text
