"""Scores of several models on the same images: ranking, paired differences, as text and as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segloop.core.metrics import BinaryCounts, InstanceCounts
from segloop.evaluation.intervals import Interval, interval_text, paired_difference
from segloop.evaluation.scores import ImageScore, pool

FORMAT, VERSION = "segloop-comparison", 2

METRICS_FILE, REPORT_FILE = "metrics.json", "report.html"

SCORE_TITLES = {"ap50": "AP at IoU 0.50", "dice": "Dice"}
"""What models are ranked by, by name."""

_KEYS = {"ap50": ("instance", "ap", "0.50"), "dice": ("semantic", "dice")}


@dataclass(frozen=True)
class Compared:
    """A model, a model with certain thresholds, or a baseline, with its scores.

    Attributes
    ----------
    name : str
        Unique in a comparison.
    scores : mapping of str to ImageScore
        By sample.
    baseline : bool
        True for a trivial method.
    degraded : mapping of str to mapping of str to ImageScore
        By the title of a degradation: scores on the changed images, by sample.
    """

    name: str
    scores: Mapping[str, ImageScore]
    baseline: bool = False
    degraded: Mapping[str, Mapping[str, ImageScore]] = field(default_factory=dict)


def summarise(compared: Sequence[Compared]) -> dict[str, Any]:
    """Return the content of ``metrics.json`` of a comparison.

    Models are ranked by AP at an IoU of 0.5 if all of them find objects, else by Dice.

    Parameters
    ----------
    compared : sequence of Compared
        At least one that is no baseline, each with at least one score.

    Returns
    -------
    dict
        ``score``: ``"ap50"`` or ``"dice"``. ``best``: name of the best model. ``models`` and ``baselines``:
        by name, best first, scores as `segloop.evaluation.scores.pool` gives them. ``differences``: of every
        other model and baseline, by name, its score minus that of the best one on the images that both have
        (``difference``, ``interval``, ``n_images``). ``degraded``: by name and degradation, ``ap50`` (None
        for masks and classes) and ``dice``.
    """
    models = [each for each in compared if not each.baseline]
    objects = all(score.instance is not None for each in models for score in each.scores.values())
    score = "ap50" if objects else "dice"
    pooled = {each.name: pool(each.scores.values()) for each in compared}
    ranked = sorted(compared, key=lambda each: _value(pooled[each.name], score), reverse=True)
    best = next(each for each in ranked if not each.baseline)
    return {
        "format": FORMAT,
        "version": VERSION,
        "score": score,
        "best": best.name,
        "models": {each.name: pooled[each.name] for each in ranked if not each.baseline},
        "baselines": {each.name: pooled[each.name] for each in ranked if each.baseline},
        "differences": {each.name: _difference(each, best, score) for each in ranked if each is not best},
        "degraded": {
            each.name: {title: _short(scores) for title, scores in each.degraded.items()}
            for each in ranked
            if each.degraded
        },
    }


def table(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the rows of a summary as text, the head first; best models first, baselines last."""
    score = summary["score"]
    named = {**summary["models"], **summary["baselines"]}
    spread = any(scores["intervals"] for scores in named.values())
    head = ["", SCORE_TITLES[score], *(["95 % interval"] if spread else [])]
    head += ["mean AP 0.50 to 0.90", "Dice"] if score == "ap50" else []
    rows = [[*head, "difference from the best"]]
    for name, scores in named.items():
        row = [name, f"{_value(scores, score):.3f}"]
        row += [interval_text(scores["intervals"], _KEYS[score])] if spread else []
        if score == "ap50":
            row += [_text(scores["instance"], "mean_ap_50_90"), _text(scores["semantic"], "dice")]
        rows.append([*row, _difference_text(summary["differences"].get(name))])
    return rows


def short_table(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the rows of a summary for a narrow table, with two decimals; best models first, baselines last.

    Returns
    -------
    list of list of str
        Name, score, the score's 95 % interval, and difference from the best with its interval.
    """
    score = summary["score"]
    rows = []
    for name, scores in {**summary["models"], **summary["baselines"]}.items():
        interval = interval_text(scores["intervals"], _KEYS[score], 2)
        difference = _difference_text(summary["differences"].get(name), 2)
        rows.append([name, f"{_value(scores, score):.2f}", interval, difference])
    return rows


def degraded_table(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the scores on degraded images as text, the head first; empty if there are none."""
    score, degraded = summary["score"], summary["degraded"]
    titles = list(dict.fromkeys(title for scores in degraded.values() for title in scores))
    if not titles:
        return []
    named = {**summary["models"], **summary["baselines"]}
    rows = [["", "as it is", *titles]]
    for name, scores in degraded.items():
        values = [_text(scores.get(title), score) for title in titles]
        rows.append([name, f"{_value(named[name], score):.3f}", *values])
    return rows


def score_of_image(score: ImageScore, name: str) -> float:
    """Return ``"ap50"`` or ``"dice"`` of one image."""
    if name == "ap50" and score.instance is not None:
        return score.instance.average_precision()
    return score.pixels.dice


def _value(pooled: Mapping[str, Any], score: str) -> float:
    if score == "ap50" and pooled["instance"] is not None:
        return float(pooled["instance"]["ap"]["0.50"])
    return float(pooled["semantic"]["dice"])


def _difference(one: Compared, best: Compared, score: str) -> dict[str, Any]:
    shared = [sample for sample in best.scores if sample in one.scores]
    if not shared:
        return {"difference": None, "interval": None, "n_images": 0}
    value, interval = paired_difference(*(_counts(each, shared, score) for each in (one, best)))
    return {"difference": value, "interval": interval, "n_images": len(shared)}


def _counts(one: Compared, samples: Sequence[str], score: str) -> list[BinaryCounts] | list[InstanceCounts]:
    scores = [one.scores[sample] for sample in samples]
    if score == "ap50":
        return [each.instance for each in scores if each.instance is not None]
    return [each.pixels for each in scores]


def _short(scores: Mapping[str, ImageScore]) -> dict[str, float | None]:
    pooled = pool(scores.values())
    objects = pooled["instance"]
    return {"ap50": None if objects is None else objects["ap"]["0.50"], "dice": pooled["semantic"]["dice"]}


def _text(values: Mapping[str, Any] | None, key: str) -> str:
    value = None if values is None else values.get(key)
    return "" if value is None else f"{value:.3f}"


def _difference_text(found: Mapping[str, Any] | None, decimals: int = 3) -> str:
    if found is None or found["difference"] is None:
        return ""
    interval: Interval | None = found["interval"]
    values = [found["difference"], *(interval or ())]
    first, *limits = (f"{value:+.{decimals}f}".replace("-", "−") for value in values)
    return f"{first} ({' to '.join(limits)})" if limits else first
