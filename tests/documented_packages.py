"""The examples of docs/how-to/own-target.md and own-parts.md as installed packages."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "own-target.md"
PARTS_PAGE = PAGE.with_name("own-parts.md")


def install(folder: Path, page: Path = PAGE) -> Path:
    """Write a page's modules and the metadata of an installed package to a folder for ``sys.path``."""
    text = page.read_text(encoding="utf-8")
    names = re.findall(r"Save (?:it|this one)\s+as\s+`(\w+\.py)`", text)
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    folder.mkdir(parents=True, exist_ok=True)
    for name, block in zip(names, blocks, strict=True):
        (folder / name).write_text(block, encoding="utf-8")
    (groups,) = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    name = page.stem.replace("-", "_")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    entries = re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", groups).replace('"', "")
    (info / "entry_points.txt").write_text(entries, encoding="utf-8")
    return folder
