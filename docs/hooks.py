"""Pages that MkDocs makes from the code at build time: the command line and the settings."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from enum import Enum
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from segloop.cli.command import segloop as command
from segloop.config.groups import GROUPS, Group
from segloop.config.knob import Knob, knobs
from segloop.config.parameters import options_type_of
from segloop.config.predict import PredictConfig
from segloop.config.train import TrainConfig

CLI_INTRODUCTION = """\
# Command line

Every verb takes `--help`. Exit status: 0 all done, 1 something failed (a batch finishes the rest first),
2 bad usage, 130 interrupted. Errors are one line; `--debug` shows where they come from.
Verbs with data take `--json`. This page is made from the code.
"""

CONFIG_INTRODUCTION = """\
# Settings

What the docks show as forms and the command line takes as `key=value`, for example
`segloop train nuclei --out run1 network.size=medium stop.max_minutes=60`. A YAML file with only some of the
keys is enough; the rest take their defaults. This page is made from the code.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the site."""
    for path, text in {"reference/cli.md": cli_page(), "reference/config.md": config_page()}.items():
        files.append(File.generated(config, path, content=text))
    return files


def cli_page() -> str:
    """Return the reference of the command line as Markdown."""
    sections = (verb_section(name, verb) for name, verb in verbs(command, "segloop"))
    return "\n\n".join([CLI_INTRODUCTION, *sections])


def verbs(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    """Yield the full name and the command of each verb, those of groups too, in the order of ``--help``."""
    with click.Context(group, info_name=prefix) as context:
        for name in group.list_commands(context):
            verb = group.get_command(context, name)
            if verb is None or verb.hidden:
                continue
            if isinstance(verb, click.Group):
                yield from verbs(verb, f"{prefix} {name}")
            else:
                yield f"{prefix} {name}", verb


def verb_section(name: str, verb: click.Command) -> str:
    """Return one verb's usage, description, options and example as Markdown."""
    context = click.Context(verb, info_name=name)
    description, _, example = inspect.cleandoc(verb.help or "").partition("\b\n")
    usage = " ".join([name, *verb.collect_usage_pieces(context)])
    records = filter(None, (param.get_help_record(context) for param in verb.params))
    options = [f"| <code>{escape(names)}</code> | {escape(text)} |" for names, text in records if text]
    parts = [f"## {name}", f"```text\n{usage}\n```", escape(description.strip())]
    if example:
        lines = re.sub(r"^Examples?:\n", "", example.strip("\n"))
        parts.append(f"```sh\n{textwrap.dedent(lines)}\n```")
    if options:
        parts.append("\n".join(["| option | meaning |", "|---|---|", *options]))
    return "\n\n".join(parts)


def config_page() -> str:
    """Return the reference of all settings as Markdown."""
    kinds = (("Training", TrainConfig()), ("Prediction", PredictConfig()))
    return "\n\n".join(
        [CONFIG_INTRODUCTION, *(section for title, config in kinds for section in tree(title, config))]
    )


def tree(title: str, config: Any) -> Iterator[str]:
    """Yield headings and one table per group of knobs."""
    yield f"## {title}\n\n{config.__doc__}"
    groups: dict[str, list[Knob]] = {}
    for found in knobs(config):
        groups.setdefault(found.path.rpartition(".")[0], []).append(found)
    for path, members in groups.items():
        if path:
            yield f"### {path} ({title.lower()})\n\n{node(config, path).__doc__}"
        members = [found for found in members if found.field.name != "options"]
        rows = [f"| `{found.path}` | {default(found.value)} | {meaning(found)} |" for found in members]
        yield "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])
    for group in GROUPS:
        if group.schema is type(config):
            yield items(group)


def items(group: Group) -> str:
    """Return a table of the built-in items of a registry with their options."""
    registry = group.registry
    rows = []
    for name in registry.names():
        fields = options_type_of(registry.get(name)).fields()
        cells = [f"`{field.name}={plain(field.default)}` {escape(field.description)}" for field in fields]
        rows.append(f"| `{name}` | {'<br>'.join(cells) or 'none'} |")
    title = f"### {registry.noun}: names for `{group.path}`\n\nInstalled packages may bring more."
    return "\n".join([f"{title}\n", "| name | options |", "|---|---|", *rows])


def node(config: Any, path: str) -> Any:
    """Return the part of the config at a dotted path."""
    for name in path.split("."):
        config = getattr(config, name)
    return config


def default(value: Any) -> str:
    """Return a default as it would be typed."""
    if isinstance(value, list):
        return f"`[{', '.join(plain(item) for item in value)}]`"
    return f"`{plain(value)}`" if plain(value) else "empty"


def plain(value: Any) -> str:
    """Return one value as it would be typed."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.name if isinstance(value, Enum) else value)


def meaning(found: Knob) -> str:
    """Return help, choices, bounds and unit of a knob as one table cell."""
    metadata = found.field.metadata
    sentences = [escape(metadata["help"])]
    example = found.value[0] if isinstance(found.value, list) and found.value else found.value
    if isinstance(example, Enum):
        sentences.append("One of " + ", ".join(f"`{member.name}`" for member in type(example)) + ".")
    low, high, unit = metadata["min"], metadata["max"], metadata["unit"]
    if low is not None and high is not None:
        sentences.append(f"From {number(low)} to {number(high)}{f' {unit}' if unit else ''}.")
    elif unit or low is not None:
        bound = f"At least {number(low)}" if low is not None else "In"
        sentences.append(f"{bound}{f' {unit}' if unit else ''}.")
    return " ".join(sentences)


def number(value: float) -> str:
    """Return a bound without a needless fraction or exponent."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, also inside a table."""
    return text.replace("|", "&#124;").replace("<", "&lt;")
