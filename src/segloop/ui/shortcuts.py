"""The commands of the docks and their keys, read from ``napari.yaml``, the only place that names a key."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

# The loader in C is ten times faster; not every build of PyYAML has it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Command:
    """A command with a key.

    Attributes
    ----------
    name : str
        The last part of its id in ``napari.yaml``, such as ``"accept"``.
    title : str
        What it does.
    dock : str
        The dock in which it works.
    key : str
        The key as Qt spells it, such as ``"Ctrl+Z"``.
    """

    name: str
    title: str
    dock: str
    key: str

    @property
    def napari_key(self) -> str:
        """The key as napari spells it, such as ``"Control-Z"``."""
        return self.key.replace("Ctrl", "Control").replace("+", "-")


@cache
def all_commands() -> tuple[Command, ...]:
    """Return the commands that have a key, in the order of ``napari.yaml``."""
    text = (files("segloop") / "napari.yaml").read_text(encoding="utf-8")
    contributions = yaml.load(text, Loader=_LOADER)["contributions"]
    keys = {binding["command"]: str(binding["key"]) for binding in contributions["keybindings"]}
    return tuple(
        Command(command["id"].rpartition(".")[2], command["title"], command["category"], keys[command["id"]])
        for command in contributions["commands"]
        if command["id"] in keys
    )


def commands_of(dock: str) -> tuple[Command, ...]:
    """Return the commands of a dock."""
    return tuple(command for command in all_commands() if command.dock == dock)


def key_of(dock: str, name: str) -> str:
    """Return the key of a command; raises `KeyError` if it has none."""
    return {command.name: command.key for command in commands_of(dock)}[name]


def with_key(tip: str, dock: str, name: str) -> str:
    """Return a tooltip that names the key, such as ``"Accept the sample (A)"``."""
    return f"{tip} ({key_of(dock, name)})"
