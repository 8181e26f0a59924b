"""Times in a CSV file: read rightly, in one order of day and month for the whole column, or refused."""

import io
import re

import numpy as np
import pandas as pd
import pytest

from lstmforecast.ab import ForecastLog
from lstmforecast.data.table_files import TableFormat, read_series

QUARTERS = pd.date_range("2024-04-03", periods=96, freq="15min")
HOURS = pd.date_range("2024-01-01", periods=960, freq="h")
DAYS = pd.date_range("2024-01-01", periods=120, freq="D")
MONDAYS = pd.date_range("2024-01-01", periods=120, freq="W-MON")
MONTHS = pd.date_range("2010-01-01", periods=60, freq="MS")
# Numbers alone, whose order nothing but the column tells.
DAY_FIRST = ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d. %m. %Y", "%d.%m.%y")
MONTH_FIRST = ("%m/%d/%Y", "%m/%d/%y")
NAMED = ("%d-%b-%Y", "%d %B %Y", "%d-%b-%y", "%d%b%Y", "%B %d, %Y", "%a, %d %b %Y", "%Y-%b-%d")
YEAR_FIRST = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y.%m.%d", "%Y %m %d")
CLOCKS = (" %H:%M", "T%H:%M:%S", " %I:%M %p", " %H:%M:%S.%f")


def read(*written, **options):
    text = "t;a\n" + "".join(f"{each};1\n" for each in written)
    return read_series(io.StringIO(text), "t", written=TableFormat(separator=";", **options))


@pytest.mark.parametrize("form", [*DAY_FIRST, *MONTH_FIRST, *NAMED, *YEAR_FIRST])
@pytest.mark.parametrize(
    "times",
    [DAYS, MONDAYS, MONTHS, DAYS[12:], DAYS[::-1]],
    ids=["days", "Mondays", "months", "from the 13th on", "newest first"],
)
def test_days_are_read_as_they_were_written(times, form):
    assert list(read(*times.strftime(form)).index) == list(times)


@pytest.mark.parametrize("form", ["%m/%Y", "%m-%Y", "%Y/%m", "%Y-%m", "%Y %b", "%b %Y", "%Y-%B"])
def test_months_are_read_as_they_were_written(form):
    assert list(read(*MONTHS.strftime(form)).index) == list(MONTHS)


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("form", [*DAY_FIRST, *MONTH_FIRST, *NAMED, *YEAR_FIRST[:2]])
def test_hours_are_read_as_they_were_written(form, clock):
    assert list(read(*HOURS.strftime(form + clock)).index) == list(HOURS)


@pytest.mark.parametrize("form", DAY_FIRST[:3])
def test_a_gap_does_not_change_the_order(form):
    kept = np.delete(np.arange(60), [7, 8, 30])
    assert list(read(*MONTHS[kept].strftime(form)).index) == list(MONTHS[kept])


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("form", [*DAY_FIRST, *MONTH_FIRST])
def test_one_day_is_refused_with_formats_that_work(form, clock):
    written = QUARTERS.strftime(form + clock)
    with pytest.raises(ValueError, match=r"with an unambiguous order of day and month, got '0.*\(line 2\)") as error:
        read(*written)
    formats = re.findall(r"--time-format '([^']*)'", str(error.value))
    assert form + clock in formats
    assert list(read(*written, time_format=form + clock).index) == list(QUARTERS)


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2024-01-01", periods=12, freq="D"),
        pd.date_range("2024-01-01", periods=12, freq="MS"),
        pd.date_range("2024-01-01", periods=12, freq="MS")[[0, 1, 2, 4, 5, 6, 10]],
        pd.date_range("2024-05-04", periods=1, freq="D"),
        pd.to_datetime(["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"]),
    ],
    ids=["twelve days", "twelve months", "gaps", "one row", "working days"],
)
@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
def test_what_both_orders_make_a_series_of_is_refused(form, times):
    with pytest.raises(ValueError, match=r"--time-format '%d/%m/%Y' or .* with --time-format '%m/%d/%Y'"):
        read(*times.strftime(form))


def test_the_same_in_both_orders_is_no_question():
    assert list(read("01/01/2024", "02/02/2024").index) == list(pd.to_datetime(["2024-01-01", "2024-02-02"]))


def test_orders_are_not_mixed():
    message = r"one order of day, month and year, got '13/01/2024' \(line 3\) and '01/14/2024' \(line 4\)"
    with pytest.raises(ValueError, match=message):
        read("01/02/2024", "13/01/2024", "01/14/2024")
    with pytest.raises(ValueError, match=r"line 3: can't read '14.01.2024'"):
        read("13.01.24", "14.01.2024")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-01-01 24:00", "2024-01-02"),
        ("31.12.2023 24:00:00", "2024-01-01"),
        (" 2024-01-05 ", "2024-01-05"),
        ("2024-1-5", "2024-01-05"),
        ("2024Q2", "2024-04-01"),
        ("Jan 2024", "2024-01-01"),
        ("2024/02", "2024-02-01"),
        ("20240105103000", "2024-01-05 10:30"),
        ("2024-01-05 10:00 UTC", "2024-01-05 10:00+00:00"),
        ("2024-01-05T10:00:00,25+0100", "2024-01-05 10:00:00.25+01:00"),
        ("5 Jan 1970", "1970-01-05"),
        ("05-Jan-68", "2068-01-05"),
        ("05-Jan-69", "1969-01-05"),
    ],
)
def test_other_ways_of_writing(written, expected):
    assert read(written).index[0] == pd.Timestamp(expected)


@pytest.mark.parametrize(
    "written",
    [
        *("45292", "45292.5", "202401", "2024010510", "7", "0930", "631151999", "4102444801", "1704067200.5"),
        *("2024.5", "2024.05", "2024-005", "2024-W05", "Jan-24", "5 Mai 2024", "10:00", "now", "today"),
        *("31.02.2024", "2024-13-01", "2024-01-05 25:00", "2024-01-05 24:30", "13/02/2024 13:00 PM", "Mon 03/04/2024"),
    ],
)
def test_what_nobody_can_tell_is_refused(written):
    with pytest.raises(ValueError, match=r"line 2: can't read .* in column 't' as a time; .*--time-format"):
        read(written)


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S", "%d.%m.%Y %H:%M"])
def test_offsets_may_change_but_not_be_left_out(form):
    local = pd.date_range("2020-10-24 12:00", periods=24, freq="h", tz="Europe/Berlin")
    written = [f"{time:{form}}{time:%z}" for time in local]
    assert list(read(*written).index) == list(local)
    assert list(read(*written, time_format=form + "%z").index) == list(local)
    with pytest.raises(ValueError, match=r"offset from UTC in every row .* \(line 2\) and .* \(line 4\)"):
        read(*written[:2], written[2].split("+")[0])


def test_days_that_end_at_24_hours():
    written = [f"{day}.10.2020 {hour:02d}:00" for day in range(13, 15) for hour in range(1, 25)]
    expected = pd.date_range("2020-10-13 01:00", periods=48, freq="h")
    assert list(read(*written).index) == list(expected)
    assert list(read(*written, time_format="%d.%m.%Y %H:%M").index) == list(expected)


def test_a_format_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"expected a format such as '%d.%m.%Y' for times, got '%Q'"):
        read("2024-01-01", time_format="%Q")


@pytest.mark.parametrize("time", ["03/04/2026", "now", "today", "5"])
def test_a_log_takes_no_time_that_is_a_guess(time):
    with ForecastLog("sqlite://") as log, pytest.raises(ValueError, match="expected a time written as 2026-01-31"):
        log.add("model", "key", time, [1.0], times=[time])
