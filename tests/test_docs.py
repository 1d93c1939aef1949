"""What the documentation names exists: paths, links, commands, options, settings, Python names."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import click
import pytest
import yaml

import segloop
from documented_packages import PAGE, PARTS_PAGE, install
from segloop import targets
from segloop.cli.command import segloop as command
from segloop.config import registries
from segloop.config.compose import compose
from segloop.config.predict import PredictConfig
from segloop.config.train import TrainConfig
from segloop.core.registry import Registry

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *(REPOSITORY / "benchmarks").rglob("*.md"),
    ]
)
MADE_AT_BUILD_TIME = {REPOSITORY / "docs/reference" / name for name in ("cli.md", "config.md", "models.md")}

page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())

_REPOSITORY_PATH = re.compile(
    r"(?:src|tests|docs|tools|benchmarks|\.ci|\.github)/[\w./-]*"
    r"|[A-Z]+\.(?:md|cff)|LICENSE|tox\.ini|pyproject\.toml|constraints\.txt|mkdocs\.yml"
)


def code(text: str) -> Iterator[str]:
    """Yield each line of the fenced blocks, and each piece of inline code."""
    fence = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
    for block in fence.findall(text):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", fence.sub("", text))


def segloop_commands(text: str) -> list[list[str]]:
    """Return the words of every ``segloop ...`` command in a text, without comments."""
    lines = (line.strip().removeprefix("$ ") for line in code(text))
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("segloop ")]


def find_verb(words: list[str]) -> click.Command | None:
    """Return the verb that the first words name; None where there is none of that name."""
    verb: click.Command | None = command
    for word in words:
        if not isinstance(verb, click.Group):
            break
        verb = verb.get_command(click.Context(verb), word)
    return verb


def tox_environments() -> set[str]:
    parser = ConfigParser(interpolation=None)
    parser.read(REPOSITORY / "tox.ini", encoding="utf-8")
    named = {
        section.removeprefix("testenv:") for section in parser.sections() if section.startswith("testenv:")
    }
    return named | {f"py3{minor}{qt}" for minor in (11, 12, 13) for qt in ("", "-pyqt6", "-pyside6")}


@page
def test_paths_exist(page: Path) -> None:
    named = {piece for piece in code(page.read_text(encoding="utf-8")) if _REPOSITORY_PATH.fullmatch(piece)}

    assert {path for path in named if not (REPOSITORY / path).exists()} == set()


@page
def test_links_and_pictures_exist(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = {(page.parent / target).resolve() for target in targets if not re.match(r"\w+:", target)}

    assert {str(path) for path in local - MADE_AT_BUILD_TIME if not path.exists()} == set()


@page
def test_commands_exist_with_their_options(page: Path) -> None:
    for words in segloop_commands(page.read_text(encoding="utf-8")):
        verb = find_verb([word for word in words if not word.startswith("-")])
        assert verb is not None, f"there is no command 'segloop {' '.join(words)}'"
        known = {"--help", "--debug", "--version"}.union(*(param.opts for param in verb.params))
        unknown = [word for word in words if word.startswith("--") and word != "--" and word not in known]
        assert unknown == [], f"'segloop {' '.join(words)}' has no such option"


@page
def test_settings_exist(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for page_of_parts in (PAGE, PARTS_PAGE):  # whose parts are chosen
        monkeypatch.syspath_prepend(str(install(tmp_path / page_of_parts.stem, page_of_parts)))
    for words in segloop_commands(page.read_text(encoding="utf-8")):
        schema = PredictConfig if words[0] in ("predict", "compare") else TrainConfig
        # These take no settings, but --seg NAME=FOLDER, and parameters of the models' targets.
        if words[0] in ("dataset", "threshold"):
            continue
        settings = [word for word in words if re.match(r"[a-z_./]+=[^.]", word)]
        # Of values to sweep over, the first.
        settings = [word if re.search(r"[\[{]", word) else word.split(",")[0] for word in settings]
        compose(schema, settings)


@page
def test_tox_environments_exist(page: Path) -> None:
    lists = re.findall(r"tox run -e ([\w,-]+)", page.read_text(encoding="utf-8"))

    assert {name for names in lists for name in names.split(",")} <= tox_environments()


@page
def test_python_names_exist(page: Path) -> None:
    groups = {each.group for each in vars(registries).values() if isinstance(each, Registry)}
    pieces = set(code(page.read_text(encoding="utf-8"))) - groups
    for name in {piece for piece in pieces if re.fullmatch(r"segloop(\.\w+)+", piece)}:
        resolve(name)


@page
def test_python_examples_compile(page: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)

    for block in blocks:
        compile(block, str(page), "exec")


@page
def test_python_examples_use_public_names_only(page: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    used: set[str] = set()
    for node in (node for block in blocks for node in ast.walk(ast.parse(block))):
        if isinstance(node, ast.Import):
            used |= {name.name.partition(".")[2] for name in node.names if name.name.startswith("segloop.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "segloop.targets":
            # What a target of one's own needs is public there.
            assert {name.name for name in node.names} <= set(targets.__all__)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "segloop":
            assert node.module == "segloop", f"import from segloop itself, not from {node.module}"
            used |= {name.name for name in node.names}
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "segloop"
        ):
            used.add(node.attr)

    assert used <= set(segloop.__all__)


@pytest.mark.parametrize("name", segloop.__all__)
def test_public_names_exist(name: str) -> None:
    assert getattr(segloop, name) is not None


def test_the_reference_describes_every_public_name() -> None:
    text = (REPOSITORY / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    described = [resolve(name) for name in re.findall(r"^::: (\S+)", text, re.MULTILINE)]
    names = {name for item in described for name in (getattr(item, "__name__", ""), *vars(item))}

    # Config objects have a page of their own.
    assert set(segloop.__all__) - names <= {"PredictConfig", "TrainConfig", "__version__"}


def resolve(name: str) -> object:
    """Return the module or the attribute of a module that a dotted name means."""
    owner, _, attribute = name.rpartition(".")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return getattr(resolve(owner), attribute)


def test_the_readme_has_one_line_for_the_demo_and_one_for_the_tests() -> None:
    lines = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()

    warm_up = [line for line in lines if "tox run" in line and line.startswith("python -m pip install")]

    assert [line.rpartition("tox run -e ")[2] for line in warm_up] == ["demo", "py311"]


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.name
)
def test_workflows_run_tox_environments_that_exist(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]

    matrices = [job["strategy"]["matrix"] for job in jobs.values() if "strategy" in job]
    named = {name for matrix in matrices for name in matrix["tox"]}
    named |= {entry["tox"] for matrix in matrices for entry in matrix.get("include", ())}

    assert named
    assert named <= tox_environments()


SHOWN = {
    "python.md": ["assert labels.max() > 0"],
    "when-a-model-fails.md": [
        "assert good >= 0.75 * n_nuclei",
        "assert abs(right_size - good) <= 0.2 * good < abs(wrong_size - good)",
        "assert with_hot_pixel == good",
        "assert abs(recognised - good) <= 1 and abs(as_it_is - good) > 0.2 * good",
        "assert 'choose them under Channels' in refusal and right_channel == good",
        "assert after > before + 0.05",
    ],
}
"""Pages whose Python blocks are run one after the other, and what is to be true in the end."""


@pytest.mark.slow
@pytest.mark.parametrize("page", SHOWN)
def test_the_examples_of_a_page_run(tmp_path: Path, sample_nuclei: Path, page: str) -> None:
    text = (REPOSITORY / "docs" / "how-to" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for folder, ours in (("raw", "raw"), ("masks", "seg")):
        (tmp_path / "images" / folder).mkdir(parents=True)
        for image in sorted((sample_nuclei / ours).glob("*.tif"))[: 6 if page == "python.md" else 12]:
            shutil.copy(image, tmp_path / "images" / folder)
    (tmp_path / "example.py").write_text("\n".join([*blocks, *SHOWN[page]]), encoding="utf-8")

    done = subprocess.run([sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
