"""A self-contained web page, and the parts that several reports have."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape

import numpy as np

from segloop.core.atomic import write_text
from segloop.core.errors import ImageError
from segloop.core.file_errors import writing
from segloop.core.matching import Array
from segloop.evaluation.pictures import Picture
from segloop.evaluation.report_style import CSS


def write_page(path: str | os.PathLike[str], title: str, body: Sequence[str]) -> None:
    """Write a page as one HTML file without scripts, that loads nothing from elsewhere.

    Parameters
    ----------
    path : path
        The file to write, replaced in one step.
    title : str
        Of the page, as plain text.
    body : sequence of str
        HTML, in order.

    Raises
    ------
    ImageError
        If the file can't be written.
    """
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )
    with writing(path, ImageError):
        write_text(path, page)


def problem_list(problems: Sequence[str]) -> str:
    """Return a section with the problems, or nothing if there are none."""
    items = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return f'<h2>Problems</h2><ul class="problems">{items}</ul>' if problems else ""


def plane(volume: Array, z: int | None) -> Array:
    """Take slice ``z`` of (..., Z, Y, X), or the maximum over Z."""
    return np.asarray(volume.max(-3) if z is None else volume[..., z, :, :])


def cell(caption: str, picture: Picture | None) -> str:
    """Return a picture with its caption; None says that there is no raw image."""
    caption = escape(caption)
    if picture is None:
        return f'<figure><figcaption>{caption}</figcaption><div class="none">no raw image</div></figure>'
    enlarged = ' class="enlarged"' if picture.width < 280 else ""
    return (
        f'<figure><figcaption>{caption}</figcaption><img{enlarged} src="{picture.uri}" alt="{caption}" '
        f'width="{picture.width}" height="{picture.height}" style="height:auto"></figure>'
    )
