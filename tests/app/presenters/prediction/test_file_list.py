"""The list of predicted files: counts, names and plurals."""

from __future__ import annotations

from segloop.app.presenters.prediction.file_list import FileList
from segloop.artifacts.job.events import MessageEvent, OutputEvent


def test_each_file_counts_once_whatever_its_outputs(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    files = FileList()
    files.begin(tmp_path)
    files.on_events(
        [
            OutputEvent(output_kind="labels", path=str(tmp_path / "a.labels.tif"), input="a.tif"),
            OutputEvent(output_kind="probability", path=str(tmp_path / "a.probability.tif"), input="a.tif"),
            MessageEvent(text="bad.tif is damaged.", level="error"),
            MessageEvent(text="b.tif has other pixels.", level="warning"),
            MessageEvent(text="started", level="info"),
        ]
    )
    assert [row.text for row in files.rows] == ["✓ a", "✗ bad.tif is damaged.", "! b.tif has other pixels."]
    assert files.rows[0].record == tmp_path / "a.json"
    assert files.title == f"1 done, 1 failed, in {tmp_path}"
    assert not files.can_rethreshold
