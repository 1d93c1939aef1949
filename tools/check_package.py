"""Build the wheel and the source distribution, and check what they hold.

The wheel must hold every file of ``src/segloop`` that git tracks, and nothing else but its metadata. The
source distribution must hold every file that git tracks, except those that only the repository needs. With a
folder as argument, the two are left there. The exit status is 1 if anything is wrong.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY_ONLY = (".ci/", ".github/", ".gitignore", ".pre-commit-config.yaml")
ADDED_BY_BUILD = {"PKG-INFO", "setup.cfg"}


def main() -> int:
    """Build, check, report; return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder)
        subprocess.run([sys.executable, "-m", "build", "--outdir", str(out), str(ROOT)], check=True)
        (wheel,), (source,) = out.glob("*.whl"), out.glob("*.tar.gz")
        subprocess.run(
            [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(source)], check=True
        )
        tracked = tracked_files()
        problems = [*wheel_problems(wheel, tracked), *source_problems(source, tracked)]
        for path in (wheel, source):
            print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
    print("\n".join(problems) or "Both hold what they should.")
    return 1 if problems else 0


def tracked_files() -> set[str]:
    """Return the files that git tracks, relative to the repository, with forward slashes."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


def wheel_problems(wheel: Path, tracked: set[str]) -> list[str]:
    """Return a sentence for each file that is missing in the wheel or should not be there."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith("/")}
    wanted = {name.removeprefix("src/") for name in tracked if name.startswith("src/segloop/")}
    return compare("the wheel", held, wanted)


def source_problems(source: Path, tracked: set[str]) -> list[str]:
    """Return a sentence for each file that is missing in the source distribution or should not be there."""
    with tarfile.open(source) as archive:
        files = [member.name for member in archive.getmembers() if member.isfile()]
    held = {name.partition("/")[2] for name in files}
    held = {name for name in held if name not in ADDED_BY_BUILD and ".egg-info/" not in name}
    return compare(
        "the source distribution", held, {name for name in tracked if not name.startswith(REPOSITORY_ONLY)}
    )


def compare(where: str, held: set[str], wanted: set[str]) -> list[str]:
    """Return a sentence for each difference."""
    missing = [f"{name} is missing in {where}." for name in sorted(wanted - held)]
    return missing + [f"{name} should not be in {where}." for name in sorted(held - wanted)]


if __name__ == "__main__":
    sys.exit(main())
