import numpy as np
import pandas as pd
import pytest

from lstmforecast.data.windowing import time_split, windows


def test_windows_of_a_single_column() -> None:
    X, y = windows([0.0, 1.0, 2.0, 3.0, 4.0], window_size=2, horizon=1, stride=2)
    # By hand: windows start at rows 0 and 2; row 4 would need rows 4 to 6.
    assert X[..., 0].tolist() == [[0.0, 1.0], [2.0, 3.0]]
    assert y[..., 0].tolist() == [[2.0], [4.0]]


def test_windows_are_read_only_views() -> None:
    series = np.arange(60.0).reshape(20, 3)
    X, y = windows(series, window_size=4, horizon=2)
    assert X.shape == (15, 4, 3)
    assert y.shape == (15, 2, 3)
    assert np.shares_memory(X, series)
    assert np.shares_memory(y, series)
    assert not X.flags.writeable
    assert not y.flags.writeable
    assert series.flags.writeable


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "float16", "bool"])
def test_windows_keep_the_dtype(dtype: str) -> None:
    X, _ = windows(np.ones((6, 2), dtype=dtype), window_size=2)
    assert X.dtype == dtype


@pytest.mark.parametrize(
    "series",
    [
        np.asfortranarray(np.arange(12.0).reshape(6, 2)),
        np.arange(24.0).reshape(6, 4)[:, ::2] / 2,
        pd.DataFrame({"a": np.arange(0, 12, 2), "b": np.arange(1.0, 12, 2)}),
        pd.DataFrame({"a": np.arange(0, 12, 2), "b": np.arange(1, 12, 2)}).astype("Int64"),
        pd.DataFrame({"a": pd.array(np.arange(0, 12, 2), dtype="Int64"), "b": np.arange(1.0, 12, 2)}),
        np.arange(12.0).reshape(6, 2).tolist(),
        np.arange(12).reshape(6, 2).astype(object),
    ],
)
def test_windows_of_every_container(series: object) -> None:
    X, y = windows(series, window_size=5)
    np.testing.assert_array_equal(X[0], np.arange(10.0).reshape(5, 2))
    np.testing.assert_array_equal(y[0], [[10.0, 11.0]])


def test_windows_keep_missing_values() -> None:
    X, _ = windows(pd.Series([1, None, 3], dtype="Int64"), window_size=2)
    np.testing.assert_array_equal(X[0, :, 0], [1.0, np.nan])


def test_windows_of_a_series_too_short() -> None:
    with pytest.raises(ValueError, match=r"at least 6 rows \(window_size=4 \+ horizon=2\), got 5"):
        windows(np.arange(5), window_size=4, horizon=2)


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ({"window_size": 0}, ValueError, "expected window_size of at least 1, got 0"),
        ({"window_size": 2, "horizon": -1}, ValueError, "expected horizon of at least 1, got -1"),
        ({"window_size": 2, "stride": 0}, ValueError, "expected stride of at least 1, got 0"),
        ({"window_size": 2.0}, TypeError, "expected window_size as an integer, got 2.0"),
        ({"window_size": True}, TypeError, "expected window_size as an integer, got True"),
    ],
)
def test_windows_of_bad_sizes(sizes: dict[str, int], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        windows(np.arange(9.0), **sizes)


@pytest.mark.parametrize(
    ("series", "error", "message"),
    [
        (np.zeros((4, 2, 2)), ValueError, r"\(n,\) or \(n, n_features\), got \(4, 2, 2\)"),
        (np.zeros((4, 0)), ValueError, r"got \(4, 0\)"),
        (np.float64(3), ValueError, r"got \(\)"),
        (["a", "b", "c"], TypeError, "expected a series of numbers, got dtype"),
        (pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}), TypeError, "expected a series of numbers"),
        (pd.date_range("2024", periods=5), TypeError, "expected a series of numbers, got dtype datetime64"),
    ],
)
def test_windows_of_bad_series(series: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        windows(series, window_size=1)


def test_time_split_by_rows() -> None:
    train, test = time_split(np.arange(10), test_size=3, gap=2)
    assert train.tolist() == [0, 1, 2, 3, 4]
    assert test.tolist() == [7, 8, 9]


def test_time_split_by_fraction() -> None:
    train, test = time_split(np.arange(10), test_size=0.3)
    assert train.tolist() == list(range(7))
    assert test.tolist() == [7, 8, 9]


def test_time_split_gives_views() -> None:
    y = np.arange(10.0)
    assert all(np.shares_memory(part, y) for part in time_split(y))


def test_time_split_keeps_the_kind() -> None:
    index = pd.date_range("2024-01-01", periods=10, name="day")
    frame = pd.DataFrame({"a": np.arange(10.0)}, index=index)
    train, test = time_split(frame, test_size=2)
    pd.testing.assert_frame_equal(train, frame.iloc[:8])
    pd.testing.assert_frame_equal(test, frame.iloc[8:])
    series_train, series_test = time_split(frame["a"], test_size=2)
    assert series_train.name == "a"
    assert series_test.index.equals(index[8:])
    assert time_split([1, 2, 3], test_size=1) == ([1, 2], [3])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"test_size": 10}, ValueError, "expected rows in both parts, got 10 rows with test_size=10 and gap=0"),
        ({"test_size": 5, "gap": 5}, ValueError, "expected rows in both parts"),
        ({"test_size": 0}, ValueError, "expected test_size of at least 1, got 0"),
        ({"test_size": 1.5}, ValueError, "between 0.0 and 1.0, got 1.5"),
        ({"test_size": 0.0}, ValueError, "between 0.0 and 1.0, got 0.0"),
        ({"test_size": float("nan")}, ValueError, "between 0.0 and 1.0, got nan"),
        ({"test_size": "0.2"}, TypeError, "expected test_size as a number of rows or a fraction, got '0.2'"),
        ({"test_size": True}, TypeError, "got True"),
        ({"gap": -1}, ValueError, "expected gap of at least 0, got -1"),
        ({"gap": 0.5}, TypeError, "expected gap as an integer, got 0.5"),
    ],
)
def test_time_split_of_bad_sizes(options: dict[str, float], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        time_split(np.arange(10), **options)


def test_time_split_of_something_without_rows() -> None:
    with pytest.raises(TypeError, match="expected an array, list, Series or DataFrame, got int"):
        time_split(3)
