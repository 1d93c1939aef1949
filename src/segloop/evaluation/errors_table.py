"""The part of the report about errors in objects: how many of each kind, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = {
    "missed": ("Missed", "true objects that nothing was predicted for"),
    "spurious": ("Spurious", "predicted objects where there is none"),
    "split": ("Split", "true objects predicted as several"),
    "merged": ("Merged", "predicted objects that cover several true ones"),
}
_LOST = {
    "lost_to_objects_not_found": "objects that are missed, spurious, split or merged",
    "lost_to_imprecise_outlines": "objects that are found, with an outline that is not precise enough",
}


def errors_table(scores: Mapping[str, Any]) -> str:
    """Return the HTML of the table; empty where the images hold no objects.

    Parameters
    ----------
    scores : mapping
        Content of ``metrics.json``.
    """
    instance = scores.get("instance")
    if not instance or "errors" not in instance:
        return ""
    parts = [("Prediction", instance)]
    baseline = (scores.get("baseline") or {}).get("instance")
    parts += [("Baseline", baseline)] if baseline else []
    head = "".join(f"<th>{name}</th>" for name, _ in parts)
    rows = [
        _row(name, meaning, [str(part["errors"][key]) for _, part in parts])
        for key, (name, meaning) in _KINDS.items()
    ]
    rows.append(
        _row("Objects", "predicted, and in the truth", [_numbers(part["errors"]) for _, part in parts])
    )
    lost = [
        _row("Lost to", meaning, [f"{part[key]:.3f}" for _, part in parts]) for key, meaning in _LOST.items()
    ]
    return (
        f"<table><thead><tr><th>Errors</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"<table><thead><tr><th>What keeps the mean AP (IoU 0.50 to 0.90) below 1</th>{head}</tr></thead>"
        f"<tbody>{''.join(lost)}</tbody></table>"
    )


def _row(name: str, meaning: str, values: list[str]) -> str:
    cells = "".join(f'<td class="main">{value}</td>' for value in values)
    return f'<tr><td>{name} <span class="soft">{meaning}</span></td>{cells}</tr>'


def _numbers(errors: Mapping[str, int]) -> str:
    return f"{errors['n_pred']}&nbsp;/&nbsp;{errors['n_truth']}"
