"""The page of bundled models, which MkDocs makes from their cards at build time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from segloop.artifacts.model.bundled import bundled_folder
from segloop.artifacts.model.model import Model

INTRODUCTION = """\
# Bundled models

These models come with Segloop. Use them by name, in the dock or on the command line
(`segloop predict nuclei-2d image.tif --out out`), or start a training from them (`--init nuclei-2d`). This
page is made from their cards; `segloop model info NAME` prints the whole card.
"""

SHOWN = ("0.50", "0.60", "0.70", "0.80", "0.90")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page to the site."""
    files.append(File.generated(config, "reference/models.md", content=page()))
    return files


def page() -> str:
    """Return the page as Markdown."""
    models = [Model.load(card.parent) for card in sorted(bundled_folder().glob("*/model.json"))]
    return "\n\n".join([INTRODUCTION, *(part for model in models for part in section(model))])


def section(model: Model) -> Iterator[str]:
    """Yield the paragraphs about one model."""
    card = model.card
    dataset, scores = card.provenance["dataset"], card.provenance["held_aside_ap"]
    yield f"## {card.name}\n\n{card.description}"
    yield "\n".join(
        [
            "| | |",
            "|---|---|",
            f"| licence | {card.license} |",
            f"| trained on | {dataset['name']}: {dataset['train_samples']} images, and "
            f"{dataset['val_samples']} for validation |",
            f"| training | from scratch; model of epoch {card.provenance['epoch']} |",
            f"| image | {card.axes}, {len(card.recipe.inputs)} channel, any pixel size |",
            f"| made on | {card.provenance['created'][:10]}, by `tools/nuclei_2d/make.py` |",
        ]
    )
    yield (
        "Average precision (AP) on images that were held aside, at several intersections over union (IoU): "
        "pooled over all objects, and as the mean over the images."
    )
    yield score_table(scores)
    yield "Please cite:\n\n" + "\n".join(f"- {each}" for each in card.cite)


def score_table(scores: dict[str, Any]) -> str:
    """Return the scores as a table."""
    rows = [f"| images | AP at IoU | {' | '.join(SHOWN)} |", "|---|---|" + "---|" * len(SHOWN)]
    for name, found in scores.items():
        for kind, title in (("pooled", "pooled"), ("per_image", "mean over images")):
            values = " | ".join(f"{found[kind][iou]:.2f}" for iou in SHOWN)
            rows.append(f"| {name}, {found['images']} images | {title} | {values} |")
    return "\n".join(rows)
