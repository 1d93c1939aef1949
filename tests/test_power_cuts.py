"""Files that a power cut left empty, full of zeros or half: named or passed over, never taken as whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from damage import DAMAGES
from saved_results import CHANGES, OUT, Change, State, copied
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.core.errors import SegloopError
from segloop.images.pairing import pair_by_stem

# One change for each kind of result: predictions as TIFF and Zarr, saved ones, a zip, models.
RESULTS = ["predict tiff", "predict zarr", "save", "model export", "model import", "model replaced"]


def files_below(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def read(state: Callable[[Path], State], folder: Path) -> tuple[State, str]:
    """Return the state, or None with the sentence that says why it can't be read."""
    try:
        return state(folder), ""
    except SegloopError as error:
        return None, str(error)


@pytest.mark.slow
@pytest.mark.parametrize("name", RESULTS)
def test_a_damaged_file_is_never_taken_for_a_result(model_folder: Path, tmp_path: Path, name: str) -> None:
    (change,) = (each for each in CHANGES if each.name == name)
    whole = _made(change, model_folder, tmp_path / "whole")
    expected = change.state(whole)
    before = copied(model_folder, tmp_path / "before")
    change.prepare(before)
    written = [file for file in files_below(whole) if not _is_same(before / file, whole / file)]
    assert written
    for file in written:
        for damage in DAMAGES:
            folder = copied(whole, tmp_path / "damaged")
            damage(folder / file)
            found, sentence = read(change.state, folder)
            assert found in (None, [], [None], expected), f"{damage.__name__}: {file}"
            assert str(folder) in sentence or found is not None
            assert "\n" not in sentence
            if name.startswith("predict") and file.parts[0] == OUT:
                if file.suffix == ".json" and len(file.parts) == 2:
                    with pytest.raises(SegloopError, match="move it away"):  # whose are the outputs?
                        change.act(folder)
                    shutil.rmtree(folder / OUT)
                change.act(folder)  # as the sentence says
                assert change.state(folder) == expected, f"{damage.__name__}: {file} is not made again"
            folder.rename(tmp_path / f"done-{damage.__name__}-{written.index(file)}")


def _made(change: Change, model_folder: Path, folder: Path) -> Path:
    copied(model_folder, folder)
    change.prepare(folder)
    change.act(folder)
    return folder


def _is_same(file: Path, other: Path) -> bool:
    return file.exists() and file.read_bytes() == other.read_bytes()


def test_a_damaged_file_of_a_dataset_spoils_nothing_else(sample_nuclei: Path, tmp_path: Path) -> None:
    pairs = pair_by_stem(sample_nuclei / "raw", sample_nuclei / "seg").pairs[:3]
    whole = CuratedDataset.create(tmp_path / "whole" / "nuclei", pairs)
    for number, sample in enumerate(list(whole.samples())):
        whole.save(sample.edit(note=str(number), verdict=Verdict.accepted), "note")
    first, *_ = whole.sample_ids
    whole.correct_labels(first, "seg", whole.labels(whole.sample(first)) * 2)
    expected, _ = contents(whole.path)
    files = files_below(whole.path)
    assert len({file.suffix for file in files}) >= 3

    for number, file in enumerate(files):
        for damage in DAMAGES:
            folder = copied(whole.path, tmp_path / f"{number} {damage.__name__}" / "nuclei")
            damage(folder / file)
            found, refused = contents(folder)
            what = f"{damage.__name__}: {file}"
            assert all(expected[sample] == content for sample, content in found.items()), what
            assert len(refused) <= 1 or file.name == "dataset.json", what
            assert all(str(folder) in sentence for sentence in refused), what
            assert len(found) + len(refused) == len(expected) or file.name == "dataset.json", what
            for sample in found:
                dataset = CuratedDataset.open(folder)
                dataset.save(dataset.sample(sample).edit(note="afterwards"), "note")
                assert CuratedDataset.open(folder).sample(sample).note == "afterwards"


def contents(folder: Path) -> tuple[dict[str, object], list[str]]:
    """Return what can be read of each sample of a dataset, and why others can't be."""
    found: dict[str, object] = {}
    refused = []
    try:
        dataset = CuratedDataset.open(folder)
    except SegloopError as error:
        return {}, [str(error)]
    for sample_id in dataset.sample_ids:
        try:
            sample = dataset.sample(sample_id)
            found[sample_id] = (sample, dataset.labels(sample).tobytes())
        except SegloopError as error:
            refused.append(str(error))
    return found, refused
