"""Which images a job predicts, and what their predictions are called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segloop.config.predict import OutputFormat, PredictConfig
from segloop.core.errors import JobError, SegloopError
from segloop.images.listing import image_files, root_of
from segloop.images.names import composed, stem_of
from segloop.targets.output import Output


@dataclass(frozen=True)
class Item:
    """One file to predict.

    Attributes
    ----------
    path : Path
        The image file or Zarr folder.
    stem : str
        Name of the prediction, with the subfolder it keeps, such as ``"day1/a"``.
    """

    path: Path
    stem: str


def plan_items(inputs: Sequence[str], out: Path) -> tuple[list[Item], list[str]]:
    """List the images that files, folders and glob patterns name, each once, and name their predictions.

    Earlier predictions are not taken as images where ``out`` is inside a folder among the inputs.

    Returns
    -------
    items : list of Item
        In the given order.
    problems : list of str
        One sentence for each input that is missing or holds no images.
    """
    items: dict[Path, Item] = {}
    problems = []
    for text in inputs:
        try:
            files = image_files(text)
            root = root_of(text, files)
        except SegloopError as error:
            problems.append(str(error))
            continue
        for path in files:
            absolute = path.absolute()
            if _is_inside(out.absolute(), root.absolute()) and _is_inside(absolute, out.absolute()):
                continue
            items.setdefault(absolute, Item(path, _relative_stem(absolute, root.absolute())))
    return list(items.values()), problems


def check_names(items: Sequence[Item], out: Path, config: PredictConfig) -> None:
    """Make sure before the start that no output overwrites another one, or an input.

    Raises
    ------
    JobError
        Naming the files that conflict.
    """
    taken: dict[str, Item] = {}
    inputs = {item.path.absolute() for item in items}
    for item in items:
        other = taken.setdefault(composed(item.stem).casefold(), item)
        if other is not item:
            raise JobError(
                f"`{other.path}` and `{item.path}` would both be written to `{item.stem}` in {out}: "
                "rename one, or predict them into different folders."
            )
        suffix = ".ome.zarr" if _writes_zarr(item.path, config.format) else ".tif"
        several = len(set(config.outputs)) > 1
        if not several and (out / f"{item.stem}{suffix}").absolute() in inputs:
            raise JobError(
                f"The prediction of `{item.path}` would overwrite an input: choose another folder."
            )


def output_name(stem: str, kind: Output, kinds: Sequence[Output], suffix: str) -> str:
    """Return ``<stem><suffix>``, or ``<stem>.<output><suffix>`` where there are several outputs."""
    return f"{stem}{suffix}" if len(kinds) == 1 else f"{stem}.{kind.name}{suffix}"


def scene_stem(stem: str, scene: int, scenes: Sequence[str]) -> str:
    """Return the name of the prediction of scene number ``scene``.

    It is ``<stem>_<scene>`` where a file has several scenes, else ``<stem>``. Characters that file
    systems refuse become ``_``; scenes that would then share a name get their number instead.
    """
    if len(scenes) <= 1:
        return stem
    names = [_safe(name) for name in scenes]
    folded = [composed(name).casefold() for name in names]
    unique = names[scene] != "" and folded.count(folded[scene]) == 1
    return f"{stem}_{names[scene] if unique else scene}"


def _writes_zarr(path: Path, chosen: OutputFormat) -> bool:
    return chosen is OutputFormat.zarr or (chosen is OutputFormat.auto and path.suffix.lower() == ".zarr")


def _relative_stem(path: Path, root: Path) -> str:
    folder = path.parent.relative_to(root) if _is_inside(path, root) else Path()
    return (folder / stem_of(path.name)).as_posix()


def _is_inside(path: Path, folder: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(os.path.normpath(folder)) and path != folder


def _safe(scene: str) -> str:
    return "".join("_" if c in '<>:"/\\|?*' or ord(c) < 32 else c for c in scene.strip()).rstrip(" .")
