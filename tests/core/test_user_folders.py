from __future__ import annotations

from pathlib import Path

import pytest

from segloop.core import user_folders


def test_one_variable_moves_all_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGLOOP_HOME", str(tmp_path))
    assert user_folders.data_folder() == tmp_path
    assert user_folders.cache_folder() == tmp_path / "cache"
    assert user_folders.models_folder() == tmp_path / "models"
    assert user_folders.default_workspace() == tmp_path / "workspace"


@pytest.mark.parametrize("value", [None, ""])
def test_without_it_they_are_where_the_system_keeps_such_things(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("SEGLOOP_HOME")
    else:
        monkeypatch.setenv("SEGLOOP_HOME", value)
    folders = (user_folders.data_folder(), user_folders.cache_folder(), user_folders.models_folder())
    assert all(folder.is_absolute() and "segloop" in folder.parts for folder in folders)
    assert user_folders.default_workspace() == Path.home() / "segloop"
