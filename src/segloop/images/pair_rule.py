"""A user's own rule for which raw image and segmentation belong together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import regex

from segloop.core.errors import PairingError
from segloop.core.user_patterns import TooSlowError, compiled, fullmatch
from segloop.images.names import composed, stem_of

_EXAMPLE = "write RAW=SEG, such as *_raw=*_mask, where * stands for the part that both names share"


@dataclass(frozen=True)
class PairRule:
    """Patterns by which files of each side are recognised; what their wildcards stand for must be equal.

    Attributes
    ----------
    text : str
        As the user wrote it.
    patterns : tuple of regex.Pattern
        For raw images, segmentations and, if given, second segmentations.
    """

    text: str
    patterns: tuple[regex.Pattern[str], ...]

    @classmethod
    def parse(cls, text: str) -> PairRule:
        """Read ``RAW=SEG`` or ``RAW=SEG=SEG2``.

        Each part is a file name without suffix, in which ``*`` stands for any text and ``?`` for one
        character; with a slash, it is matched with the subfolder. If the text begins with ``re:``, the parts
        are regular expressions, and their groups must be equal.

        Raises
        ------
        PairingError
            If there is no ``=``, a part has no wildcard or group, or a regular expression is wrong.
        """
        as_regex = text.startswith("re:")
        # In a regular expression, an equals sign may also belong to (?=...) or (?<=...).
        parts = re.split(r"(?<!\(\?)(?<!\(\?<)=" if as_regex else "=", text.removeprefix("re:"))
        if len(parts) not in (2, 3) or not all(parts):
            raise PairingError(f"{text!r} is not a rule for pairing: {_EXAMPLE}.")
        try:
            patterns = tuple(compiled(part if as_regex else _as_regex(part)) for part in parts)
        except ValueError as error:
            raise PairingError(f"{text!r} is not a rule for pairing ({error}): {_EXAMPLE}.") from error
        counts = {pattern.groups for pattern in patterns}
        if len(counts) > 1 or counts == {0}:
            raise PairingError(
                f"{text!r} is not a rule for pairing: each side needs the same number (at least one) of "
                f"{'groups in parentheses' if as_regex else 'wildcards'}; {_EXAMPLE}."
            )
        return cls(text, patterns)

    def key(self, side: int, stem: str) -> str | None:
        """Return what identifies a file by the pattern of its side; None if it does not match.

        Parameters
        ----------
        side : int
            0 for raw images, 1 for segmentations, 2 for second segmentations.
        stem : str
            Subfolder and stem, with forward slashes.

        Raises
        ------
        PairingError
            If matching takes too long.
        """
        pattern = self.patterns[min(side, len(self.patterns) - 1)]
        folder, _, name = stem.rpartition("/")
        with_folder = "/" in pattern.pattern
        try:
            found = fullmatch(pattern, stem if with_folder else name)
        except TooSlowError as error:
            raise PairingError(f"The rule {self.text!r} {error}") from error
        if found is None:
            return None
        groups: Sequence[str] = [group or "" for group in found.groups()]
        return "/".join(groups if with_folder or not folder else [folder, *groups])


def _as_regex(part: str) -> str:
    folder, slash, name = part.rpartition("/")
    plain = composed(folder + slash + stem_of(name))
    wildcards = {"*": "(.*)", "?": "(.)"}
    return "".join(wildcards.get(letter, re.escape(letter)) for letter in plain)
