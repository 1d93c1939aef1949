"""Results: older ones give way, unfinished ones go, scratch folders are removed once nothing needs them."""

from __future__ import annotations

import pytest

from fakes.background import FakeBackground, FakeClock
from fakes.results import FakeView, result, thresholds
from segloop.app.presenters.prediction.result import Result
from segloop.app.presenters.prediction.results import Results
from segloop.artifacts.job.events import OutputEvent
from segloop.targets.output import MASK, PROBABILITY


@pytest.fixture
def background():
    return FakeBackground()


@pytest.fixture
def results(background):
    results = Results(background, FakeClock())
    results.set_kinds([MASK])
    return results


def finish(results, made):
    """Let a result be finished, as if it had been read from disk."""
    results._results.append(made)
    results._on_opened(made, made.kept, made.shown)


def test_a_result_that_is_never_finished_is_removed_with_its_scratch_folder(results, background, tmp_path):
    folder = tmp_path / "layers-1"
    folder.mkdir()
    view = FakeView()
    results.start([Result(view, "in.ome.zarr", folder / "a.json", folder)], thresholds())
    partial = OutputEvent(
        output_kind="mask", path=str(folder / "a.ome.zarr"), input="in.ome.zarr", partial=True
    )
    results.on_events([partial])
    results.drop_unfinished()
    background.finish()
    assert view.removed
    assert not folder.exists()


def test_a_new_result_of_the_same_source_takes_the_older_ones_place(results):
    source = object()
    older, newer = result(20, source=source), result(20, source=source)
    finish(results, older)
    finish(results, newer)
    assert results.finished() == [newer]
    assert newer.view.on_screen
    assert not older.view.on_screen


def test_a_summary_says_at_which_size_the_image_was_predicted(results):
    made = result(20)
    finish(results, made)
    assert results.summaries() == [(made.view.name, "at 0.5")]
    made.kept.provenance = made.kept.provenance.model_copy(update={"diameter": 52.4, "scale": 0.496})
    ((_, text),) = results.summaries()
    assert text == "at 0.5\nObjects are about 52 px wide, so the image was resampled by 0.50."


def test_a_summary_says_that_the_image_was_inverted(results):
    made = result(20)
    finish(results, made)
    made.kept.provenance = made.kept.provenance.model_copy(
        update={"inverted": ["nuclei"], "channels": ["nuclei"]}
    )
    ((_, text),) = results.summaries()
    assert text == "at 0.5\nThe image was inverted for the model; see Contrast."
    both = {"inverted": ["nuclei"], "channels": ["nuclei", "actin"]}
    made.kept.provenance = made.kept.provenance.model_copy(update=both)
    ((_, text),) = results.summaries()
    assert text == "at 0.5\nThe image was inverted for the model (channels nuclei); see Contrast."


def test_a_result_without_layers_is_forgotten(results):
    made = result(20)
    finish(results, made)
    made.view.on_screen = {}
    results.on_layer_removed(made.view)
    assert results.finished() == []
    assert results.summaries() == []


def test_thresholds_moved_during_a_prediction_hold_for_its_result(results, background, tmp_path):
    made = result(20)
    made.folder = tmp_path
    results.start([], thresholds(0.9))
    finish(results, made)
    assert results.updating
    results._clock.advance(0.1)
    background.finish()
    assert made.shown.parameters == thresholds(0.9)
    assert results.summaries() == [("a", "at 0.9")]
    assert PROBABILITY in made.shown.arrays


def test_closing_leaves_layers_to_the_user(results):
    made = result(20)
    finish(results, made)
    results.close()
    assert made.view.left
    assert results.finished() == []


def test_nothing_is_said_to_be_painted_before_the_user_paints(results, tmp_path):
    heard, view = [], FakeView("a")
    results.painted.connect(heard.append)
    results.add(view, tmp_path / "a.json")
    assert heard == []
    view.painted.emit("a, by model")
    assert heard == ["a, by model"]
