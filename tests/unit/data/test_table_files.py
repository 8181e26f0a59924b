"""Reading a table file as a series: what is recognised, and what is refused with which words."""

import io
from pathlib import Path

import pandas as pd
import pytest

from lstmforecast.data.table_files import TableFormat, read_series

HOURLY = "date,OT,HUFL\n2020-01-01 00:00:00,1.5,2\n2020-01-01 01:00:00,2.5,3\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "data.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_times_become_the_index(tmp_path: Path) -> None:
    series = read_series(write(tmp_path, HOURLY), "date")
    assert list(series.columns) == ["OT", "HUFL"]
    assert list(series.index) == [pd.Timestamp("2020-01-01 00:00"), pd.Timestamp("2020-01-01 01:00")]
    assert series.index.name == "date"


def test_targets_choose_and_order_columns(tmp_path: Path) -> None:
    series = read_series(write(tmp_path, HOURLY), "date", ["HUFL", "OT", "HUFL"])
    assert list(series.columns) == ["HUFL", "OT"]


def test_without_times_rows_are_numbered() -> None:
    assert list(read_series(io.StringIO("a\n5\n6\n")).index) == [0, 1]


@pytest.mark.parametrize(
    ("written", "format_", "expected"),
    [
        ("20200229", None, "2020-02-29"),
        ("1949", None, "1949-01-01"),
        ("1949-02", None, "1949-02-01"),
        ("29.02.2020", "%d.%m.%Y", "2020-02-29"),
        ("2020-02-29T12:00:00+00:00", None, "2020-02-29 12:00+00:00"),
    ],
)
def test_ways_of_writing_times(written: str, format_: str | None, expected: str) -> None:
    series = read_series(io.StringIO(f"t,a\n{written},1\n"), "t", written=TableFormat(time_format=format_))
    assert series.index[0] == pd.Timestamp(expected)


def test_midnight_may_lack_its_hour() -> None:
    series = read_series(io.StringIO("t,a\n2020-01-01,1\n2020-01-01 01:00:00,2\n"), "t")
    assert series.index[1] - series.index[0] == pd.Timedelta(hours=1)


def test_offsets_that_change_become_universal_time() -> None:
    lines = "t,a\n2020-10-25T02:00:00+02:00,1\n2020-10-25T02:00:00+01:00,2\n"
    series = read_series(io.StringIO(lines), "t")
    assert list(series.index.hour) == [0, 1]
    assert str(series.index.tz) == "UTC"


def test_another_separator() -> None:
    assert list(read_series(io.StringIO("a;b\n1;2\n"), written=TableFormat(separator=";")).columns) == ["a", "b"]


def test_a_missing_column_is_named_beside_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data.csv has no column 'temperature'; it has 'date', 'OT', 'HUFL'"):
        read_series(write(tmp_path, HOURLY), "date", ["temperature"])


@pytest.mark.parametrize("bad", ["yesterday", ""])
def test_a_bad_time_is_named_with_its_line(bad: str) -> None:
    with pytest.raises(ValueError, match=r"standard input, line 3: can't read .* in column 't' as a time"):
        read_series(io.StringIO(f"t,a\n2020-01-01,1\n{bad},2\n"), "t")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"can't read .*nowhere.csv: No such file or directory"):
        read_series(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("text", ["", 'a,b\n"1,2\n', "a\n1\n2,3,4\n"])
def test_no_table_says_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="is not a CSV table"):
        read_series(write(tmp_path, text))


def test_bytes_that_are_no_text_say_so(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(ValueError, match="is not a CSV table"):
        read_series(path)


@pytest.mark.parametrize("text", ["t,a\n2020-01-01,1,5\n2020-01-02,1,5\n", "t,a\n2020-01-01,1\n2020-01-02,1,5\n"])
def test_no_field_is_dropped_and_no_column_moved(text: str) -> None:
    with pytest.raises(ValueError, match="is not a CSV table"):
        read_series(io.StringIO(text), "t")


def test_an_empty_field_at_the_end_of_rows_is_none() -> None:
    series = read_series(io.StringIO("t,a\n2020-01-01,1,\n2020-01-02,2,\n"), "t")
    assert series["a"].tolist() == [1, 2]


def test_times_are_no_target() -> None:
    with pytest.raises(ValueError, match="expected a column of numbers as target, got 't'"):
        read_series(io.StringIO("t,a\n2020-01-01,1\n"), "t", ["t"])


@pytest.mark.parametrize(
    ("text", "columns", "n"),
    [
        ("sep=;\na;b\n1,5;2\n2,5;3\n", ["a", "b"], 2),
        ("Station, north\na;b\n1,5;2\n2,5;3\n", ["a", "b"], 2),
        ("a;b, in MW\n1,5;2\n2,5;3\n", ["a", "b, in MW"], 2),
        (";a;b\n0;1,5;2\n1;2,5;3\n", ["Unnamed: 0", "a", "b"], 2),
        ("load\n1,5\n2,5\n", ["load"], 2),
        ("# by a program\n#\na b\n1 2\n3  4\n", ["a", "b"], 2),
        ("a,b\n", ["a", "b"], 0),
        (' a , "b" \n1, 2\n', ["a", "b"], 1),
    ],
)
def test_the_layout_is_found(text: str, columns: list[str], n: int) -> None:
    table = read_series(io.StringIO(text))
    assert list(table.columns) == columns
    assert len(table) == n


@pytest.mark.parametrize("text", ["a|b\nx|u, v\ny|w, x\n", "a,b\nx,u;v\ny,w;x\n"])
def test_other_separators_within_words_are_words(text: str) -> None:
    assert list(read_series(io.StringIO(text)).columns) == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["0,125", "0,250"], [0.125, 0.25]),
        (["1.234", "12345"], [1.234, 12345]),
        (["1.234.567", "7"], [1234567, 7]),
        (["1.234,5", "7"], [1234.5, 7]),
        (["1'234.5", "7"], [1234.5, 7]),
        (["1 234", "7"], [1234, 7]),
        (["1,5e3", "-,5"], [1500, -0.5]),
        (["NA", "1,5"], [float("nan"), 1.5]),
        (["TRUE", "false"], [True, False]),
    ],
)
def test_numbers_are_read_as_they_were_written(values: list[str], expected: list[float]) -> None:
    table = read_series(io.StringIO("a;b\n" + "".join(f"{value};x\n" for value in values)), None, ["a"])
    pd.testing.assert_series_equal(table["a"], pd.Series(expected, name="a"), check_dtype=False)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["1,234", "12,345"], r"'1,234' \(line 2\), which is 1.234 with --decimal , --thousands . or 1234 with"),
        (["1.234", "1234"], r"'1.234' \(line 2\), which is 1.234 with --decimal . --thousands , or 1234 with"),
        (["1.5", "1,5"], r"in one notation, got '1.5' \(line 2\) and '1,5' \(line 3\)"),
        (["1,23,456", *"12345"], r"got '1,23,456' \(line 2\)"),
        (["5 EUR", "6 EUR"], r"got '5 EUR' \(line 2\); write the numbers without signs"),
    ],
)
def test_uncertain_numbers_are_refused(values: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_series(io.StringIO("a;b\n" + "".join(f"{value};x\n" for value in values)), None, ["a"])
