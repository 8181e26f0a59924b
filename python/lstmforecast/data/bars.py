"""Reads columns of price and volume bars and applies a function to each series of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.frames import SERIES, TIME

Array = NDArray[np.float64]


def by_series(
    bars: pd.DataFrame | pd.Series, columns: Sequence[str], names: Sequence[str], of: Callable[..., Sequence[Array]]
) -> pd.DataFrame:
    """Compute new columns from columns of bars, for each series separately.

    Parameters
    ----------
    bars : DataFrame, or Series of prices, of n rows
        With an index of times or integers, or of (series, time).
    columns : list of str
        The columns that ``of`` takes, in lower case; a Series is ``"close"``.
    names : list of str
        The names of the new columns.
    of : callable
        Takes an array of shape (n_bars,) for each of ``columns``, with the rows in which none of them is missing, and
        returns an array for each of ``names``.

    Returns
    -------
    DataFrame of shape (n, len(names))
        With the index of the bars; NaN in rows with a missing value.

    Raises
    ------
    TypeError
        If bars are of another type, or a column is not numeric.
    ValueError
        If a column is missing or duplicated, a value is infinite, or the times of a series are not ascending.
    """
    values = read_columns(bars, columns)
    found = np.full((len(bars), len(names)), np.nan)
    there: NDArray[np.bool_] = np.asarray(~np.isnan(values).any(axis=1))
    for rows in _series(bars.index):
        rows = rows[there[rows]]
        if len(rows):
            found[rows] = np.column_stack(of(*np.ascontiguousarray(values[rows].T)))
    return pd.DataFrame(found, bars.index, list(names))


def read_columns(bars: Any, columns: Sequence[str]) -> Array:
    """Copy columns of bars, whose names may be in upper or lower case: (n, len(columns)).

    Raises
    ------
    TypeError, ValueError
        As `by_series`.
    """
    if isinstance(bars, pd.Series):
        if list(columns) != ["close"]:
            raise TypeError(f"expected a DataFrame with columns {', '.join(columns)}, got a Series")
        bars = bars.to_frame("close")
    if not isinstance(bars, pd.DataFrame):
        raise TypeError(f"expected bars as a DataFrame or a Series of prices, got {type(bars).__name__}")
    if {SERIES, TIME} <= set(bars.columns):
        raise ValueError(
            f"expected a panel of bars with an index of (series, time), got columns {SERIES} and {TIME}: "
            f"bars.set_index([{SERIES!r}, {TIME!r}]) makes one of them"
        )
    values = np.column_stack([_column(bars, name) for name in columns])
    if np.isinf(values).any():
        row = int(np.argmax(np.isinf(values).any(axis=1)))
        raise ValueError(f"expected no infinite values in bars, got one at {bars.index[row]} (row {row})")
    return values


def _column(bars: pd.DataFrame, name: str) -> Array:
    matches = [place for place, label in enumerate(bars.columns) if isinstance(label, str) and label.lower() == name]
    if len(matches) != 1:
        got = "several of them" if matches else ", ".join(map(str, bars.columns)) or "no columns"
        raise ValueError(f"expected bars with one column {name!r} (in any case), got {got}")
    column = bars.iloc[:, matches[0]]
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_complex_dtype(column.dtype):
        raise TypeError(f"expected numbers in column {column.name!r} of bars, got {column.dtype}")
    return column.to_numpy(np.float64, na_value=np.nan)


def _series(index: pd.Index) -> Iterator[NDArray[np.intp]]:
    """The row numbers of each series."""
    if not isinstance(index, pd.MultiIndex):
        _require_order(index, "bars")
        yield np.arange(len(index))
        return
    if index.nlevels != 2:
        raise ValueError(f"expected bars with an index of (series, time), got {index.nlevels} levels")
    codes = np.asarray(index.codes[0])
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, 1 + np.flatnonzero(np.diff(codes[order]))):
        if len(rows):
            part = index[rows]
            _require_order(part.get_level_values(1), f"series {part[0][0]!r} of bars")
            yield rows


def _require_order(times: pd.Index, name: str) -> None:
    if times.is_monotonic_increasing and times.is_unique:
        return
    wrong = 1 + int(np.argmin(np.asarray(times[1:] > times[:-1])))
    raise ValueError(
        f"expected the times of {name} in ascending order, each once, got {times[wrong]} after {times[wrong - 1]}"
    )
