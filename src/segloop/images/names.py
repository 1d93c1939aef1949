"""File names: stems, natural order, and the parts that say whether a file is an image or its segmentation."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Role = Literal["raw", "labels"]

PLAIN_SUFFIXES = (".tif", ".tiff", ".lsm", ".btf", ".tf8", ".png", ".jpg", ".jpeg", ".bmp", ".gif")
EXTRA_READERS = {
    ".czi": "bioio-czi",
    ".nd2": "bioio-nd2",
    ".lif": "bioio-lif",
    ".dv": "bioio-dv",
    ".r3d": "bioio-dv",
    ".sldy": "bioio-sldy",
    ".ims": "bioio-bioformats",
    ".oib": "bioio-bioformats",
    ".oif": "bioio-bioformats",
    ".oir": "bioio-bioformats",
    ".vsi": "bioio-bioformats",
    ".mrc": "bioio-bioformats",
    ".ics": "bioio-bioformats",
    ".zvi": "bioio-bioformats",
}
"""Formats that need a reader package beyond the base installation, and its name."""

SUFFIXES = frozenset((*PLAIN_SUFFIXES, ".zarr", *EXTRA_READERS))

OUTPUTS = ("labels", "classes", "mask", "probability")
"""What Segloop adds to the stem where a prediction has several outputs; the best to compare with first."""

_SEPARATOR = r"[_\-. ]+"
# Longer words first, so that all of "cp_masks" is taken.
_WORDS: dict[Role, str] = {
    "labels": (
        r"cp_?masks?|simple segmentation|object identities|ground_?truth|segmentations?|segmented|segs?"
        r"|masks?|labell?ed|labels?|lbl|instances?|annotations?|annot|gt|truth|predictions?|pred|classes"
        r"|cellpose|stardist|objects"
    ),
    "raw": r"raw|images?|imgs?|im|inputs?|originals?|orig",
}
_CHANNELS = (
    r"dapi|hoechst|e?gfp|rfp|yfp|cfp|bfp|m?cherry|tritc|fitc|cy[357]|texas[_\- ]?red|alexa[_\- ]?\d*|dna|bf"
    r"|bright_?field|phase|dic|nuclei|nuclear|nuc|actin|tubulin|membranes?|cyto(?:plasm)?|far[_\- ]?red"
    r"|red|green|blue|ch(?:annel)?[_\- ]?\d+|c\d+|w\d+"
)
_SUFFIX = {role: re.compile(rf"(?:^|{_SEPARATOR})(?:{words})$", re.I) for role, words in _WORDS.items()}
_PREFIX = {
    role: re.compile(rf"^(?:(?:count )?masks? of |(?:{words})(?:{_SEPARATOR}|(?=\d)))", re.I)
    for role, words in _WORDS.items()
}
_FOLDER = {role: re.compile(rf"^(?:{words})$", re.I) for role, words in _WORDS.items()}
_CHANNEL = re.compile(rf"{_SEPARATOR}(?:{_CHANNELS})$", re.I)


def stem_of(path: str | os.PathLike[str]) -> str:
    """File name without its image suffix: ``a.b`` for ``a.b.ome.tif``."""
    path = Path(path)
    stem = path.stem if path.suffix.lower() in SUFFIXES else path.name
    return stem[:-4] if stem.lower().endswith(".ome") and stem != path.name else stem


def composed(name: str) -> str:
    """Return a name in composed Unicode (NFC), so that ``é`` equals ``e`` with an accent added to it."""
    return unicodedata.normalize("NFC", name)


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key by which ``a2`` comes before ``a10``, folder by folder."""
    pieces = re.split(r"(\d+)", composed(path.as_posix()).casefold())
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces]


@dataclass(frozen=True)
class Core:
    """What is left of a stem without the parts that say what the file is.

    Attributes
    ----------
    name : str
        Subfolder and stem, with forward slashes.
    removed : str
        What was taken away, such as ``_cp_masks``; empty if nothing was.
    """

    name: str
    removed: str = ""


def cores_of(stem: str, role: Role) -> list[Core]:
    """Remove the words for images (or for segmentations) from a subfolder and stem, one after the other.

    Words count where they stand at the beginning or end of the file name, apart from the rest, or are the
    name of a folder: ``plate1/masks/a01_cp_masks`` becomes ``plate1/a01``.

    Returns
    -------
    list of Core
        The stem as it is, then what each step leaves, without repetition.
    """
    folder, _, name = stem.rpartition("/")
    parts = [part for part in folder.split("/") if part]
    kept = [part for part in parts if not _FOLDER[role].match(part)]
    removed = [f"{part}/" for part in parts if part not in kept]
    cores = [Core(stem), _core(kept, name, removed)]
    for pattern in (_SUFFIX[role], _PREFIX[role], _SUFFIX[role]):
        found = pattern.search(name)
        if found and found.group():
            removed.append(found.group())
            name = name[: found.start()] + name[found.end() :]
            cores += [_core(parts, name, removed[-1:]), _core(kept, name, removed)]
    return list({core.name: core for core in reversed(cores)}.values())[::-1]


def _core(folders: list[str], name: str, removed: list[str]) -> Core:
    return Core("/".join([*folders, name]).rstrip("/"), " and ".join(removed))


def without_channel(core: Core) -> Core | None:
    """Remove the name of a channel from the end: ``a01_DAPI`` becomes ``a01``; None if there is none."""
    found = _CHANNEL.search(core.name)
    if found is None:
        return None
    removed = " and ".join(filter(None, (core.removed, found.group())))
    return Core(core.name[: found.start()], removed)


def is_named_as(stem: str, role: Role) -> bool:
    """Whether a subfolder and stem contain a word for images (or for segmentations)."""
    return any(core.removed for core in cores_of(stem, role))
