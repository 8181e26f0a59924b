"""Time stamps as they come."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast.monitoring.row_times import MOST_FILLED, Clock, Report, spread


def read(times: list[str], clock: Clock | None = None) -> tuple[list[int], Report]:
    index = pd.DatetimeIndex(times)
    missing, report = (clock or Clock.of(index)).read(index)
    return missing.tolist(), report


def test_even_steps_have_nothing_to_report() -> None:
    missing, report = read(["2026-01-01 00:00", "2026-01-01 01:00", "2026-01-01 02:00"])
    assert missing == [0, 0, 0]
    assert report.frame().empty
    assert str(report) == ""


def test_missing_rows_are_counted_where_they_are_missing() -> None:
    missing, report = read(["2026-01-01 00:00", "2026-01-01 01:00", "2026-01-01 05:00", "2026-01-01 06:00"])
    assert missing == [0, 0, 3, 0]
    assert report.frame().loc["gap"].tolist() == [1, 3, "2026-01-01 05:00:00"]


def test_what_stands_twice_or_goes_back_is_a_row_as_any_other() -> None:
    hours = pd.date_range("2026-10-25", periods=40, freq="h").to_list()
    times = [*hours[:3], hours[2], *hours[3:30], *hours[29:]]  # two of them twice
    missing, report = Clock.of(pd.DatetimeIndex(times)).read(pd.DatetimeIndex(times))
    assert not missing.any()
    assert report.counts["duplicate"] == 2
    back = pd.DatetimeIndex([*hours[:30], *hours[28:]])
    missing, report = Clock.of(back).read(back)
    assert not missing.any()
    assert report.frame().loc["backward"].tolist() == [1, 1, str(hours[28])]


def test_seconds_off_the_grid_are_no_gap() -> None:
    missing, report = read(["2026-01-01 00:00:00", "2026-01-01 00:05:02", "2026-01-01 00:10:01", "2026-01-01 00:15:01"])
    assert missing == [0, 0, 0, 0]
    assert report.frame().empty


def test_months_of_any_length_are_a_step() -> None:
    months = pd.date_range("2020-01-31", periods=30, freq="ME").delete(7)
    missing, _ = Clock.of(months).read(months)
    assert missing.tolist() == [0] * 7 + [1] + [0] * 21


def test_it_goes_on_where_it_stopped() -> None:
    index = pd.date_range("2026-01-01", periods=5, freq="h")
    clock = Clock.of(index)
    clock.read(index)
    assert clock.follows(index[-1:] + pd.Timedelta("3h"))
    assert not clock.follows(index)
    assert not clock.follows(index + pd.Timedelta(hours=MOST_FILLED + 10))
    assert not clock.follows(pd.RangeIndex(9))
    missing, _ = clock.read(index[-1:] + pd.Timedelta("3h"))
    assert missing.tolist() == [2]
    stamps, values = clock.pack()
    assert Clock.unpack(stamps, values).newest.equals(clock.newest)


def test_a_gap_without_end_is_cut() -> None:
    missing, report = read(["2026-01-01", "2026-01-02", "2030-01-01", "2030-01-02"])
    assert missing[2] == MOST_FILLED
    assert report.rows["gap"] > MOST_FILLED


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_units_of_stamps_may_change(unit: str) -> None:
    index = pd.date_range("2026-01-01", periods=6, freq="h", tz="Europe/Berlin")
    clock = Clock.of(index)
    clock.read(index[:3])
    missing, _ = clock.read(index[4:].as_unit(unit))
    assert missing.tolist() == [1, 0]


def test_periods_and_numbers_are_clocks_too() -> None:
    days = pd.period_range("2026-01-01", periods=6, freq="D").delete(3)
    assert Clock.of(days).read(days)[0].tolist() == [0, 0, 0, 1, 0]
    numbers = pd.Index([0, 10, 20, 50])
    assert Clock.of(numbers).read(numbers)[0].tolist() == [0, 0, 0, 2]


def test_what_cannot_be_put_in_time_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a time for every row, got NaT"):
        read(["2026-01-01", None, "2026-01-03"])
    clock = Clock.of(pd.RangeIndex(4))
    clock.read(pd.RangeIndex(4))
    with pytest.raises(TypeError, match="expected an index like that at fit, RangeIndex, got DatetimeIndex"):
        read(["2026-01-01", "2026-01-02"], clock)


def test_rows_are_spread_over_their_steps() -> None:
    table = np.array([[1.0], [2.0], [3.0]])
    wide, there = spread(table, np.array([0, 2, 0]))
    np.testing.assert_array_equal(wide[:, 0], [1, np.nan, np.nan, 2, 3])
    np.testing.assert_array_equal(wide[there], table)
