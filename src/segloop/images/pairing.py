"""Matching raw images with their segmentations by name, never by order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from segloop.core.errors import ImageError, PairingError
from segloop.core.paths import exists
from segloop.images.listing import common_folder, image_files, is_image, label_groups, root_of
from segloop.images.names import (
    OUTPUTS,
    Core,
    Role,
    composed,
    cores_of,
    is_named_as,
    natural_key,
    stem_of,
    without_channel,
)
from segloop.images.pair_rule import PairRule
from segloop.images.similar_names import SimilarNames

Source = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, Path]

SAME_NAME = "same name"


@dataclass(frozen=True)
class Pair:
    """A raw image and what belongs to it.

    Attributes
    ----------
    stem : str
        Subfolder and file stem that they share, with forward slashes: ``plate1/a01``.
    raw, seg : Path
        Raw image and segmentation.
    others : mapping of str to Path
        Further segmentations by name.
    name : str
        Name of the segmentation ``seg``.
    rule : str
        Why they belong together: ``same name``, ``same name without _cp_masks``, or the user's rule.
    """

    stem: str
    raw: Path
    seg: Path
    others: Mapping[str, Path] = field(default_factory=dict)
    name: str = "seg"
    rule: str = SAME_NAME

    @property
    def segmentations(self) -> dict[str, Path]:
        """All segmentations by name, ``seg`` first."""
        return {self.name: self.seg, **self.others}


@dataclass(frozen=True)
class Unpaired:
    """A file that is in no pair.

    Attributes
    ----------
    path : Path
        The file.
    ambiguous : bool
        Whether there are several candidates, instead of none.
    problem : str
        One sentence that names the file and the remedy.
    is_raw : bool
        Whether it is a raw image.
    """

    path: Path
    ambiguous: bool
    problem: str
    is_raw: bool


@dataclass(frozen=True)
class Pairing:
    """Outcome of matching.

    Attributes
    ----------
    pairs : tuple of Pair
        Sorted by stem in natural order.
    problems : tuple of str
        One sentence for each file that found no partner or more than one.
    unpaired : tuple of Unpaired
        The files that are in no pair.
    """

    pairs: tuple[Pair, ...]
    problems: tuple[str, ...] = ()
    unpaired: tuple[Unpaired, ...] = ()

    def rules(self) -> dict[str, int]:
        """Return how many pairs each rule has found, most first."""
        counts: dict[str, int] = {}
        for pair in self.pairs:
            counts[pair.rule] = counts.get(pair.rule, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the pairing as a table: raw image, segmentations, and why they are a pair or not."""
        rows = [
            (str(pair.raw), ", ".join(map(str, pair.segmentations.values())), pair.rule)
            for pair in self.pairs
        ]
        for one in self.unpaired:
            why = "several candidates" if one.ambiguous else "no partner"
            rows.append((str(one.path), "", why) if one.is_raw else ("", str(one.path), why))
        return rows

    def table(self) -> list[str]:
        """Return the pairing as aligned lines of text."""
        rows = [("raw image", "segmentation", "paired by"), *self.rows()]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        return [f"{raw:{widths[0]}}  {seg:{widths[1]}}  {why}".rstrip() for raw, seg, why in rows]


def pair_by_stem(
    raw: Source,
    seg: Source,
    others: Mapping[str, Source] | None = None,
    *,
    name: str = "seg",
    rule: str | PairRule | None = None,
    roles: tuple[Role, Role] = ("raw", "labels"),
    report_unused: bool = True,
) -> Pairing:
    """Match images by subfolder and file stem.

    Names that differ are matched if they are equal without the usual additions (``_raw``, ``_image``,
    ``_mask``, ``_seg``, ``_cp_masks``, ``masks/`` ...), and then without the name of a channel (``_DAPI``),
    as long as there is only one candidate. Of the outputs of a Segloop prediction, labels are taken, else
    classes, else the mask.

    Parameters
    ----------
    raw, seg : path-like or sequence of path-like
        A folder (searched with its subfolders), a glob pattern, an image, or a list of images; or files by
        subfolder and stem, which need not exist yet. Subfolders
        count from the folder given, the part of a pattern before its first wildcard, or the common folder of
        a list. Raw images and segmentations may be in one folder if names or a rule tell them apart. The
        fields of an OME-TIFF that each have a file of their own are images of their own.
    others : mapping of str to path-like or sequence of path-like, optional
        Further segmentations by name. Images that lack one of them are used without it.
    name : str, optional
        Name of the segmentation ``seg``.
    rule : str or PairRule, optional
        A rule that replaces those above, such as ``*_raw=*_mask``; see `segloop.images.pair_rule.PairRule`.
    roles : tuple, optional
        What each side holds: ``("labels", "labels")`` for predictions and truth.
    report_unused : bool, optional
        Whether a segmentation without a raw image is a problem.

    Returns
    -------
    Pairing
        The pairs, and a sentence for every image that is in none.

    Raises
    ------
    PairingError
        If there is no pair at all, the rule is wrong, or raw images and segmentations are the same files.
    ImageError
        If a folder is missing or empty.
    """
    chosen = PairRule.parse(rule) if isinstance(rule, str) else rule
    both_labels = roles[0] == "labels"
    names = ("predictions", "truth images") if both_labels else ("raw images", "segmentations")
    sides = [_Side(names[0], raw, roles[0], 0, chosen), _Side(names[1], seg, roles[1], 1, chosen)]
    further = dict(others or {})
    sides += [_Side(f"segmentations {key}", each, "labels", 2, chosen) for key, each in further.items()]
    _separate(sides, chosen)
    matches = [_match(sides[0], side, chosen) for side in sides[1:]]
    first = matches[0]
    pairs, unpaired = [], [one for side in sides for one in side.repeated()]
    for entry in sides[0].usable():
        found = first.partner.get(entry)
        if found is None and entry.stem in sides[1].known_twice:
            continue
        if found is None:
            unpaired.append(_unmatched(entry, sides[0], sides[1], first, "it is left out"))
            continue
        more: dict[str, Path] = {}
        for key, side, match in zip(further, sides[2:], matches[1:], strict=True):
            partner = match.partner.get(entry)
            if partner is not None:
                more[key] = partner.path
            elif entry.stem not in side.known_twice:
                consequence = f"it is used without the segmentation {key}"
                unpaired.append(_unmatched(entry, sides[0], side, match, consequence))
        pairs.append((entry, found, more))
    for side, match in zip(sides[1:], matches, strict=True):
        if report_unused:
            unpaired += [
                _unmatched(entry, side, sides[0], match, "it is left out")
                for entry in side.usable()
                if entry not in match.used and entry.stem not in sides[0].known_twice
            ]
    if not pairs:
        first_problem = unpaired[0].problem if unpaired else "none of the names fits the rule."
        raise PairingError(
            f"None of the {len(sides[0].entries)} {names[0]} in {sides[0].where} has a partner of the same "
            f"name among the {names[1]} in {sides[1].where}: rename them so that the stems are equal, or "
            f"choose a rule for pairing such as *_raw=*_mask. First problem: {first_problem}"
        )
    made = _named(pairs, first, both_labels, name)
    paired = {each.raw for each in made}
    return Pairing(
        tuple(sorted(made, key=lambda pair: natural_key(Path(pair.stem)))),
        tuple(one.problem for one in unpaired),
        tuple(one for one in unpaired if one.path not in paired),
    )


@dataclass(frozen=True)
class _Entry:
    """A file and its subfolder and stem, in composed Unicode."""

    path: Path
    stem: str


class _Side:
    """The images of one side; those whose stem occurs twice are known but not usable."""

    def __init__(self, kind: str, source: Source, role: Role, number: int, rule: PairRule | None) -> None:
        self.kind, self.role, self.number = kind, role, number
        stems, root = _list(source)
        self.where = str(root)
        entries = [_Entry(file, stem) for file, stem in stems.items()]
        self.entries = _best_outputs(entries) if role == "labels" and rule is None else entries

    def known(self) -> dict[str, list[_Entry]]:
        found: dict[str, list[_Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.stem, []).append(entry)
        return found

    def usable(self) -> list[_Entry]:
        """Return the images whose stem occurs once, in natural order."""
        entries = [found[0] for found in self.known().values() if len(found) == 1]
        return sorted(entries, key=lambda entry: natural_key(Path(entry.stem)))

    def repeated(self) -> list[Unpaired]:
        found = []
        for stem, entries in self.known().items():
            if len(entries) > 1:
                names = ", ".join(str(entry.path) for entry in entries)
                sentence = f"{len(entries)} {self.kind} are named {stem} ({names}); keep one of them."
                found.append(Unpaired(entries[0].path, True, sentence, self.number == 0))
        return found

    @cached_property
    def known_twice(self) -> frozenset[str]:
        """Stems that occur more than once; a problem names them already."""
        return frozenset(stem for stem, entries in self.known().items() if len(entries) > 1)

    @cached_property
    def similar(self) -> SimilarNames:
        return SimilarNames({stem: entries[0].path for stem, entries in self.known().items()})


@dataclass
class _Match:
    """Which entry of one side belongs to which of the other, why, and where several would fit."""

    partner: dict[_Entry, _Entry] = field(default_factory=dict)
    rule: dict[_Entry, str] = field(default_factory=dict)
    shared: dict[_Entry, str] = field(default_factory=dict)
    candidates: dict[_Entry, list[_Entry]] = field(default_factory=dict)
    used: set[_Entry] = field(default_factory=set)


def _match(raws: _Side, segs: _Side, rule: PairRule | None) -> _Match:
    match = _Match()
    if rule is not None:
        keys = [
            {entry: key for entry in side.usable() if (key := rule.key(side.number, entry.stem)) is not None}
            for side in (raws, segs)
        ]
        _join(match, _cores(keys[0]), _cores(keys[1]), f"rule {rule.text}")
        return match
    for simplify in (_as_it_is, _without_words, _without_channel_too):
        left = [entry for entry in raws.usable() if entry not in match.partner]
        right = [entry for entry in segs.usable() if entry not in match.used]
        _join(
            match,
            {entry: simplify(entry.stem, raws.role) for entry in left},
            {entry: simplify(entry.stem, segs.role) for entry in right},
            "",
        )
    return match


def _as_it_is(stem: str, role: Role) -> list[Core]:
    return [Core(stem)]


def _without_words(stem: str, role: Role) -> list[Core]:
    return cores_of(stem, role)


def _without(removed: Iterable[str]) -> str:
    words = " and ".join(removed)
    return f"{SAME_NAME} without {words}" if words else SAME_NAME


def _cores(keys: Mapping[_Entry, str]) -> dict[_Entry, list[Core]]:
    return {entry: [Core(key)] for entry, key in keys.items()}


def _without_channel_too(stem: str, role: Role) -> list[Core]:
    cores = cores_of(stem, role)
    return [*cores, *(bare for core in cores if (bare := without_channel(core)) is not None)]


def _join(
    match: _Match,
    left: Mapping[_Entry, Sequence[Core]],
    right: Mapping[_Entry, Sequence[Core]],
    rule: str,
) -> None:
    """Pair what shares a core; with several candidates on either side, remember them instead."""
    lefts, rights = _by_core(left), _by_core(right)
    for core in sorted(lefts.keys() & rights.keys(), key=len, reverse=True):
        ours = [entry for entry in lefts[core] if entry not in match.partner]
        theirs = [entry for entry in rights[core] if entry not in match.used]
        if len(ours) == 1 and len(theirs) == 1:
            (one,), (other,) = ours, theirs
            removed = dict.fromkeys(filter(None, (lefts[core][one], rights[core][other])))
            match.partner[one], match.shared[one] = other, core
            match.used.add(other)
            match.rule[one] = rule or _without(removed)
        elif ours and theirs:
            for one in ours:
                match.candidates[one] = theirs
            for other in theirs:
                match.candidates[other] = ours


def _by_core(entries: Mapping[_Entry, Sequence[Core]]) -> dict[str, dict[_Entry, str]]:
    found: dict[str, dict[_Entry, str]] = {}
    for entry, cores in entries.items():
        for core in cores:
            found.setdefault(core.name, {}).setdefault(entry, core.removed)
    return found


def _named(
    pairs: Sequence[tuple[_Entry, _Entry, Mapping[str, Path]]], match: _Match, both_labels: bool, name: str
) -> list[Pair]:
    """Name each pair by what its files share, or by its first file where that is not unique."""
    shared = [match.shared[raw] for raw, _, _ in pairs]
    made = []
    for (raw, seg, others), core in zip(pairs, shared, strict=True):
        # The name of a raw image stays, since predictions are named after it.
        keep = not both_labels or not core or shared.count(core) > 1
        made.append(Pair(raw.stem if keep else core, raw.path, seg.path, others, name, match.rule[raw]))
    return made


def _separate(sides: Sequence[_Side], rule: PairRule | None) -> None:
    """Tell raw images and segmentations apart where they were found in one folder."""
    raws = sides[0]
    for side in sides[1:]:
        ours, theirs = ({_absolute(entry.path) for entry in each.entries} for each in (raws, side))
        shared = ours & theirs
        if not shared:
            continue
        if rule is not None:
            for each in (raws, side):
                each.entries = [e for e in each.entries if rule.key(each.number, e.stem) is not None]
        elif _take_label_groups(side, shared):
            continue
        elif theirs < ours:
            raws.entries = [entry for entry in raws.entries if _absolute(entry.path) not in theirs]
        elif ours < theirs:
            side.entries = [entry for entry in side.entries if _absolute(entry.path) not in ours]
        else:
            raws.entries = [entry for entry in raws.entries if not is_named_as(entry.stem, "labels")]
            side.entries = [entry for entry in side.entries if is_named_as(entry.stem, "labels")]
        both = {_absolute(entry.path) for entry in raws.entries} & {
            _absolute(entry.path) for entry in side.entries
        }
        if both or not side.entries or not raws.entries:
            raise PairingError(
                f"{min(both or shared)} is among both the {raws.kind} and the {side.kind}, and names "
                "do not tell them apart: choose different folders or patterns, or a rule for pairing such as "
                "*_raw=*_mask."
            )


def _take_label_groups(side: _Side, shared: set[Path]) -> bool:
    """Replace OME-Zarr images on the side of the labels by the labels stored in them."""
    groups = {entry: label_groups(entry.path) for entry in side.entries if _absolute(entry.path) in shared}
    if not groups or not any(groups.values()):
        return False
    side.entries = [_Entry(group, entry.stem) for entry, found in groups.items() for group in found]
    return True


def _best_outputs(entries: Sequence[_Entry]) -> list[_Entry]:
    """Keep the best output to use as labels of each prediction, and drop the others."""
    outputs: dict[str, dict[str, _Entry]] = {}
    for entry in entries:
        stem, dot, output = entry.stem.rpartition(".")
        if dot and output in OUTPUTS:
            outputs.setdefault(stem, {})[output] = entry
    replaced: dict[_Entry, _Entry | None] = {}
    for stem, found in outputs.items():
        record = next(iter(found.values())).path.parent / f"{stem.rpartition('/')[2]}.json"
        if len(found) > 1 or record.exists():
            replaced |= dict.fromkeys(found.values())
            best = next(found[output] for output in OUTPUTS if output in found)
            if best is not found.get("probability"):
                replaced[best] = _Entry(best.path, stem)
    return [kept for entry in entries if (kept := replaced.get(entry, entry)) is not None]


def _unmatched(entry: _Entry, side: _Side, other: _Side, match: _Match, consequence: str) -> Unpaired:
    candidates = match.candidates.get(entry, [])
    if candidates:
        names = ", ".join(str(each.path) for each in candidates[:4])
        more = f" and {len(candidates) - 4} more" if len(candidates) > 4 else ""
        sentence = (
            f"{entry.path} may belong to several {other.kind} or share one with others "
            f"({names}{more}), so {consequence}: rename them, or choose a rule for pairing."
        )
        return Unpaired(entry.path, True, sentence, side.number == 0)
    near = other.similar.nearest(entry.stem)
    hint = f"; the nearest is {near}, rename one of them if they belong together" if near else ""
    where = f"{other.kind} in {other.where}"
    sentence = f"{entry.path} has no partner with its name among the {where}, so {consequence}{hint}."
    return Unpaired(entry.path, False, sentence, side.number == 0)


def stems_of(source: Source) -> dict[Path, str]:
    """Return the images of a folder, glob or list with the subfolder and stem by which they are paired.

    Raises
    ------
    ImageError
        If nothing can be listed.
    """
    return _list(source)[0]


def _list(source: Source) -> tuple[dict[Path, str], Path]:
    """Return the stem of each file, and the folder below which it counts."""
    if isinstance(source, Mapping):
        named = {file: composed(stem) for stem, file in source.items()}
        return named, common_folder([_absolute(file.parent) for file in named])
    if isinstance(source, str | os.PathLike):
        files = image_files(source, fields_apart=True)
        root = root_of(source, files)
    else:
        files = [Path(file) for file in source]
        if not files:
            raise ImageError("The list of images is empty; name at least one.")
        missing = [file for file in files if not exists(file)]
        if missing:
            raise ImageError(f"{missing[0]} does not exist; check its name and that its drive is connected.")
        root = common_folder([_absolute(file.parent) for file in files])
    return {file: _stem_below(file, root) for file in files}, root


def _stem_below(file: Path, root: Path) -> str:
    """Return subfolder and stem; labels inside an OME-Zarr image have those of the image."""
    if file.parent.name == "labels" and is_image(file.parent.parent):
        image = file.parent.parent
        file = image if _absolute(image) != _absolute(root) else image.parent / image.name
    folder = _relative(file.parent, root)
    stem = stem_of(file)
    return composed(stem if folder == "." else f"{folder}/{stem}")


def _relative(folder: Path, root: Path) -> str:
    """Return the subfolders from ``root`` on, with forward slashes; ``.`` for none and outside of it."""
    inside, absolute = _absolute(folder), _absolute(root)
    return inside.relative_to(absolute).as_posix() if inside.is_relative_to(absolute) else "."


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))
