from pathlib import Path

import pytest

from segloop.app.workspace import Workspace
from segloop.core.errors import SegloopError


def test_choices_are_remembered_when_the_workspace_is_opened_again(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.remember("dataset", "nuclei")
    workspace.write_choices()

    assert Workspace(tmp_path).recall("dataset") == "nuclei"


def test_a_choice_never_made_is_the_default(tmp_path: Path) -> None:
    assert Workspace(tmp_path).recall("dataset", "none") == "none"


def test_a_damaged_memory_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "workspace.json").write_text("{torn")

    workspace = Workspace(tmp_path)
    workspace.remember("size", 3)
    workspace.write_choices()

    assert Workspace(tmp_path).recall("size") == 3


def test_choices_made_in_two_windows_are_all_kept(tmp_path: Path) -> None:
    one, other = Workspace(tmp_path), Workspace(tmp_path)
    one.remember("size", 3)
    other.remember("shape", "polygon")
    one.write_choices()
    other.write_choices()

    again = Workspace(tmp_path)

    assert (again.recall("size"), again.recall("shape")) == (3, "polygon")


def test_the_workspace_used_last_is_found_again(tmp_path: Path) -> None:
    Workspace(tmp_path / "study").remember_as_last()

    assert Workspace.last_path() == tmp_path / "study"


def test_looking_for_the_last_workspace_makes_no_folder() -> None:
    assert not Workspace.last_path().exists()


def test_new_folders_take_a_free_name_that_every_file_system_allows(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    first = workspace.new_folder(workspace.runs_dir, "my: run?")
    first.mkdir()

    second = workspace.new_folder(workspace.runs_dir, "my: run?")

    assert (first.name, second.name) == ("my-run", "my-run-2")


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    import os

    workspace = Workspace(tmp_path)
    for age, name in enumerate(["new", "old"]):
        run = workspace.runs_dir / name
        run.mkdir(parents=True)
        (run / "config.yaml").write_text("")
        os.utime(run / "config.yaml", (1000 - age, 1000 - age))
    (workspace.runs_dir / "stray").mkdir()

    assert [run.name for run in workspace.runs()] == ["new", "old"]


def test_a_workspace_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SegloopError, match=r"file/study can't be written .*choose a folder"):
        Workspace(tmp_path / "file" / "study")


def test_predictions_are_found_by_their_job(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name in ("done", "stray"):
        (workspace.predictions_dir / name / ".segloop").mkdir(parents=True)
    (workspace.predictions_dir / "done" / ".segloop" / "events.jsonl").write_text("")

    assert [folder.name for folder in workspace.predictions()] == ["done"]


@pytest.fixture
def unwritable(tmp_path: Path) -> Workspace:
    """A workspace in which nothing can be written, not even by root: a file has taken its place."""
    workspace = Workspace(tmp_path / "study")
    workspace.path.rmdir()
    workspace.path.write_text("no folder")
    return workspace


def test_a_choice_that_can_not_be_written_is_told_in_a_sentence_and_known_all_the_same(
    unwritable: Workspace,
) -> None:
    unwritable.remember("size", 3)
    with pytest.raises(SegloopError, match=r"The workspace .*study can't be written \(.*\): .* closed\.$"):
        unwritable.write_choices()

    assert unwritable.recall("size") == 3


def test_a_choice_that_can_be_written_again_is_written(unwritable: Workspace) -> None:
    unwritable.remember("size", 3)
    with pytest.raises(SegloopError):
        unwritable.write_choices()
    unwritable.path.unlink()
    unwritable.path.mkdir()

    unwritable.write_choices()

    assert Workspace(unwritable.path).recall("size") == 3


def test_a_new_folder_where_nothing_can_be_written_is_refused_in_a_sentence(unwritable: Workspace) -> None:
    with pytest.raises(SegloopError, match=r"runs can't be written \(.*\): choose a workspace"):
        unwritable.new_folder(unwritable.runs_dir, "nuclei")
