"""Files as they come: each is read with the times and numbers that were written, or refused with one sentence.

The files of `tests/files` are named for what is messy about them. Unless a test says otherwise they hold one table: 40
hours, a load that passes a thousand, and a temperature that passes zero.
"""

import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstmforecast.cli import main
from lstmforecast.data.table_files import TableFormat, read_columns, read_series

FILES = Path(__file__).parents[2] / "files"
TIMES = pd.date_range("2026-01-31 20:00", periods=40, freq="h")
QUARTERS = pd.date_range("2026-04-03", periods=40, freq="15min")
LOAD = 950.5 + 12.25 * np.arange(40)
TEMP = -3.5 + 0.5 * np.arange(40)
AS_THEY_ARE = (
    *("blank_lines_at_end.csv", "byte_order_mark.csv", "crlf.csv", "day_first.csv", "gzip_without_its_suffix.csv"),
    *("pipes.txt", "quoted_numbers.csv", "semicolon_decimal_comma.csv", "tab.tsv", "text_in_cells.xlsx"),
    *("thousands_and_decimal_comma.csv", "thousands_in_quotes.csv", "thousands_with_spaces.csv", "title_lines.csv"),
    *("title_lines.xlsx", "trailing_delimiter.csv", "types.parquet", "utf16.txt", "white_space.txt"),
)
NO_NUMBER = "write the numbers without signs and units, in one notation"
MEANINGS = (
    "which is 03 April 2026 with --time-format '%d/%m/%Y %H:%M' or 04 March 2026 with --time-format '%m/%d/%Y %H:%M'"
)
REFUSED = {
    "central_europe.csv": " is not a CSV table in UTF-8, and its letters are none of Western Europe; name its "
    "encoding, as in --encoding cp1250",
    "currency.csv": f": expected numbers in column 'price', got '€ 950,50' (line 2); {NO_NUMBER}",
    "day_or_month.csv": ": expected times in column 'time' with an unambiguous order of day and month, got '03/04/2026 "
    f"00:00' (line 2), {MEANINGS}; say which, or --day-first",
    "duplicate_names.csv": ": expected one column 'load', got 2; give each another name",
    "hours_in_ten_digits.csv": ", line 2: can't read '2034061500' in column 'time' as a time; write times as 2026-01-"
    "31 12:00, or say how they are written, as in --time-format %Y%m%d%H or --time-format seconds, or number the rows "
    "by naming no column of times",
    "long_rows.csv": " is not a CSV table: expected a line with a name for each column, got rows with more fields than "
    "the header",
    "no_header.csv": ": expected a line with the names of columns above the rows, got '2026-01-31 20:00', '950.5', "
    "'-3.5'",
    "offsets_in_some_rows.csv": ": expected an offset from UTC in every row of column 'time' or in none, got '2026-"
    "01-31 20:00+01:00' (line 2) and '2026-01-31 21:00' (line 3)",
    "percent.csv": f": expected numbers in column 'load', got '50%' (line 2); {NO_NUMBER}",
    "thousands_or_decimals.csv": ": expected numbers whose decimal sign is certain in column 'load', got '1.250' (line "
    "2), which is 1.25 with --decimal . --thousands , or 1250 with --decimal , --thousands .; say which",
    "two_notations.csv": ": expected all numbers of column 'load' in one notation, got '950,50' (line 2) and '1318.00' "
    "(line 32)",
    "unit_row.csv": ": expected numbers in column 'load', got 'MW' (line 2); delete this row if it holds units",
    "words_among_numbers.csv": ": expected numbers in column 'load', got 'offline' (line 13); correct it, or leave it "
    "empty if it is missing",
}
# Small enough to train in a second.
SMALL = ["--window-size", "12", "--hidden-size", "4", "--max-epochs", "1", "--quiet"]


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_the_table_is_read_as_it_was_written(name):
    table = read_series(FILES / name, "time")
    assert list(table.index) == list(TIMES)
    assert list(table.columns) == ["load", "temp"]
    np.testing.assert_array_equal(table["load"], LOAD)
    np.testing.assert_array_equal(table["temp"], TEMP)


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_named_columns_are_read_alike(name):
    table = read_columns(FILES / name, "time", ["temp", "time"])
    assert list(table.columns) == ["temp", "time"]
    assert list(table["time"]) == list(TIMES)
    np.testing.assert_array_equal(table["temp"], TEMP)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_uncertain_is_refused_with_one_sentence(name, monkeypatch):
    monkeypatch.chdir(FILES)
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        read_series(name, "time" if name != "central_europe.csv" else "Czas")
    assert str(error.value) == name + REFUSED[name]


def test_two_sheets_are_refused(monkeypatch):
    monkeypatch.chdir(FILES)
    with pytest.raises(
        ValueError, match=r"^expected one sheet with cells in two_sheets\.xlsx, got 'Sheet', 'next'; save "
    ):
        read_series("two_sheets.xlsx", "time")


def test_every_file_has_a_test():
    others = {"central_europe.csv", "epoch_milliseconds.csv", "epoch_seconds.csv", "latin1_umlauts.csv"}
    others |= {"offsets_that_change.csv", "thousands_beside_decimals.csv", "two_sheets.xlsx"}
    found = {path.name for path in FILES.iterdir() if not path.name.startswith(".")}
    assert found == {*AS_THEY_ARE, *REFUSED, *others}


@pytest.mark.parametrize("name", ["epoch_seconds.csv", "epoch_milliseconds.csv"])
def test_seconds_since_1970_are_times_in_utc(name):
    assert list(read_series(FILES / name, "time").index) == list(TIMES.tz_localize("UTC"))
    unit = TableFormat(time_format=name.split("_")[1].removesuffix(".csv"))
    assert list(read_series(FILES / name, "time", written=unit).index) == list(TIMES.tz_localize("UTC"))


def test_offsets_that_change_are_instants_in_utc():
    local = pd.date_range("2026-03-28 12:00", periods=40, freq="h", tz="Europe/Berlin")
    assert list(read_series(FILES / "offsets_that_change.csv", "time").index) == list(local.tz_convert("UTC"))


def test_letters_of_western_europe_need_no_option():
    table = read_series(FILES / "latin1_umlauts.csv", "Zeit")
    assert list(table.columns) == ["Höhe", "Größe in °C"]
    np.testing.assert_array_equal(table["Größe in °C"], TEMP)


def test_another_column_tells_the_decimal_sign():
    table = read_series(FILES / "thousands_beside_decimals.csv", "time")
    np.testing.assert_array_equal(table["load"], 1250 + 125 * np.arange(40))
    np.testing.assert_array_equal(table["temp"], TEMP)


@pytest.mark.parametrize(
    ("name", "written", "column", "expected"),
    [
        ("thousands_or_decimals.csv", TableFormat(decimal="."), "load", 1.25 + 0.125 * np.arange(40)),
        ("thousands_or_decimals.csv", TableFormat(decimal=","), "load", 1250 + 125.0 * np.arange(40)),
        ("thousands_or_decimals.csv", TableFormat(thousands="."), "load", 1250 + 125.0 * np.arange(40)),
        ("thousands_or_decimals.csv", TableFormat(thousands=","), "load", 1.25 + 0.125 * np.arange(40)),
        ("semicolon_decimal_comma.csv", TableFormat(separator=";", decimal=",", encoding="ascii"), "temp", TEMP),
        ("tab.tsv", TableFormat(separator="\t", time_format="%Y-%m-%d %H:%M"), "load", LOAD),
        ("white_space.txt", TableFormat(separator=r"\s+"), "load", LOAD),
        ("text_in_cells.xlsx", TableFormat(decimal=",", day_first=False), "load", LOAD),
        ("day_first.csv", TableFormat(day_first=True), "load", LOAD),
        ("hours_in_ten_digits.csv", TableFormat(time_format="%Y%m%d%H"), "load", LOAD),
    ],
)
def test_options_say_what_is_uncertain(name, written, column, expected):
    np.testing.assert_array_equal(read_series(FILES / name, "time", [column], written)[column], expected)


def test_the_first_of_day_and_month_can_be_said():
    table = read_series(FILES / "day_or_month.csv", "time", written=TableFormat(day_first=True))
    assert list(table.index) == list(QUARTERS)
    table = read_series(FILES / "central_europe.csv", "Czas", written=TableFormat(encoding="cp1250"))
    assert list(table.columns) == ["Obciążenie", "Temperatura"]


@pytest.mark.parametrize(
    ("name", "written", "words"),
    [
        ("tab.tsv", TableFormat(day_first=True), "expected dates such as 31.01.2026 in column 'time' for --day-first"),
        (
            "tab.tsv",
            TableFormat(encoding="cp9"),
            "expected an encoding such as utf-8, cp1252 or utf-16, got --encoding",
        ),
        ("latin1_umlauts.csv", TableFormat(encoding="utf-8"), "is not a CSV table in the encoding utf-8"),
        (
            "crlf.csv",
            TableFormat(decimal=","),
            r"expected numbers as --decimal , says in column 'load', got '950.5' \(l",
        ),
        ("crlf.csv", TableFormat(separator=";"), "has no column 'time'; it has 'time,load,temp'"),
        (
            "types.parquet",
            TableFormat(separator=";"),
            "expected --separator with text only, got it with .*, a Parquet f",
        ),
        ("types.parquet", TableFormat(thousands=","), "expected --thousands with text only"),
        ("title_lines.xlsx", TableFormat(encoding="utf-8"), "expected --encoding with text only, .* an Excel file"),
        ("title_lines.xlsx", TableFormat(day_first=True), "expected --day-first with text only, .* a column of times"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(name, written, words):
    with pytest.raises(ValueError, match=words):
        read_series(FILES / name, "time", written=written)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel file of the old kind"),
        (b"\x1f\x8b\x08\x00", "compressed and damaged"),
        (b"PK\x03\x04 nothing", "compressed and damaged"),
        (b"PAR1 nothing PAR1", "a damaged Parquet file"),
        (b"a\x00b\x00\n\x00", "its bytes are no text; if it is UTF-16, say --encoding utf-16-le"),
    ],
)
def test_other_bytes_are_refused(data, words):
    with pytest.raises(ValueError, match=words):
        read_series(io.BytesIO(data), "t")


def test_white_space_needs_every_field():
    source = io.StringIO("t a b\n2026-01-01 1 2\n2026-01-02 1\n")
    with pytest.raises(ValueError, match="expected 3 fields in every line, got fewer in line 3"):
        read_series(source, "t", written=TableFormat(separator=r"\s+"))


@pytest.mark.parametrize(("name", "library"), [("types.parquet", "pyarrow"), ("title_lines.xlsx", "openpyxl")])
def test_a_library_that_is_missing_is_named(name, library, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, library, None)
    assert main(["forecast", str(FILES / name), "--time", "time", "--horizon", "2"]) == 1
    assert f'needs {library}: pip install "lstmforecast[files]"\n' in capsys.readouterr().err


def test_names_of_series_keep_their_zeros():
    text = "shop;day;sales\n007;2026-01-01;1\n012;2026-01-01;2\n"
    columns = ["shop", "day", "sales"]
    table = read_columns(io.StringIO(text), "day", columns, labels={"shop": None})
    assert list(table["shop"]) == ["007", "012"]
    assert list(table["sales"]) == [1, 2]
    # as those of a model
    assert list(read_columns(io.StringIO(text), "day", columns, labels={"shop": False})["shop"]) == [7, 12]
    later = text.replace("007", "107").replace("012", "112")
    for as_text, expected in ((None, [107, 112]), (True, ["107", "112"])):
        table = read_columns(io.StringIO(later), "day", columns, labels={"shop": as_text})
        assert list(table["shop"]) == expected


@pytest.mark.parametrize("name", ["title_lines.csv", "text_in_cells.xlsx", "types.parquet"])
def test_the_command_reads_them(name, capsys, monkeypatch):
    command = ["--time", "time", "--target", "load", "--horizon", "2", *SMALL, "--patience", "none"]
    assert main(["forecast", str(FILES / name), *command]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    table = pd.read_csv(io.StringIO(printed.out), parse_dates=["time"])
    assert list(table.columns) == ["time", "load"]
    assert list(table["time"]) == list(pd.date_range(TIMES[-1], periods=3, freq="h")[1:])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((FILES / name).read_bytes())))
    assert main(["forecast", "-", *command]) == 0
    assert capsys.readouterr().out == printed.out


def test_the_command_refuses_them(capsys, monkeypatch):
    monkeypatch.chdir(FILES)
    assert main(["forecast", "thousands_or_decimals.csv", "--time", "time", "--horizon", "2", *SMALL]) == 1
    name = "thousands_or_decimals.csv"
    assert capsys.readouterr().err == f"lstmforecast: error: {name}{REFUSED[name]}\n"
    decimal = ["--decimal", ",", "--thousands", ".", "--patience", "none"]
    assert main(["forecast", name, "--time", "time", "--horizon", "2", *SMALL, *decimal]) == 0
    assert pd.read_csv(io.StringIO(capsys.readouterr().out))["load"].gt(1000).all()
