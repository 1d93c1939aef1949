"""Predicting again over an earlier result: whatever fails, the old or the new result is there, whole."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from faults import CODES, FAULTS
from prediction_records import make_record
from segloop.artifacts.prediction.place import Place, find_predictions
from segloop.config.predict import OutputFormat
from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.images.image import Image
from segloop.images.read import open_image
from segloop.prediction.output_plan import plan_outputs
from segloop.prediction.writing import write_decoded
from segloop.targets import make_target
from segloop.targets.output import LABELS, PROBABILITY, Output

TARGET = make_target("instance")
KINDS = [LABELS, PROBABILITY]
UNKNOWN = (None, None, None)


def maps(seed: int) -> Image:
    """Smooth foreground and distance maps of a few blobs, different for each seed."""
    noise = np.random.default_rng(seed).random((48, 64))
    blobs = gaussian_filter(noise, 3)
    foreground = (blobs > np.quantile(blobs, 0.7)).astype(float)
    distance = gaussian_filter(foreground, 2)
    stack = np.stack([foreground, distance / distance.max()])
    return Image.from_array(np.rint(stack * 255).astype(np.uint8), "CYX", name=f"maps{seed}")


OLD, NEW = maps(1), maps(2)


def write(folder: Path, image: Image, file_format: OutputFormat, kinds: list[Output] = KINDS) -> None:
    place = Place(folder, "a")
    record = make_record({}).model_copy(update={"image": image.name})
    specs = plan_outputs(
        kinds,
        [spec.name for spec in TARGET.maps],
        image.shape,
        UNKNOWN,
        place,
        file_format=file_format,
    )
    write_decoded(image, TARGET, TARGET.parameters, place, record, specs, Context())


def require_whole(folder: Path) -> str:
    """Check that the only prediction in a folder agrees with its record; return the name of its image."""
    (found,) = find_predictions(folder)
    image = {each.name: each for each in (OLD, NEW)}[found.provenance.image]
    probability = found.output("probability")
    assert probability is not None
    stored = np.asarray(open_image(probability).data)[0]
    assert np.array_equal(stored, np.asarray(image.data)[0])
    decoded = TARGET.decode(stored, TARGET.parameters).labels
    labels = found.output("labels")
    if labels is not None:
        assert decoded is not None
        assert np.array_equal(np.asarray(open_image(labels).data)[0, 0], decoded)
        assert found.provenance.n_objects == decoded.max()
    return image.name


@pytest.fixture(scope="module", params=[OutputFormat.tiff, OutputFormat.zarr], ids=["tiff", "zarr"])
def earlier(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, OutputFormat]:
    """A folder with a finished prediction."""
    folder = tmp_path_factory.mktemp("earlier")
    write(folder, OLD, request.param)
    return folder, request.param


@pytest.mark.parametrize("code", CODES, ids=[errno.errorcode[code] for code in CODES])
def test_every_refused_change_leaves_the_old_or_the_new_result(
    earlier: tuple[Path, OutputFormat], tmp_path: Path, code: int
) -> None:
    before, file_format = earlier
    outcomes = set()
    number, finished = 0, False
    while not finished:
        number += 1
        folder = tmp_path / str(number)
        shutil.copytree(before, folder)
        with FAULTS.at(number, code, folder):
            try:
                write(folder, NEW, file_format)
            except ImageError:
                refused = True
            else:
                refused = False
        finished = FAULTS.count < number

        outcome = require_whole(folder)
        if not refused:
            assert outcome == NEW.name
        outcomes.add(outcome)
        write(folder, OLD, file_format)  # what was left behind does not hinder the next
        assert require_whole(folder) == OLD.name
        assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
        shutil.rmtree(folder)
    assert number > 10
    assert outcomes == {OLD.name, NEW.name}


def test_an_output_that_is_no_longer_wanted_goes_with_the_commit(
    earlier: tuple[Path, OutputFormat], tmp_path: Path
) -> None:
    before, file_format = earlier
    for number in range(1, 200):
        folder = tmp_path / str(number)
        shutil.copytree(before, folder)
        with FAULTS.at(number, errno.EIO, folder):
            try:
                write(folder, NEW, file_format, [PROBABILITY])
            except ImageError:
                pass
        outcome = require_whole(folder)
        (found,) = find_predictions(folder)
        assert (found.output("labels") is None) == (outcome == NEW.name)
        kept = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        assert kept == {found.path.name, *(output.path for output in found.provenance.outputs)}
        shutil.rmtree(folder)
        if FAULTS.count < number:
            break
    else:
        pytest.fail("the writing never finished")
