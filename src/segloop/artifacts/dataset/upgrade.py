"""Older files of a dataset, brought to the present version as they are read.

Opening an older dataset rewrites nothing. With the first edit its index becomes one of the present version
(so that older programs refuse it); each sample's file is rewritten when that sample is edited, and the lines
of the journal stay as they are.

Version 1 had up to two segmentations, ``base`` was 1 or 2, merge regions took labels from the segmentation
that wasn't the base, and the journal held whole samples. In version 2, every version of a segmentation was
stored whole.
"""

from __future__ import annotations

from typing import Any

from segloop.artifacts.dataset.manifest import VERSION
from segloop.artifacts.dataset.segmentation import default_name

_NAMES_V1 = (default_name(1), default_name(2))


def upgrade_index(content: dict[str, Any]) -> dict[str, Any]:
    """Return what an index file says, in the present version; other versions are left to validation."""
    return {**content, "version": VERSION} if content.get("version") in range(1, VERSION) else content


def upgrade_sample(content: Any) -> Any:
    """Return what a sample's file says, in the present version; damaged content is left to validation."""
    if isinstance(content, dict) and content.get("version") in range(2, VERSION):
        return {**content, "version": VERSION}
    if not isinstance(content, dict) or "version" in content or not content.get(_NAMES_V1[0]):
        return content
    upgraded = {key: value for key, value in content.items() if key not in _NAMES_V1}
    upgraded["segmentations"] = [
        {"name": name, "source": {"kind": "file", "image": content[name]}}
        for name in _NAMES_V1
        if content.get(name)
    ]
    if "base" in content:
        upgraded["base"] = {1: _NAMES_V1[0], 2: _NAMES_V1[1]}.get(content["base"], content["base"])
    other = _NAMES_V1[0] if content.get("base") == 2 else _NAMES_V1[1]
    if isinstance(content.get("regions"), list):
        upgraded["regions"] = [_region(region, other) for region in content["regions"]]
    return upgraded


def _region(region: Any, other: str) -> Any:
    if isinstance(region, dict) and region.get("kind") == "merge":
        return {**region, "segmentation": other}
    return region


def upgrade_line(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of the journal in the present version.

    Raises
    ------
    KeyError, TypeError
        If it is not a line of an older journal.
    """
    if "changes" in line:
        return line
    pairs = [(line["before"], line["after"]), *((o["before"], o["after"]) for o in line.get("others", ()))]
    changes = [_change(upgrade_sample(before), upgrade_sample(after)) for before, after in pairs]
    kept = {key: value for key, value in line.items() if key not in ("sample", "before", "after", "others")}
    return {**kept, "changes": changes}


def _change(before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    if before is None:
        return {"sample": after["id"], "before": None, "after": after}
    changed = {key for key in after if before.get(key) != after[key]}
    return {
        "sample": after["id"],
        "before": {key: value for key, value in before.items() if key in changed},
        "after": {key: value for key, value in after.items() if key in changed},
    }
