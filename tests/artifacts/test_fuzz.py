"""Every file of ours, damaged in 500 ways: what reads it gives a result or a sentence, and nothing else."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fakes.trainings import make_run
from model_fixtures import save
from prediction_records import make_record
from segloop.app.presenters.training.run_summary import RunReader
from segloop.app.workspace import Workspace
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.artifacts.dataset.sources import source_of, write_import_record
from segloop.artifacts.job.job import JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.job.task import PredictTask, read_task, write_task
from segloop.artifacts.model.model import Model, installed_models
from segloop.artifacts.prediction.place import find_predictions
from segloop.artifacts.prediction.provenance import Provenance
from segloop.artifacts.run.run import LOCK_FILE, Run
from segloop.config.train import TrainConfig
from segloop.core import user_folders
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.core.lock import Owner
from segloop.curation.session import POSITION_FILE, ReviewSession
from segloop.images.pairing import Pair
from segloop.prediction.rethreshold import rethreshold_folder

MUTATIONS = 36
"""For each of the files; 500 in all."""

Use = Callable[[Path], object]


def use_dataset(study: Path) -> None:
    dataset = CuratedDataset.open(study / "datasets" / "a")
    dataset.summaries()
    dataset.counts()
    dataset.journal()
    for sample_id in dataset.sample_ids:
        dataset.labels(dataset.sample(sample_id))
    dataset.undo()
    dataset.redo()


def use_run(study: Path) -> None:
    RunReader().read(Workspace(study), Context())
    run = Run.open(study / "runs" / "a")
    run.metrics()
    for value in (run.config, run.plan):
        value() if callable(value) else value
    job = JobFolder(run.path)
    job.events()
    _ = job.state


def use_task(study: Path) -> None:
    task = read_task(study / "job")
    assert isinstance(task, PredictTask)
    task.settings()


def use_model(study: Path) -> None:
    installed_models()
    Model.load(study / "model").verify()


def use_zip(study: Path) -> None:
    into = study / "imported"
    try:
        Model.import_zip(study / "model.zip", into)
    finally:
        shutil.rmtree(into, ignore_errors=True)


def use_prediction(study: Path) -> None:
    folder = study / "predictions"
    find_predictions(folder)
    with suppress(SegloopError):  # it keeps no probabilities
        rethreshold_folder(folder, {"foreground": 0.3}, Context())
    Provenance.read(folder / "a.json")


def use_workspace(study: Path) -> None:
    workspace = Workspace(study)
    workspace.recall("key")
    workspace.datasets()
    Workspace.last_path()


def use_last_workspace(study: Path) -> None:
    user_folders.data_folder().mkdir(parents=True, exist_ok=True)
    shutil.copy(study / "last.json", user_folders.data_folder() / "last.json")
    Workspace.last_path()


def use_position(study: Path) -> None:
    ReviewSession(CuratedDataset.open(study / "datasets" / "a")).next()


def use_lock(study: Path) -> None:
    with Run.open(study / "runs" / "a").lock:
        pass


def use_import_record(study: Path) -> None:
    source_of(study / "imported labels" / "a.tif", study)


FILES: dict[str, Use] = {
    "datasets/a/dataset.json": use_dataset,
    "datasets/a/samples/000.json": use_dataset,
    "datasets/a/journal.jsonl": use_dataset,
    f"datasets/a/{POSITION_FILE}": use_position,
    "runs/a/config.yaml": use_run,
    "runs/a/plan.json": use_run,
    f"runs/a/{LOCK_FILE}": use_lock,
    "runs/a/events.jsonl": use_run,
    "runs/a/metrics.csv": use_run,
    "runs/a/model/model.json": use_run,
    "job/task.json": use_task,
    "model/model.json": use_model,
    "model/weights.safetensors": use_model,
    "model.zip": use_zip,
    "predictions/a.json": use_prediction,
    "workspace.json": use_workspace,
    "last.json": use_last_workspace,
    "imported labels/import.json": use_import_record,
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, sample_nuclei: Path) -> Path:
    """A workspace with one of everything."""
    study = tmp_path_factory.mktemp("fuzz") / "study"
    workspace = Workspace(study)
    pairs = [
        Pair(stem, sample_nuclei / "raw" / f"{stem}.tif", sample_nuclei / "seg" / f"{stem}.tif")
        for stem in ("000", "015")
    ]
    dataset = CuratedDataset.create(study / "datasets" / "a", pairs)
    dataset.edit("000", lambda now: now.edit(verdict=Verdict.accepted), "accept")
    dataset.edit("015", lambda now: now.edit(note="x"), "note")
    make_run(workspace, "a", TrainConfig(dataset="d"), JobState.finished, scores=[0.5, 0.6])
    plan = Path(__file__).parent / "run" / "plan_v1.json"
    shutil.copy(plan, study / "runs" / "a" / "plan.json")
    write_task(study / "job", PredictTask(model="m", inputs=["a.tif"], out="out", config={"channels": ["1"]}))
    save(study / "model").export(study / "model.zip")
    (study / "predictions").mkdir()
    (study / "predictions" / "a.tif").write_bytes(b"no image")
    make_record({"a.tif": "labels"}).write(study / "predictions" / "a.json")
    workspace.remember("key", ["a", 1])
    workspace.write_choices()
    (study / "last.json").write_text(json.dumps({"workspace": str(study)}), "utf-8")
    position = {"version": 1, "sample": "015", "filter": "all"}
    (study / "datasets" / "a" / POSITION_FILE).write_text(json.dumps(position), "utf-8")
    ended = Owner.this_process().model_copy(update={"started": 1.0})
    (study / "runs" / "a" / LOCK_FILE).write_text(ended.model_dump_json(), "utf-8")
    (study / "imported labels").mkdir()
    write_import_record(study / "imported labels", "cellpose", {"a.tif": study / "a_seg.npy"})
    return study


STRANGE: tuple[Any, ...] = (
    None, True, 0, -1, 10**400, 1e308, "", "x" * 100_000, "\0", "\ud800", "../../x", "/etc/passwd", [], {},
    [[]], [None], {"a": 1}, ["\udcff"], [1] * 10_000, float("nan"),
)  # fmt: skip


def damaged(content: bytes, choose: random.Random) -> bytes:
    """Return a file's content, damaged in one of many ways."""
    kind = choose.randrange(9)
    at = choose.randrange(len(content) + 1)
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + bytes(len(content) - at)
    if kind == 2:
        return content[:at] + b"\0\r\n\xff\xfe" + content[at:]
    if kind == 3:
        opening = choose.choice([b"[", b'{"a":', b"- ", b"a: {"])
        return content[:at] + opening * 30_000 + content[at:]
    if kind == 4:
        changed = bytearray(content)
        for _ in range(choose.randrange(1, 8)):
            changed[choose.randrange(len(changed))] = choose.randrange(256)
        return bytes(changed)
    return changed_values(content, choose)


def changed_values(content: bytes, choose: random.Random) -> bytes:
    """Return a text with one of its values of another type, missing or twice; other files with a part cut."""
    lines = content.splitlines() if content.count(b"\n{") else [content]
    at = choose.randrange(len(lines))
    try:
        value = json.loads(lines[at])
    except ValueError:
        parts = content.split(b"," if b"," in content else b": ")
        part = choose.randrange(len(parts))
        parts[part] = json.dumps(choose.choice(STRANGE)).encode()
        return b",".join(parts)
    places = list(_places(value))
    holder, key = choose.choice(places)
    action = choose.randrange(5)
    if action == 0:
        del holder[key]
    else:
        holder[key] = choose.choice(STRANGE)
    text = json.dumps(value)
    lines[at] = (text.replace("{", '{"name": 1, "name": [],', 1) if action == 1 else text).encode()
    return b"\n".join(lines) + b"\n"


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def damaged_alike(content: bytes, choose: random.Random, folders: dict[bytes, bytes]) -> bytes:
    """Return a file's content, damaged alike wherever the test runs; folders are known by a fixed name."""
    for real, fixed in folders.items():
        content = content.replace(real, fixed)
    content = damaged(content, choose)
    for real, fixed in folders.items():
        content = content.replace(fixed, real)
    return content


@contextmanager
def restored(study: Path) -> Iterator[None]:
    """Bring back everything in a folder after the block."""
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    try:
        yield
    finally:
        for path in study.rglob("*"):
            if path.is_file() and path not in before:
                path.unlink()
        for path, content in before.items():
            if not path.is_file() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_gives_a_result_or_a_sentence(study: Path, sample_nuclei: Path, name: str) -> None:
    file = study / name
    whole = file.read_bytes()
    folders = {str(study).encode(): b"/study", str(sample_nuclei).encode(): b"/sample nuclei"}
    refused, faults = 0, []
    for number in range(MUTATIONS):
        choose = random.Random(f"{name} {number}")
        with restored(study):
            file.write_bytes(damaged_alike(whole, choose, folders))
            try:
                FILES[name](study)
            except SegloopError as error:
                refused += 1
                if "\n" in str(error) or len(str(error)) > 2000:
                    faults.append(f"{number}: {str(error)[:300]!r}")
            except Exception as error:
                faults.append(f"{number}: {type(error).__name__}: {str(error)[:200]}")
    assert faults == []
    assert refused or name not in ("datasets/a/dataset.json", "runs/a/config.yaml", "model/model.json")


def test_the_files_are_whole_before(study: Path) -> None:
    for use in set(FILES.values()):
        with restored(study):
            use(study)


DAMAGES = (
    b"",
    bytes(100),
    b"{" * 100_000,
    b"[]",
    b"null",
    b'{"version": 99}',
    b"\xff\xfe\0",
    b'{"id": "\\ud800"}',
)


@pytest.mark.parametrize("damage", DAMAGES, ids=range(len(DAMAGES)))
def test_one_damaged_item_of_three_leaves_the_others(study: Path, tmp_path: Path, damage: bytes) -> None:
    three = tmp_path / "three"
    workspace = Workspace(three)
    (three / "predictions").mkdir()
    for name in "abc":
        shutil.copytree(study / "runs" / "a", three / "runs" / name)
        shutil.copytree(study / "datasets" / "a", three / "datasets" / name)
        make_record({f"{name}.tif": "labels"}).write(three / "predictions" / f"{name}.json")
    for file in ("config.yaml", "events.jsonl", "metrics.csv", "plan.json", "model/model.json"):
        (three / "runs" / "b" / file).write_bytes(damage)
    (three / "datasets" / "b" / "dataset.json").write_bytes(damage)
    (three / "predictions" / "b.json").write_bytes(damage)
    summaries = {each.path.name: each for each in RunReader().read(workspace, Context())}
    assert set(summaries) == set("abc")
    assert [summaries[name].epochs for name in "ac"] == [2, 2]
    assert {path.name for path in workspace.datasets()} == set("abc")
    for name in "ac":
        assert len(CuratedDataset.open(three / "datasets" / name).summaries()) == 2
    assert {each.stem for each in find_predictions(three / "predictions")} >= set("ac")
