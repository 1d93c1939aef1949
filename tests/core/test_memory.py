"""Free memory under limits: those of a process, real ones, and those of control groups, as files say them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from segloop.core.memory import _left_in_groups, free_memory

GB = 1 << 30


def test_without_limits_it_is_what_the_system_has() -> None:
    assert 0 < free_memory() <= psutil.virtual_memory().total


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limit")
def test_the_limit_of_a_process_counts() -> None:
    code = (
        "import resource; from segloop.core.memory import free_memory; "
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); print(free_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < GB


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)


def unified(folder: Path, limit: str, used: int, cached: int = 0) -> None:
    stat = f"anon 7\ninactive_file {cached // 2}\nactive_file {cached // 2}\n"
    group(folder, memory_max=f"{limit}\n", memory_current=f"{used}\n", memory_stat=stat)


def legacy(folder: Path, limit: int, used: int, cached: int = 0) -> None:
    stat = f"inactive_file 7\ntotal_inactive_file {cached // 2}\ntotal_active_file {cached // 2}\n"
    files = {"memory_limit_in_bytes": f"{limit}\n", "memory_usage_in_bytes": f"{used}\n", "memory_stat": stat}
    group(folder, **files)


def left(tmp_path: Path, own: str) -> list[int]:
    (tmp_path / "own").write_text(own)
    return sorted(_left_in_groups(tmp_path / "own", tmp_path / "root"))


def test_a_limit_of_a_group_or_of_one_above_counts(tmp_path: Path) -> None:
    unified(tmp_path / "root" / "slurm", str(8 * GB), 3 * GB, GB)
    unified(tmp_path / "root" / "slurm" / "job", "max", 2 * GB)
    assert left(tmp_path, "0::/slurm/job\n") == [6 * GB]


def test_the_older_groups_count(tmp_path: Path) -> None:
    legacy(tmp_path / "root" / "memory" / "job", 4 * GB, 3 * GB, 2 * GB)
    assert left(tmp_path, "9:name=systemd:/\n5:cpu,memory:/job\n0::/\n") == [3 * GB]


def test_in_a_container_the_path_of_the_host_is_not_there(tmp_path: Path) -> None:
    unified(tmp_path / "root", str(2 * GB), GB)
    assert left(tmp_path, "0::/docker/0123\n") == [GB]


def test_no_groups_no_limit(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    assert left(tmp_path, "0::/\n") == []
    assert list(_left_in_groups(tmp_path / "missing", tmp_path / "root")) == []
