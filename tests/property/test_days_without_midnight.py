"""Where clocks are put forward at midnight, the day begins when the zone's day begins, at every frequency of days."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lstmforecast.data.index import check_index, continue_index, parse_frequency, regular_grid
from lstmforecast.data.observations import Observations

DAYS = pd.date_range("2000-01-01", "2030-01-01", freq="D")


def days_without_midnight() -> list[tuple[str, pd.Timestamp]]:
    """Zones and such days in them, each pair of rules once."""
    found: dict[tuple[str, ...], tuple[str, pd.DatetimeIndex]] = {}
    # no places have these, and pytz doesn't know them
    for zone in sorted(available_timezones() - {"Factory", "localtime"}):
        gone = DAYS.tz_localize(zone, ambiguous=np.ones(len(DAYS), bool), nonexistent="NaT").isna()
        found.setdefault(tuple(map(str, DAYS[gone])), (zone, DAYS[gone]))
    return [(zone, day) for zone, days in found.values() for day in days]


PLACES = days_without_midnight()


def begins(day: pd.Timestamp, zone: str) -> datetime | None:
    """The first minute of a local day, looked for minute by minute; None for a day that the zone left out."""
    for minute in range(24 * 60):
        local = day.to_pydatetime() + timedelta(minutes=minute)
        instant = local.replace(tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))
        if instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local:
            return instant
    return None


def frequencies_of(day: pd.Timestamp) -> list[str]:
    """Frequencies of days and longer that have a label on a day."""
    names = ["D", "2D", "7D", f"W-{day:%a}".upper(), f"YS-{day:%b}".upper() if day.day == 1 else "D"]
    names += ["B"] if day.day_of_week < 5 else []
    names += ["MS", "2MS", f"QS-{day:%b}".upper()] if day.day == 1 else []
    names += ["ME", f"QE-{day:%b}".upper()] if day.is_month_end else []
    names += ["SMS"] if day.day in (1, 15) else []
    return names


@st.composite
def labels(draw) -> tuple[pd.DatetimeIndex, str, int]:
    """Labels of a zone around a day without midnight, their frequency, and the number of that day's."""
    zone, day = draw(st.sampled_from(PLACES))
    freq = draw(st.sampled_from(frequencies_of(day)))
    before = draw(st.integers(0, 12))
    offset = parse_frequency(freq)
    wall = pd.date_range(end=day, periods=before + 1, freq=offset)
    wall = wall.append(pd.date_range(day, periods=9, freq=offset)[1:])
    instants = [begins(each, zone) for each in wall]
    # of a day that isn't there, days go on with the next, and weeks would begin on another
    assume(instants[before] is not None)
    index = pd.DatetimeIndex([each for each in instants if each is not None]).tz_convert(zone).as_unit("us")
    return index, freq, list(index).index(pd.Timestamp(instants[before]).tz_convert(zone))


@given(labels())
def test_such_days_are_read_as_any_other(drawn):
    index, freq, at = drawn
    check_index(index)
    for freq_given in (freq, None):
        grid, found = regular_grid(index, freq_given)
        assert grid is index
        assert continue_index(grid[: at + 1], found, 3).equals(index[at + 1 : at + 4])


@given(labels(), st.integers(-2, 3))
def test_data_that_end_around_such_a_day_go_on_where_days_begin(drawn, end):
    index, freq, at = drawn
    stop = max(at + 1 + end, 1)
    later = index[stop : stop + 4]
    assert list(continue_index(index[:stop], freq, len(later))) == list(later)
    # in a week or less, business days are days
    if stop >= 8:
        _, found = regular_grid(index[:stop])
        assert list(continue_index(index[:stop], found, len(later))) == list(later)


@given(labels())
def test_such_a_day_that_is_missing_is_named_and_mended(drawn):
    index, freq, at = drawn
    if at == 0:
        return
    y = pd.Series(np.arange(len(index), dtype=float), index)
    gappy = y.drop(index[at])
    with pytest.raises(ValueError, match=r"got 1 gap with 1 missing row: ") as caught:
        Observations.read(gappy, freq=freq)
    assert str(index[at]) in str(caught.value)
    mended = Observations.read(gappy, freq=freq, missing="interpolate")
    assert list(mended.index) == list(index)
    np.testing.assert_allclose(mended.values[:, 0], y, rtol=1e-15)


@given(labels())
def test_newer_rows_over_such_a_day_are_appended(drawn):
    index, freq, at = drawn
    y = pd.Series(np.arange(len(index), dtype=float), index)
    for cut in (at, at + 1):
        if 1 <= cut < len(y):
            joined = Observations.read(y[:cut], freq=freq).extended(y[cut:])
            assert list(joined.index) == list(index)


def test_a_day_that_the_zone_left_out_is_no_gap():
    # Samoa went from 29 to 31 December 2011
    days = pd.DatetimeIndex([f"2011-12-{day}" for day in (24, 25, 26, 27, 28, 29, 31)]).tz_localize("Pacific/Apia")
    grid, freq = regular_grid(days)
    assert (list(grid), freq) == (list(days), "D")
    assert list(continue_index(days[:-1], "D", 1)) == list(days[-1:])
    fridays = continue_index(pd.DatetimeIndex(["2011-12-16", "2011-12-23"]).tz_localize("Pacific/Apia"), "W-FRI", 2)
    assert [f"{day:%a %d}" for day in fridays] == ["Sat 31", "Fri 06"]
