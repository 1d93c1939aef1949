"""What changed between two states of a sample, in a form that can be taken back after other changes.

Fields are compared one by one. Lists whose items have names (regions by ``id``, segmentations by ``name``)
are compared item by item: one more region takes the space of one region, and two curators can add regions to
one sample.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from segloop.artifacts.dataset.manifest import Sample

ITEM_KEYS = {"regions": "id", "segmentations": "name"}
"""Fields that are lists of named items, and the attribute that names an item."""

Fields = dict[str, Any]
"""Values by field. Of one in `ITEM_KEYS`: ``{name: {"at": index, "item": item}}`` of items that differ."""


class ConflictError(ValueError):
    """A field is not as it was after the change that is to be taken back; the text is the field's name."""


def difference(before: Sample, after: Sample) -> tuple[Fields, Fields]:
    """Return the fields that differ, as they were and as they are, as plain values for JSON."""
    old: Fields = {}
    new: Fields = {}
    for field in Sample.model_fields:
        was, now = getattr(before, field), getattr(after, field)
        if was is now or was == now:
            continue
        if field in ITEM_KEYS:
            old[field], new[field] = _item_difference(was, now, ITEM_KEYS[field])
        else:
            old[field], new[field] = _plain(was), _plain(now)
    return old, new


def changed(sample: Sample, old: Fields, new: Fields) -> Sample:
    """Return a sample with a change applied to it: what is as in ``old`` becomes as in ``new``.

    What is as in ``new`` already stays. To take a change back, pass its ``new`` as ``old`` and its
    ``old`` as ``new``.

    Raises
    ------
    ConflictError
        If a field, or an item of a list, is neither as in ``old`` nor as in ``new``.
    DatasetError
        If the outcome is not a valid sample.
    """
    changes: Fields = {}
    for field in new:
        now = getattr(sample, field)
        if field in ITEM_KEYS:
            changes[field] = _changed_items(field, now, old.get(field) or {}, new[field])
        elif _plain(now) == old.get(field):
            changes[field] = new[field]
        elif _plain(now) != new[field]:
            raise ConflictError(field)
    return sample.edit(**changes) if changes else sample


def checked(values: Any) -> Fields:
    """Return the values of a line in a journal, if they can be applied.

    Lines that were written before lists were compared item by item hold whole lists; these are converted.

    Raises
    ------
    KeyError, TypeError, ValueError
        If they can't.
    """
    fields = dict(values)
    for field in ITEM_KEYS.keys() & fields.keys():
        value = fields[field]
        if isinstance(value, list):
            value = {each[ITEM_KEYS[field]]: {"at": at, "item": each} for at, each in enumerate(value)}
        fields[field] = {
            str(name): {"at": int(each["at"]), "item": dict(each["item"])} for name, each in value.items()
        }
    return fields


def _item_difference(was: Any, now: Any, key: str) -> tuple[Fields, Fields]:
    before, after = _by_name(was, key), _by_name(now, key)
    differ = [name for name in {**before, **after} if not _same(before.get(name), after.get(name))]
    return tuple(  # type: ignore[return-value]  # one for each of the two
        {name: {"at": side[name][0], "item": _plain(side[name][1])} for name in differ if name in side}
        for side in (before, after)
    )


def _same(was: tuple[int, Any] | None, now: tuple[int, Any] | None) -> bool:
    # The index alone does not count: it changes with the items before.
    return was is not None and now is not None and (was[1] is now[1] or was[1] == now[1])


def _changed_items(field: str, now: Any, old: Fields, new: Fields) -> list[Any]:
    key = ITEM_KEYS[field]
    items = {name: item for name, (_, item) in _by_name(now, key).items()}
    added = []
    for name in {**old, **new}:
        is_now = _plain(items.get(name))
        was, becomes = (side[name]["item"] if name in side else None for side in (old, new))
        if is_now == becomes or was == becomes:
            continue
        if is_now != was:
            raise ConflictError(field)
        if becomes is None:
            del items[name]
        elif name in items:
            items[name] = becomes
        else:
            added.append((int(new[name]["at"]), becomes))
    result = list(items.values())
    for at, item in sorted(added, key=lambda each: each[0]):
        result.insert(at, item)
    return result


def _by_name(items: Any, key: str) -> dict[str, tuple[int, Any]]:
    return {getattr(item, key): (index, item) for index, item in enumerate(items)}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
