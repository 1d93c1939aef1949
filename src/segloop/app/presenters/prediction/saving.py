"""Saving results from the screen into a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.core.file_names import safe_file_name
from segloop.targets import ParameterSet

if TYPE_CHECKING:
    from segloop.prediction.kept import KeptPrediction
    from segloop.targets.output import Output


@dataclass(frozen=True)
class ToSave:
    """A result to save.

    Attributes
    ----------
    kept : KeptPrediction
        With its probability.
    name : str
        Name of its image.
    source : str
        File behind the image; empty without one.
    thresholds : ParameterSet
        Where its maps become objects.
    """

    kept: KeptPrediction
    name: str
    source: str
    thresholds: ParameterSet


def save_all(
    results: Sequence[ToSave],
    kinds: Sequence[Output],
    folder: Path,
    context: Context,
) -> list[Path]:
    """Save results; return the files written, records included.

    Parameters
    ----------
    results : sequence of ToSave
        Which results.
    kinds : sequence of Output
        Which outputs; of a result that has none of them, its first one.
    folder : Path
        Where to.
    context : Context
        Progress and cancel.

    Raises
    ------
    SegloopError
        If two would get the same name; nothing is written then.
    """
    written: list[Path] = []
    stems = file_stems([(each.name, each.source) for each in results])
    for each, stem in zip(results, stems, strict=True):
        possible = each.kept.target.outputs
        chosen = [kind for kind in kinds if kind in possible] or [possible[0]]
        written += each.kept.save(
            folder, stem, chosen, each.thresholds, image=each.name, source=each.source, context=context
        )
    return written


def file_stems(images: Sequence[tuple[str, str]]) -> list[str]:
    """Return the file names of results, without suffix.

    A result is called like the file behind its image, or like its layer if there is none or layers share it.

    Parameters
    ----------
    images : sequence of (str, str)
        Name of each layer, and the path of the file behind it; empty without one.

    Raises
    ------
    SegloopError
        If two would get the same name.
    """
    from segloop.images.names import stem_of

    by_layer = [safe_file_name(name, "layer") for name, _ in images]
    stems = [
        stem_of(Path(source).name) if source else name
        for name, (_, source) in zip(by_layer, images, strict=True)
    ]
    count = Counter(stem.casefold() for stem in stems)
    stems = [
        stem if count[stem.casefold()] == 1 else name for stem, name in zip(stems, by_layer, strict=True)
    ]
    count = Counter(stem.casefold() for stem in stems)
    twice = next((stem for stem in stems if count[stem.casefold()] > 1), None)
    if twice is not None:
        raise SegloopError(f"Two results would both be saved as `{twice}`: rename one of the layers.")
    return stems


def not_kept(names: Sequence[str]) -> str:
    """Return why results can't be saved, as a sentence."""
    listed = ", ".join(f"`{name}`" for name in names)
    return (
        f"The probability of {listed} was not kept, so it can't be saved: "
        "tick probability under Output and predict again."
    )
