"""Irregular time stamps."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast.monitoring.row_times import MOST_FILLED, Irregularities, RowTimes, insert_missing_rows


def read(times: list[str], before: RowTimes | None = None) -> tuple[list[int], Irregularities]:
    index = pd.DatetimeIndex(times)
    missing, found = (before or RowTimes.of(index)).read(index)
    return missing.tolist(), found


def test_even_steps_have_nothing_to_report() -> None:
    missing, found = read(["2026-01-01 00:00", "2026-01-01 01:00", "2026-01-01 02:00"])
    assert missing == [0, 0, 0]
    assert found.frame().empty
    assert str(found) == ""


def test_missing_rows_are_counted_where_they_are_missing() -> None:
    missing, found = read(["2026-01-01 00:00", "2026-01-01 01:00", "2026-01-01 05:00", "2026-01-01 06:00"])
    assert missing == [0, 0, 3, 0]
    assert found.frame().loc["gap"].tolist() == [1, 3, "2026-01-01 05:00:00"]


def test_duplicate_and_backward_time_stamps_are_rows_like_others() -> None:
    hours = pd.date_range("2026-10-25", periods=40, freq="h").to_list()
    times = [*hours[:3], hours[2], *hours[3:30], *hours[29:]]  # two of them twice
    missing, found = RowTimes.of(pd.DatetimeIndex(times)).read(pd.DatetimeIndex(times))
    assert not missing.any()
    assert found.counts["duplicate"] == 2
    back = pd.DatetimeIndex([*hours[:30], *hours[28:]])
    missing, found = RowTimes.of(back).read(back)
    assert not missing.any()
    assert found.frame().loc["backward"].tolist() == [1, 1, str(hours[28])]


def test_seconds_off_the_grid_are_no_gap() -> None:
    missing, found = read(["2026-01-01 00:00:00", "2026-01-01 00:05:02", "2026-01-01 00:10:01", "2026-01-01 00:15:01"])
    assert missing == [0, 0, 0, 0]
    assert found.frame().empty


def test_months_of_any_length_are_a_step() -> None:
    months = pd.date_range("2020-01-31", periods=30, freq="ME").delete(7)
    missing, _ = RowTimes.of(months).read(months)
    assert missing.tolist() == [0] * 7 + [1] + [0] * 21


def test_it_continues_after_the_newest_row() -> None:
    index = pd.date_range("2026-01-01", periods=5, freq="h")
    row_times = RowTimes.of(index)
    row_times.read(index)
    assert row_times.follows(index[-1:] + pd.Timedelta("3h"))
    assert not row_times.follows(index)
    assert not row_times.follows(index + pd.Timedelta(hours=MOST_FILLED + 10))
    assert not row_times.follows(pd.RangeIndex(9))
    missing, _ = row_times.read(index[-1:] + pd.Timedelta("3h"))
    assert missing.tolist() == [2]
    stamps, values = row_times.pack()
    assert RowTimes.unpack(stamps, values).newest.equals(row_times.newest)


def test_a_very_long_gap_is_cut() -> None:
    missing, found = read(["2026-01-01", "2026-01-02", "2030-01-01", "2030-01-02"])
    assert missing[2] == MOST_FILLED
    assert found.rows["gap"] > MOST_FILLED


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_units_of_stamps_may_change(unit: str) -> None:
    index = pd.date_range("2026-01-01", periods=6, freq="h", tz="Europe/Berlin")
    row_times = RowTimes.of(index)
    row_times.read(index[:3])
    missing, _ = row_times.read(index[4:].as_unit(unit))
    assert missing.tolist() == [1, 0]


def test_periods_and_numbers_tell_times_too() -> None:
    days = pd.period_range("2026-01-01", periods=6, freq="D").delete(3)
    assert RowTimes.of(days).read(days)[0].tolist() == [0, 0, 0, 1, 0]
    numbers = pd.Index([0, 10, 20, 50])
    assert RowTimes.of(numbers).read(numbers)[0].tolist() == [0, 0, 0, 2]


def test_rows_without_times_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a time for every row, got NaT"):
        read(["2026-01-01", None, "2026-01-03"])
    row_times = RowTimes.of(pd.RangeIndex(4))
    row_times.read(pd.RangeIndex(4))
    with pytest.raises(TypeError, match="expected an index like that at fit, RangeIndex, got DatetimeIndex"):
        read(["2026-01-01", "2026-01-02"], row_times)


def test_missing_rows_are_inserted() -> None:
    table = np.array([[1.0], [2.0], [3.0]])
    wide, given = insert_missing_rows(table, np.array([0, 2, 0]))
    np.testing.assert_array_equal(wide[:, 0], [1, np.nan, np.nan, 2, 3])
    np.testing.assert_array_equal(wide[given], table)
