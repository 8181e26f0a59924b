"""Data of any container as a DataFrame of one series, with a column for each variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmforecast.data.frames import refuse_labels
from lstmforecast.data.index import match_index
from lstmforecast.data.panel_index import indexed
from lstmforecast.uncertainty.calibration import SIDES

if TYPE_CHECKING:
    from collections.abc import Hashable


def as_frame(values: Any, *, start: int = 0, series: Hashable = None) -> pd.DataFrame:
    """A DataFrame with a column for each variable; rows of an array are numbered from ``start``, periods become times.

    Parameters
    ----------
    values : array-like, Series or DataFrame
        Of a panel, ``series`` or the first series is taken.

    Raises
    ------
    TypeError
        If a column holds times or names, as in the flat tables of models whose columns have names.
    ValueError
        If there is no such series.
    """
    values, _ = indexed(values, "y")
    if isinstance(values, pd.Series):
        frame = values.to_frame()
    elif isinstance(values, pd.DataFrame):
        frame = values
        refuse_labels(frame, "the table", "draw it with ForecastDisplay.from_estimator(model, table)")
    else:
        array = np.asarray(values, dtype=float)
        table = array.reshape(len(array), -1)
        frame = pd.DataFrame(table, index=pd.RangeIndex(start, start + len(table)))
    if isinstance(frame.index, pd.MultiIndex):
        frame = _one_series(frame, series)
    if isinstance(frame.index, pd.PeriodIndex):
        frame = frame.set_axis(frame.index.to_timestamp())
    return pd.DataFrame(frame.to_numpy(dtype=float, na_value=np.nan), frame.index, frame.columns)


def is_array(values: Any) -> bool:
    """Whether rows have no labels, so that they are numbered."""
    return not isinstance(values, pd.Series | pd.DataFrame)


def intervals_of(quantiles: pd.DataFrame) -> pd.DataFrame:
    """Quantiles (variable, alpha) as intervals (variable, coverage, side); the median is left out.

    Raises
    ------
    ValueError
        If a level ``alpha`` is given without ``1 - alpha``.
    """
    columns: dict[tuple[Any, float, str], pd.Series] = {}
    for variable in quantiles.columns.get_level_values(0).unique():
        levels = {round(float(level), 10): quantiles[variable, level] for level in quantiles[variable].columns}
        for level in sorted(level for level in levels if level != 0.5):
            partner = round(1 - level, 10)
            if partner not in levels:
                raise ValueError(f"expected quantiles in pairs alpha and 1 - alpha, got {level:g} without {partner:g}")
            if level < partner:
                columns |= {
                    (variable, round(partner - level, 10), side): levels[each]
                    for side, each in zip(SIDES, (level, partner), strict=True)
                }
    frame = pd.DataFrame(columns, index=quantiles.index)
    frame.columns = pd.MultiIndex.from_tuples(list(columns))
    return frame


def check_alike(past: pd.DataFrame, other: pd.DataFrame, name: str) -> None:
    """Raise a ValueError unless both have as many columns and the same kind of index.

    A TypeError if only one of the two has a time zone.
    """
    if other.shape[1] != past.shape[1]:
        raise ValueError(f"expected {name} with {past.shape[1]} columns, as history has, got {other.shape[1]}")
    if isinstance(other.index, pd.DatetimeIndex) != isinstance(past.index, pd.DatetimeIndex):
        kinds = [type(frame.index).__name__ for frame in (past, other)]
        raise ValueError(f"expected {name} with an index like that of history ({kinds[0]}), got {kinds[1]}")
    if isinstance(past.index, pd.DatetimeIndex):
        match_index(past.index, other.index, name, like="as history")


def check_interval(interval: Any, n_steps: int, n_variables: int) -> None:
    """Raise a TypeError unless it is a DataFrame of `predict_interval`, a ValueError for another shape."""
    if not isinstance(interval, pd.DataFrame) or not set(SIDES) <= set(interval.columns.get_level_values(-1)):
        raise TypeError(f"expected interval as predict_interval returns it, got {type(interval).__name__}")
    n = len(interval.columns.get_level_values(0).unique())
    if len(interval) != n_steps or n < n_variables:
        expected = f"({n_steps}, ...) with {n_variables} variables or more"
        raise ValueError(f"expected an interval of shape {expected}, got {interval.shape} with {n}")


def series_in(values: Any) -> list[Any]:
    """The labels of the series of a panel; none of another container."""
    values, _ = indexed(values, "y")
    if not isinstance(values, pd.DataFrame | pd.Series) or not isinstance(values.index, pd.MultiIndex):
        return []
    return list(values.index.get_level_values(0).unique())


def first_labels(keys: list[Any]) -> str:
    """Labels, of many the first, for a message."""
    return f"{keys[:10]}{'...' if len(keys) > 10 else ''}"


def _one_series(frame: pd.DataFrame, series: Hashable) -> pd.DataFrame:
    keys = series_in(frame)
    if series is not None and series not in keys:
        raise ValueError(f"expected series to be one of {first_labels(keys)}, got {series!r}")
    key: Any = keys[0] if series is None else series
    chosen: pd.DataFrame = frame.loc[key]
    return chosen
