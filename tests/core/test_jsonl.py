from __future__ import annotations

from pathlib import Path

import pytest

from segloop.core.jsonl import LineReader, append_line, read_lines, read_lines_backwards


def test_what_was_appended_is_read_in_order(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    for number in range(3):
        append_line(file, {"number": number, "text": "µm\n"})
    assert [line["number"] for line in read_lines(file)[0]] == [0, 1, 2]


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    append_line(file, {"number": 0})
    _, offset = read_lines(file)
    append_line(file, {"number": 1})
    assert read_lines(file, offset) == ([{"number": 1}], file.stat().st_size)


def test_a_line_being_written_is_left_for_the_next_call(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b'{"number":0}\n{"numb')
    lines, offset = read_lines(file)
    with file.open("ab") as writer:
        writer.write(b'er":1}\n')
    assert lines == [{"number": 0}]
    assert read_lines(file, offset)[0] == [{"number": 1}]


def test_only_the_torn_line_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b'{"number":0}\n{"numb')
    append_line(file, {"number": 2})
    assert read_lines(file)[0] == [{"number": 0}, {"number": 2}]


def test_a_file_that_became_shorter_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    append_line(file, {"number": 0, "long": "x" * 100})
    _, offset = read_lines(file)
    file.unlink()
    append_line(file, {"number": 1})
    assert read_lines(file, offset)[0] == [{"number": 1}]


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none.jsonl") == ([], 0)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        append_line(tmp_path / "lines.jsonl", {"value": float("nan")})


@pytest.mark.parametrize("size", [1, 1000, 65_535, 65_536, 200_000])
def test_backwards_gives_the_same_lines_last_first(tmp_path: Path, size: int) -> None:
    file = tmp_path / "lines.jsonl"
    for number in range(5):
        append_line(file, {"number": number, "text": "µ" * size})
    with file.open("ab") as writer:
        writer.write(b'{"torn')
    assert [line for _, line in read_lines_backwards(file)] == read_lines(file)[0][::-1]


def test_backwards_tells_where_lines_start(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    for number in range(4):
        append_line(file, {"number": number, "text": "x" * 40_000 * number})
    for offset, line in read_lines_backwards(file):
        assert read_lines(file, offset)[0][0] == line
        assert [before["number"] for _, before in read_lines_backwards(file, offset)] == list(
            range(line["number"])
        )[::-1]


def test_backwards_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert list(read_lines_backwards(tmp_path / "none.jsonl")) == []


def test_a_reader_reads_what_is_new_and_all_of_a_file_that_took_the_place(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    append_line(file, {"time": 1})
    append_line(file, {"time": 2})
    reader, later = LineReader(file), LineReader(file, file.stat().st_size)
    assert (reader.read(), later.read()) == ([{"time": 1}, {"time": 2}], [])
    append_line(file, {"time": 3})
    assert (reader.read(), later.read()) == ([{"time": 3}], [{"time": 3}])
    assert not reader.replaced

    file.unlink()
    for time in (4, 5, 6, 7):  # longer than the first
        append_line(file, {"time": time})

    for each in (reader, later):
        assert [line["time"] for line in each.read()] == [4, 5, 6, 7]
        assert each.replaced
        assert each.read() == []
        assert not each.replaced
