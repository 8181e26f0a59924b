"""Indexes are checked, understood and continued as pandas itself would make them."""

import numpy as np
import pandas as pd
import pytest
from dateutil.tz import tzlocal

from lstmforecast.data.index import (
    check_index,
    continue_index,
    gap_message,
    parse_frequency,
    regular_grid,
)
from lstmforecast.data.saved_labels import pack_index, unpack_index
from lstmforecast.data.season import season_length

REGULAR = {
    "hours": pd.date_range("2024-01-01 05:00", periods=60, freq="h", name="time"),
    "half hours": pd.date_range("2024-01-01", periods=60, freq="30min"),
    "hours over both changes of summer time": pd.date_range(
        "2024-03-30", periods=24 * 220, freq="h", tz="Europe/Berlin"
    ),
    "days over a change of summer time": pd.date_range("2024-03-25", periods=20, freq="D", tz="Europe/Berlin"),
    "six hours over a change of summer time": pd.date_range("2024-03-25", periods=60, freq="6h", tz="America/New_York"),
    "business days": pd.date_range("2024-01-01", periods=60, freq="B"),
    "weeks": pd.date_range("2024-01-01", periods=60, freq="W-SUN"),
    "month starts": pd.date_range("2024-01-01", periods=60, freq="MS"),
    "month ends": pd.date_range("2024-01-31", periods=60, freq="ME", tz="UTC"),
    "quarter ends": pd.date_range("2024-01-31", periods=60, freq="QE-DEC"),
    "years": pd.date_range("1950-01-01", periods=60, freq="YS-JAN"),
    "seconds in nanoseconds": pd.date_range("2024-01-01", periods=60, freq="s", unit="ns"),
    "monthly periods": pd.period_range("2024-01", periods=60, freq="M", name="month"),
    "two-hourly periods": pd.period_range("2024-01-01", periods=60, freq="2h"),
    "rows": pd.RangeIndex(60),
    "every third row": pd.RangeIndex(7, 7 + 60 * 3, 3, name="row"),
    "even integers": pd.Index(np.arange(0, 120, 2)),
    "small integers": pd.Index(np.arange(60), dtype="int8"),
}


def frozen(index: pd.Index) -> pd.Index:
    """The same labels without a `freq` that pandas remembers, as from a file."""
    return pd.DatetimeIndex(index, freq=None) if isinstance(index, pd.DatetimeIndex) else index


def assert_same(got: pd.Index, expected: pd.Index):
    assert type(got) is type(expected)
    assert (got.name, got.dtype) == (expected.name, expected.dtype)
    assert list(got) == list(expected)


@pytest.mark.parametrize("index", REGULAR.values(), ids=REGULAR)
def test_a_regular_index_has_no_gaps_and_goes_on_as_pandas_made_it(index):
    shorter = frozen(index[:-10])
    check_index(shorter)
    grid, freq = regular_grid(shorter)
    assert grid is shorter
    assert_same(continue_index(shorter, freq, 10), index[-10:])


@pytest.mark.parametrize("index", REGULAR.values(), ids=REGULAR)
def test_an_index_survives_being_packed(index):
    stamps, values = pack_index(index)
    assert stamps.dtype == np.int64
    assert_same(unpack_index(stamps, values), index)


def test_periods_that_repeat_survive_being_packed():
    index = REGULAR["monthly periods"][[3, 4, 5, 0, 1, 2, 3]]
    assert_same(unpack_index(*pack_index(index)), index)


def test_a_time_zone_without_a_name_is_refused_when_it_is_packed():
    index = pd.date_range("2024-01-01", periods=3, freq="D", tz=tzlocal())
    with pytest.raises(ValueError, match=r"expected a time zone with a name, got tzlocal\(\), which cannot be saved"):
        pack_index(index)


def test_no_index_survives_being_packed():
    assert unpack_index(*pack_index(None)) is None


@pytest.mark.parametrize("n_rows", [1, 2])
def test_one_or_two_rows_suffice_when_the_frequency_is_given(n_rows):
    index = pd.DatetimeIndex(["2024-01-31", "2024-02-29"][:n_rows])
    grid, freq = regular_grid(index, "ME")
    assert (len(grid), freq) == (n_rows, "ME")
    assert continue_index(index, freq, 1)[0] == pd.Timestamp(["2024-02-29", "2024-03-31"][n_rows - 1])
    with pytest.raises(ValueError, match=rf"at least 3 rows to find the frequency of y, got {n_rows}; give freq="):
        regular_grid(index)


def test_a_single_integer_row_goes_on_by_one():
    grid, step = regular_grid(pd.Index([4]))
    assert list(continue_index(grid, step, 2)) == [5, 6]


@pytest.mark.parametrize(
    ("old", "new"), [("H", "h"), ("M", "ME"), ("T", "min"), ("15T", "15min"), ("Q-DEC", "QE-DEC"), ("A", "YE")]
)
def test_aliases_of_every_pandas_are_understood(old, new):
    assert parse_frequency(old) == parse_frequency(new)


@pytest.mark.parametrize("freq", ["hourly", "", "-1h", "0D", 3.5])
def test_an_unknown_frequency_is_an_error(freq):
    with pytest.raises(ValueError, match="expected freq to be a pandas frequency such as 'h'"):
        parse_frequency(freq)


def test_daily_steps_keep_the_wall_clock_and_24_hours_do_not():
    index = pd.date_range("2024-03-29 12:00", periods=2, freq="D", tz="Europe/Berlin")
    assert [stamp.hour for stamp in continue_index(index, "D", 2)] == [12, 12]
    assert [stamp.hour for stamp in continue_index(index, "24h", 2)] == [13, 13]


def test_a_wall_clock_time_that_is_skipped_moves_on():
    index = pd.date_range("2024-03-28 02:30", periods=3, freq="D", tz="Europe/Berlin")
    assert str(continue_index(index, "D", 1)[0]) == "2024-03-31 03:00:00+02:00"


# The most common step names the frequency, so that the gaps can be named.
WITH_GAPS = {
    "h": pd.date_range("2024-01-01", periods=60, freq="h").delete([10, 11, 30]),
    "D": pd.date_range("2024-01-01", periods=60, freq="D").delete([10, 11, 30]),
    "B": pd.date_range("2024-01-01", periods=60, freq="B").delete([10, 11, 30]),
    "W-SUN": pd.date_range("2024-01-01", periods=60, freq="W-SUN").delete([10, 11, 30]),
    "MS": pd.date_range("2024-01-01", periods=60, freq="MS").delete([10, 11, 30]),
    "ME": pd.date_range("2024-01-01", periods=60, freq="ME").delete([10, 11, 30]),
    "QE-DEC": pd.date_range("2024-01-01", periods=60, freq="QE-DEC").delete([10, 11, 30]),
    "M": pd.period_range("2024-01-01", periods=60, freq="M").delete([10, 11, 30]),
    3: pd.Index(np.arange(0, 180, 3)).delete([10, 11, 30]),
}


@pytest.mark.parametrize(("freq", "index"), WITH_GAPS.items(), ids=map(str, WITH_GAPS))
def test_gaps_are_counted_and_named(freq, index):
    grid, found = regular_grid(index)
    assert found == freq
    assert len(grid) == 60
    message = gap_message(index, grid, found)
    assert f"at the frequency {freq!r}, got 2 gaps with 3 missing rows: {grid[10]}, {grid[11]}, {grid[30]};" in message
    assert "missing='ffill' or missing='interpolate'" in message


def test_a_given_frequency_shows_gaps_in_a_coarser_index():
    index = pd.date_range("2024-01-01", periods=3, freq="2h")
    grid, found = regular_grid(index, "h")
    assert found == "h"
    assert list(grid) == list(pd.date_range("2024-01-01", periods=5, freq="h"))
    assert "got 2 gaps with 2 missing rows: 2024-01-01 01:00:00, 2024-01-01 03:00:00;" in gap_message(
        index, grid, found
    )


def test_descending_times_are_named():
    index = pd.DatetimeIndex(["2024-01-01", "2024-01-03", "2024-01-02"])
    with pytest.raises(
        ValueError, match=r"in ascending order, got 2024-01-02 .*\(row 2\) after 2024-01-03 .*sort_index"
    ):
        check_index(index)
    with pytest.raises(ValueError, match=r"in ascending order, got 4 \(row 1\) after 5"):
        check_index(pd.RangeIndex(5, 0, -1))


def test_duplicate_times_are_named():
    index = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-02", "2024-01-02", "2024-01-03"])
    with pytest.raises(ValueError, match=r"every time of y once, got 2 duplicates, the first 2024-01-02 .*\(row 2\)"):
        check_index(index)


def test_a_missing_time_is_named():
    with pytest.raises(ValueError, match="expected a time for every row of y, got NaT in row 1"):
        check_index(pd.DatetimeIndex(["2024-01-01", None, "2024-01-02"]))


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (pd.Index(["2024-01-01", "2024-01-02"]), "such as 2024-01-01; convert it with y.set_axis"),
        (pd.Index([0.5, 1.5]), "got Index of float64 such as 0.5"),
        (pd.Index([True, False]), "got Index of bool"),
        (pd.timedelta_range("1h", periods=3), "got TimedeltaIndex"),
        (pd.Index([pd.Timestamp("2024-01-01").date()]), "got Index of object such as 2024-01-01"),
        (
            pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["shop", "day"]),
            r"MultiIndex of the levels \['shop', 'day'\]",
        ),
    ],
)
def test_other_indexes_are_refused(index, words):
    with pytest.raises(TypeError, match=words):
        check_index(index)


def test_times_beside_the_grid_are_named():
    index = pd.DatetimeIndex(["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:00", "2024-01-01 03:07"])
    with pytest.raises(ValueError, match=r"most common step is 'h'\), got 2024-01-01 03:07:00 \(row 3\)"):
        regular_grid(index)
    with pytest.raises(ValueError, match=r"freq is 'MS'\), got 2024-01-15 .*\(row 0\)"):
        regular_grid(pd.DatetimeIndex(["2024-01-15", "2024-02-15"]), "MS")
    with pytest.raises(ValueError, match=r"is 1\), got 2 .*|is 2\), got"):
        regular_grid(pd.Index([0, 2, 4, 5, 6, 9, 11, 13]))


def test_a_frequency_far_finer_than_the_data_makes_no_huge_grid():
    index = pd.DatetimeIndex(["2000-01-01 00:00:00", "2000-01-01 00:00:01", "2010-06-01", "2024-01-01"])
    with pytest.raises(ValueError, match="got 4 rows where the step 's' makes about 757382"):
        regular_grid(index)


def test_periods_of_another_frequency_are_an_error():
    with pytest.raises(ValueError, match="expected y at freq='D', got periods of 'M'"):
        regular_grid(pd.period_range("2024-01", periods=3, freq="M"), "D")
    assert regular_grid(pd.period_range("2024-01", periods=3, freq="M"), "M")[1] == "M"


def test_a_frequency_of_an_integer_index_is_an_error():
    with pytest.raises(
        ValueError, match="expected y to have a DatetimeIndex or PeriodIndex for freq='h', got integers"
    ):
        regular_grid(pd.RangeIndex(5), "h")


def test_holidays_are_kept():
    closed = pd.offsets.CustomBusinessDay(holidays=["2024-01-03"])
    index = pd.date_range("2023-12-28", periods=4, freq=closed)
    grid, freq = regular_grid(pd.DatetimeIndex(index, freq=None), closed)
    assert len(grid) == 4
    assert continue_index(grid, freq, 1)[0] == pd.Timestamp("2024-01-04")


@pytest.mark.parametrize(
    ("freq", "length"),
    [
        ("h", 24), ("H", 24), ("30min", 48), ("15min", 96), ("min", 1440), ("2h", 12), ("7h", 1), ("s", 60), ("D", 7),
        ("7D", 52), ("B", 5), ("W-SUN", 52), ("2W", 26), ("MS", 12), ("ME", 12), ("M", 12), ("BME", 12), ("2ME", 6),
        ("QS-OCT", 4), ("Q-DEC", 4), ("YS-JAN", 1), (3, 1), (None, 1), (pd.DateOffset(months=1), 12),
        (pd.DateOffset(months=3), 4), (2 * pd.DateOffset(months=1), 6), (pd.DateOffset(weeks=2), 26),
        (pd.DateOffset(days=1), 7), (pd.DateOffset(hours=2), 12), (pd.DateOffset(minutes=15), 96),
        (pd.DateOffset(seconds=1), 60), (pd.DateOffset(years=1), 1), (pd.DateOffset(months=1, days=1), 1),
        (pd.DateOffset(day=1), 1), (pd.offsets.Easter(), 1),
    ],
)  # fmt: skip
def test_seasons(freq, length):
    assert season_length(freq) == length
