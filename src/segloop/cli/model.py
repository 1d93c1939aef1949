"""``segloop model``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segloop.cli.arguments import json_option, print_data
from segloop.cli.output import say

if TYPE_CHECKING:
    from segloop.artifacts.model.model import Model


@click.group()
def model() -> None:
    """List, inspect, import and export models."""


@model.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List the models that can be used by name.

    \b
    Example:
      segloop model list
    """
    from segloop.artifacts.model.model import installed_models

    cards = {found.path.name: _summary(found) for found in installed_models()}
    lines = [
        f"{name}: {card['description'] or card['target']}, {card['axes']}, channels {card['channels']}"
        for name, card in cards.items()
    ]
    print_data(cards, lines, as_json)


@model.command()
@click.argument("name", metavar="MODEL")
@click.option("--verify", is_flag=True, help="Also run the model's test input and compare the output.")
@json_option
def info(name: str, verify: bool, as_json: bool) -> None:
    """Show what MODEL (a folder, zip, run or name) needs and where it came from.

    \b
    Example:
      segloop model info run1 --verify
    """
    from segloop.artifacts.model.model import Model

    loaded = Model.load(name)
    if verify:
        loaded.verify()
    data = loaded.card.model_dump(mode="json")
    lines = [f"{key}: {value}" for key, value in data.items()]
    if verify:
        data["verified"] = True
        lines.append("verified: the test input gives the expected output")
    print_data(data, lines, as_json)


@model.command()
@click.argument("name", metavar="MODEL")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "kind",
    type=click.Choice(["segloop", "bioimageio"]),
    default="segloop",
    show_default=True,
    help="For Segloop, or a package of the BioImage Model Zoo with ONNX weights.",
)
@click.option("--author", "authors", multiple=True, help="Who made the model (zoo only; repeat for several).")
@click.option("--license", default="", help="SPDX identifier such as CC-BY-4.0 (zoo only).")
def export(name: str, file: Path, kind: str, authors: tuple[str, ...], license: str) -> None:
    """Write MODEL into FILE.zip.

    \b
    Examples:
      segloop model export run1 my-nuclei.zip
      segloop model export run1 my-nuclei.zip --to bioimageio --author "Your name" --license CC-BY-4.0
    """
    from segloop.artifacts.model.model import Model

    loaded = Model.load(name)
    if kind == "segloop":
        if authors or license:
            raise click.UsageError("--author and --license go with --to bioimageio.")
        say(f"Written: {loaded.export(file)}")
        return
    from segloop.cli.progress import progress_shown
    from segloop.exchange.zoo_export import export_to_zoo

    if not authors:
        raise click.UsageError('A package of the zoo names its authors: add --author "Your name".')
    with progress_shown() as context:
        written = export_to_zoo(loaded, file, authors, license=license, context=context)
    say(f"Written and tested: {written}")


@model.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--foreground",
    default="",
    help="Output that is the probability of foreground, by name or number (zoo only).",
)
@click.option(
    "--boundary",
    default="",
    help="Output that is the probability of a boundary, to separate objects (zoo only).",
)
@click.option(
    "--activation",
    type=click.Choice(["sigmoid", "softmax"]),
    help="What turns outputs into probabilities if the package does not say it (zoo only).",
)
def import_model(file: Path, foreground: str, boundary: str, activation: str | None) -> None:
    """Check FILE and make its model usable by name.

    FILE is a zip of `segloop model export`, or a package of the BioImage Model Zoo with ONNX weights (zip or
    folder).

    \b
    Examples:
      segloop model import my-nuclei.zip
      segloop model import packages/some-model.zip --foreground 0 --boundary 1
    """
    from segloop.app.importing import assumptions, import_model
    from segloop.cli.progress import progress_shown

    with progress_shown() as context:
        imported = import_model(
            file,
            foreground=foreground,
            boundary=boundary,
            activation=activation or "",
            context=context,
        )
    for sentence in assumptions(imported):
        say(sentence)
    say(f"Imported and verified: {imported.path.name}")


@model.command()
@click.argument("package", metavar="ID")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder for the file; the present one if not given.",
)
def fetch(package: str, folder: Path) -> None:
    """Download the package ID of the BioImage Model Zoo as a zip file.

    The file can be imported here, or on a computer without internet.

    \b
    Example:
      segloop model fetch some-model --to packages
      segloop model import packages/some-model.zip
    """
    from segloop.cli.progress import progress_shown
    from segloop.exchange.zoo_fetch import fetch_from_zoo

    with progress_shown() as context:
        written = fetch_from_zoo(package, folder, context)
    say(f"Fetched: {written}")


def _summary(loaded: Model) -> dict[str, Any]:
    card = loaded.card
    return {
        "path": str(loaded.path),
        "description": card.description,
        "axes": card.axes,
        "target": card.target.name,
        "channels": list(card.recipe.build().names),
    }
