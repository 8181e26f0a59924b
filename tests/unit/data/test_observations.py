"""Missing values and times are named or filled, and results come back in the container of the data."""

import numpy as np
import pandas as pd
import pytest
from dateutil.relativedelta import FR

from lstmforecast.data.observations import Observations

HOURS = pd.date_range("2024-01-01", periods=6, freq="h", name="time")
NUMBERS = np.arange(12.0).reshape(6, 2)
FRAME = pd.DataFrame(NUMBERS, index=HOURS, columns=["a", "b"])


def with_value(value: object, row: int = 2) -> pd.DataFrame:
    frame = FRAME.copy()
    frame.iloc[row, 1] = value
    return frame


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA])
@pytest.mark.parametrize("dtype", ["float64", "Float64", object])
def test_a_missing_value_of_every_kind_is_named(missing, dtype):
    frame = FRAME.astype(dtype)
    frame.iloc[2, 1] = np.nan if dtype == "float64" else missing
    with pytest.raises(
        ValueError, match=r"got 1 NaN, the first in column 'b' at 2024-01-01 02:00:00 \(row 2\); .*missing="
    ):
        Observations.read(frame)


def test_a_missing_value_is_named_in_every_container():
    with pytest.raises(ValueError, match="expected no missing values in y, got 2 NaN, the first in row 1"):
        Observations.read([1.0, np.nan, np.nan])
    with pytest.raises(ValueError, match="got 1 NaN, the first in column 1 at row 0"):
        Observations.read([[1.0, np.nan], [1.0, 2.0]])
    with pytest.raises(ValueError, match="got 1 NaN, the first in row 0"):
        Observations.read(np.ma.array([1.0, 2.0], mask=[True, False]))
    with pytest.raises(ValueError, match=r"got 1 NaN, the first in 2024-01-01 02:00:00 \(row 2\)"):
        Observations.read(with_value(np.nan)["b"])


@pytest.mark.parametrize("missing", ["error", "mask", "ffill", "interpolate"])
def test_an_infinite_value_is_named_and_never_filled(missing):
    with pytest.raises(
        ValueError, match=r"finite values in y, got 1 infinite, the first in column 'b' at 2024-01-01 02:00:00"
    ):
        Observations.read(with_value(-np.inf), missing=missing)


@pytest.mark.parametrize(("missing", "expected"), [("ffill", [3, 3, 3, 9]), ("interpolate", [3, 5, 7, 9])])
def test_missing_values_are_filled(missing, expected):
    frame = with_value(np.nan)
    frame.iloc[3, 1] = np.nan
    read = Observations.read(frame, missing=missing)
    np.testing.assert_array_equal(read.values[1:5, 1], expected)
    assert read.filled.sum() == 2
    assert frame["b"].isna().sum() == 2, "the user's data stays as it was"


@pytest.mark.parametrize("missing", ["ffill", "interpolate"])
def test_missing_values_at_the_end_repeat_the_last_one(missing):
    assert Observations.read(with_value(np.nan, 5), missing=missing).values[5, 1] == 9


@pytest.mark.parametrize("missing", ["ffill", "interpolate"])
def test_missing_values_at_the_beginning_cannot_be_filled(missing):
    with pytest.raises(
        ValueError,
        match=rf"missing='{missing}' can fill from, got 1 leading NaN, the first in column 'b' at .*drop these",
    ):
        Observations.read(with_value(np.nan, 0), missing=missing)


@pytest.mark.parametrize(
    "index", [HOURS, pd.period_range("2024-01", periods=6, freq="M"), pd.RangeIndex(6), pd.Index([0, 2, 4, 6, 8, 10])]
)
def test_gaps_are_named_or_filled(index):
    gappy = FRAME.set_axis(index).drop(index=[index[2], index[3]])
    with pytest.raises(
        ValueError, match=rf"got 1 gap with 2 missing rows: {index[2]}, {index[3]}; fill them with missing='ffill'"
    ):
        Observations.read(gappy)
    mended = Observations.read(gappy, missing="interpolate")
    np.testing.assert_allclose(mended.values, NUMBERS, rtol=1e-15)
    assert list(mended.index) == list(index)
    np.testing.assert_array_equal(mended.filled.any(axis=1), [False, False, True, True, False, False])


def test_the_index_is_checked():
    with pytest.raises(TypeError, match="one row for each time, got a MultiIndex"):
        Observations.read(pd.concat({"x": FRAME, "y": FRAME}))
    with pytest.raises(ValueError, match="expected the times of y in ascending order"):
        Observations.read(FRAME.iloc[::-1])
    with pytest.raises(ValueError, match="expected every time of y once, got 6 duplicates"):
        Observations.read(pd.concat([FRAME, FRAME]).sort_index())


def test_a_frequency_needs_times():
    with pytest.raises(ValueError, match="expected y with a time index for freq='h', got ndarray"):
        Observations.read(NUMBERS, freq="h")


CONTAINERS = {
    "vector": NUMBERS[:, 0],
    "matrix": NUMBERS,
    "matrix of one column": NUMBERS[:, :1],
    "narrow matrix": NUMBERS.astype("float32"),
    "series": FRAME["a"],
    "series without name": pd.Series(NUMBERS[:, 0]),
    "series with a tuple as name": FRAME["a"].rename(("x", 1)),
    "frame": FRAME,
    "frame of one column": FRAME[["b"]],
    "frame in a time zone": FRAME.tz_localize("Europe/Berlin"),
    "frame of periods": FRAME.set_axis(pd.period_range("2024-01", periods=6, freq="M")),
    "frame with numbered columns": pd.DataFrame(NUMBERS),
    "frame with named columns": FRAME.rename_axis(columns="variable"),
    "frame with two levels of columns": FRAME.set_axis(pd.MultiIndex.from_tuples([("x", "a"), ("x", "b")]), axis=1),
    "narrow frame": FRAME.astype("float32"),
}


def assert_same(got: object, expected: object):
    assert type(got) is type(expected)
    np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))
    assert np.asarray(got).dtype == np.asarray(expected).dtype
    if isinstance(expected, pd.Series | pd.DataFrame):
        assert got.index.equals(expected.index)
        assert got.index.name == expected.index.name
    if isinstance(expected, pd.DataFrame):
        assert got.columns.equals(expected.columns)
        assert got.columns.names == expected.columns.names
    if isinstance(expected, pd.Series):
        assert got.name == expected.name


@pytest.mark.parametrize("y", CONTAINERS.values(), ids=CONTAINERS)
def test_data_comes_back_in_its_container(y):
    assert_same(Observations.read(y).container(), y)


@pytest.mark.parametrize("y", CONTAINERS.values(), ids=CONTAINERS)
def test_forecasts_go_on_in_the_container(y):
    read = Observations.read(y[:4])
    assert_same(read.continued(Observations.read(y).values[4:][np.newaxis]), y[4:])


@pytest.mark.parametrize("y", CONTAINERS.values(), ids=CONTAINERS)
def test_newer_data_is_appended(y):
    assert_same(Observations.read(y[:4]).extended(y[4:]).container(), y)


@pytest.mark.parametrize("y", CONTAINERS.values(), ids=CONTAINERS)
def test_observations_survive_being_packed(y):
    assert_same(Observations.unpack(*Observations.read(y).pack()).container(), y)


def test_an_array_may_follow_a_frame():
    assert_same(Observations.read(FRAME[:4]).extended(NUMBERS[4:]).container(), FRAME)


@pytest.mark.parametrize(
    ("newer", "error", "words"),
    [
        (FRAME[3:], ValueError, "to go on after 2024-01-01 03:00:00, got an overlap: it begins at 2024-01-01 03:00:00"),
        (FRAME[5:], ValueError, "got 1 gap with 1 missing row: 2024-01-01 04:00:00; fill"),
        (FRAME[4:].tz_localize("UTC"), TypeError, "expected y without a time zone, as at fit, got times in UTC"),
        (FRAME[4:].reset_index(drop=True), TypeError, "expected y with a DatetimeIndex, as at fit, got a RangeIndex"),
        (FRAME[4:].rename(columns={"b": "c"}), ValueError, r"the columns at fit, got \['c'\] in place of \['b'\]"),
        (FRAME[4:][["b", "a"]], ValueError, r"in the order at fit, \['a', 'b'\], got \['b', 'a'\]"),
        (FRAME["a"][4:], ValueError, r"with 2 columns as at fit \(a, b\), got 1 \(a\)"),
        (with_value(np.nan, 5)[4:], ValueError, r"got 1 NaN, the first in column 'b' at 2024-01-01 05:00:00 \(row 1\)"),
    ],
)
def test_newer_data_that_does_not_follow_is_an_error(newer, error, words):
    with pytest.raises(error, match=words):
        Observations.read(FRAME[:4]).extended(newer)


def test_newer_data_may_leave_a_gap_that_is_filled():
    np.testing.assert_array_equal(
        Observations.read(FRAME[:4]).extended(FRAME[5:], missing="ffill").values[3:, 0], [6, 6, 10]
    )
    leading = with_value(np.nan, 4)[4:]
    np.testing.assert_array_equal(
        Observations.read(FRAME[:4]).extended(leading, missing="interpolate").values[3:, 1], [7, 9, 11]
    )


def test_a_frame_cannot_follow_an_array():
    with pytest.raises(TypeError, match="expected y as an array, as at fit, got a DataFrame"):
        Observations.read(NUMBERS[:4]).extended(FRAME[4:])


def test_a_slice_does_not_share_memory_with_the_data():
    read = Observations.read(NUMBERS)
    part = read.rows(0, 3)
    assert not np.shares_memory(part.values, read.values)
    assert not np.shares_memory(part.values, NUMBERS)


def test_names_and_frequencies_that_no_file_can_hold_are_an_error():
    with pytest.raises(ValueError, match=r"strings, numbers, dates or tuples of them to name .*, got Interval"):
        Observations.read(FRAME.set_axis(pd.interval_range(0, 2), axis=1)).pack()
    fridays = pd.DateOffset(weekday=FR(1), weeks=1)
    frame = FRAME.set_axis(pd.date_range("2024-01-05", periods=6, freq=fridays))
    with pytest.raises(ValueError, match=r"expected a frequency that can be saved, got <DateOffset: weekday=FR"):
        Observations.read(frame, freq=fridays).pack()
