"""Cuts a series into windows and splits containers in time order, without copies of the data."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.contract.plain import plain
from lstmforecast.data.frames import to_pandas

Container = TypeVar("Container")


def windows(series: Any, window_size: int, horizon: int = 1, stride: int = 1) -> tuple[NDArray[Any], NDArray[Any]]:
    """Cut a series into windows and the horizons after them.

    Parameters
    ----------
    series : array-like of shape (n_rows,) or (n_rows, n_features)
        An array, list, Series or DataFrame with rows in time order.
    window_size : int
        The number of rows in a window.
    horizon : int, default=1
        The number of rows after each window that are its targets.
    stride : int, default=1
        The number of rows from the start of one window to the start of the next.

    Returns
    -------
    X : ndarray of shape (n_windows, window_size, n_features)
        A read-only view of the data.
    y : ndarray of shape (n_windows, horizon, n_features)
        A read-only view of the rows after each window.

    Raises
    ------
    ValueError
        If a size is below 1, or the series has another shape or is too short for one window.
    TypeError
        If a size is not an integer, or a column is not numeric.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = windows(np.arange(6), window_size=3, horizon=2)
    >>> X.shape, y.shape
    ((2, 3, 1), (2, 2, 1))
    >>> X[1, :, 0], y[1, :, 0]
    (array([1, 2, 3]), array([4, 5]))
    """
    window_size, horizon = _size("window_size", window_size), _size("horizon", horizon)
    stride = _size("stride", stride)
    rows = _rows(series)
    needed = window_size + horizon
    if len(rows) < needed:
        raise ValueError(
            f"expected at least {needed} rows (window_size={window_size} + horizon={horizon}), got {len(rows)}"
        )
    spans = sliding_window_view(rows, needed, axis=0)[::stride].transpose(0, 2, 1)
    return spans[:, :window_size], spans[:, window_size:]


def time_split(y: Container, test_size: float = 0.2, gap: int = 0) -> tuple[Container, Container]:
    """Split a container in time order; the last rows are the test part.

    Parameters
    ----------
    y : array, list, Series or DataFrame of n_rows rows
        The rows, in time order.
    test_size : int or float, default=0.2
        The number of rows of the test part, or its fraction of all rows.
    gap : int, default=0
        The number of rows between the parts that are in neither, so that no window contains rows of both.

    Returns
    -------
    train, test : same kind as ``y``
        Slices of ``y``; for arrays, views.

    Raises
    ------
    ValueError
        If a size is out of range, or a part has no rows.
    TypeError
        If a size has the wrong type, or the container has no length.

    Examples
    --------
    >>> train, test = time_split(list(range(10)), test_size=3, gap=1)
    >>> train, test
    ([0, 1, 2, 3, 4, 5], [7, 8, 9])
    """
    n_rows = _length(y)
    gap = _size("gap", gap, minimum=0)
    n_train, first_test = _parts(n_rows, test_size, gap)
    if n_train < 1 or first_test >= n_rows:
        raise ValueError(f"expected rows in both parts, got {n_rows} rows with test_size={test_size} and gap={gap}")
    rows: Any = getattr(y, "iloc", y)
    return rows[:n_train], rows[first_test:]


def _parts(n_rows: int, test_size: float, gap: int) -> tuple[int, int]:
    test_size = plain(test_size)
    if isinstance(test_size, bool) or not isinstance(test_size, int | float):
        raise TypeError(f"expected test_size as a number of rows or a fraction, got {test_size!r}")
    if isinstance(test_size, int):
        first_test = n_rows - _size("test_size", test_size)
        return first_test - gap, first_test
    if not 0.0 < test_size < 1.0:
        raise ValueError(f"expected test_size as a number of rows or between 0.0 and 1.0, got {test_size}")
    # rounded by the core, so that the split equals that of a training
    return _core.time_split(n_rows, float(test_size), gap)


def _rows(series: Any) -> NDArray[Any]:
    series, _ = to_pandas(series, "series")
    rows = np.asarray(series)
    if rows.dtype == object:
        rows = _numbers(series)
    if rows.dtype.kind not in "biuf":
        raise TypeError(f"expected a series of numbers, got dtype {rows.dtype}")
    if rows.ndim == 1:
        return rows[:, np.newaxis]
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"expected a series of shape (n,) or (n, n_features), got {rows.shape}")
    return rows


def _numbers(series: Any) -> NDArray[Any]:
    """Convert objects to numbers: nullable columns of pandas, or numbers of Python."""
    try:
        if hasattr(series, "to_numpy"):
            return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.asarray(series, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"expected a series of numbers, got other values ({error})") from error


def _length(y: Any) -> int:
    try:
        return len(y)
    except TypeError:
        raise TypeError(f"expected an array, list, Series or DataFrame, got {type(y).__name__}") from None


def _size(name: str, value: Any, minimum: int = 1) -> int:
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"expected {name} as an integer, got {value!r}")
    if value < minimum:
        raise ValueError(f"expected {name} of at least {minimum}, got {value}")
    return value
