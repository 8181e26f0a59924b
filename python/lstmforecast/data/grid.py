"""Rows that a table lacks: missing times among its rows, and the steps after its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from sklearn.utils.validation import check_is_fitted

from lstmforecast.calendar import calendar_features
from lstmforecast.contract.plain import plain
from lstmforecast.data.columns import Columns
from lstmforecast.data.frames import SERIES, TIME, with_types_of
from lstmforecast.data.index import Frequency, check_index, continue_index, regular_grid
from lstmforecast.data.table_columns import keys_of, labels_of, opened

__all__ = ["complete_grid", "make_future"]


def complete_grid(
    df: Any, freq: Frequency = None, *, series: Any = None, time: Any = None, static: Sequence[Any] | Any = ()
) -> Any:
    """Add a row for each missing time between the first and the last of each series.

    Parameters
    ----------
    df : DataFrame
        A table of pandas, polars or pyarrow; rows in any order.
    freq : str, int, offset or None, default=None
        The frequency; None: inferred from the series with the most rows.
    series, time : label or None, default=None
        Names of columns, as in `LSTMForecaster.fit`; without ``series``, the table is one series.
    static : label or list of labels, default=()
        Columns whose value in a series is repeated in its new rows; in other columns it is missing there.

    Returns
    -------
    DataFrame
        A table of the same library, series after series in the order of their first rows, sorted by time.

    Raises
    ------
    TypeError, ValueError
        If a name is no column, times can't be read or are not on one grid, or a time is there twice.

    Examples
    --------
    >>> days = ["2026-01-05", "2026-01-02", "2026-01-03", "2026-01-01"]
    >>> df = pd.DataFrame({"day": days, "y": range(4)})
    >>> complete_grid(df, time="day")["y"].tolist()
    [3.0, 1.0, 2.0, nan, 0.0]
    """
    frame, native, of_index = opened(df, series, time)
    series, time = keys_of(frame, of_index, series, time)
    columns = Columns((), series, time)
    repeated = list(labels_of("static", static, list(frame.columns)))
    if keys := [label for label in repeated if label in (series, time)]:
        raise ValueError(f"expected static to name columns beside series and times, got {keys}")
    origin = native(series, time)
    frame, index = columns.ordered(frame, "the table")
    frame = frame.copy(deep=False)
    frame[time] = index.get_level_values(-1)
    groups = [frame] if series is None else [part for _, part in frame.groupby([series], sort=False, observed=True)]
    if origin is not None:
        # other libraries keep the type of a column with missing values
        kept = [label for label in frame if label not in (series, time)]
        groups = [part.astype(dict.fromkeys(kept, object)) for part in groups]
    step = _step([pd.Index(part[time]) for part in groups], freq)
    parts = [_completed(part, series, time, step, repeated) for part in groups]
    made = pd.concat(parts, ignore_index=True)
    if origin is None:
        return made
    for label in kept:
        made[label] = made[label].where(made[label].notna(), None)
    return with_types_of(df, origin.give_back(made))


def make_future(
    data: Any,
    horizon: int | None = None,
    *,
    series: Any = None,
    time: Any = None,
    freq: Frequency = None,
    calendar: str | Sequence[str] | None = None,
) -> Any:
    """Make a table of the steps after the end of each series, to be filled with what is known in advance.

    Parameters
    ----------
    data : LSTMForecaster or DataFrame
        A fitted forecaster, whose data had times, or a table of pandas, polars or pyarrow.
    horizon : int or None, default=None
        Steps; None: as many as the forecaster was trained on.
    series, time : label or None, default=None
        Names of columns of a table, as in `LSTMForecaster.fit`; a forecaster knows its own.
    freq : str, int, offset or None, default=None
        The frequency of a table; None: inferred from the series with the most rows.
    calendar : "auto", list of str or None, default=None
        Features of the calendar to add, as in `lstmforecast.calendar.calendar_features`. A forecaster with the
        parameter ``calendar`` makes its own, and needs none of them.

    Returns
    -------
    DataFrame
        Series and times under their names, and the features of the calendar.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        For a forecaster before `fit`.
    TypeError, ValueError
        If a name is no column, times can't be read or are not on one grid, or a forecaster's data had no times.

    Examples
    --------
    >>> df = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=9), "y": range(9)})
    >>> make_future(df, 2, time="day", calendar=["month"])[["day", "month_sin"]]
             day  month_sin
    0 2026-01-10        0.0
    1 2026-01-11        0.0
    """
    horizon = plain(horizon)
    if hasattr(data, "get_params"):
        if (series, time, freq) != (None, None, None):
            raise ValueError("expected series, time and freq for a table only, as a forecaster knows its own")
        index, freq, (series, time), origin = _after_forecaster(data, horizon)
    else:
        index, freq, (series, time), origin = _after_table(data, horizon, series, time, freq)
    made = index.to_frame(index=False)
    made.columns = pd.Index([time] if series is None else [series, time], tupleize_cols=False)
    if calendar is not None:
        features = calendar_features(index.get_level_values(-1), freq, calendar)
        if clash := [label for label in made if label in features]:
            raise ValueError(f"expected series and time under other names than features of the calendar, got {clash}")
        made = pd.concat([made, features.reset_index(drop=True)], axis=1)
    return made if origin is None else origin.give_back(made)


def _after_forecaster(forecaster: Any, horizon: int | None) -> tuple[pd.Index, Frequency, tuple[Any, Any], Any]:
    """The steps after the data of a forecaster, their frequency, the names of series and times, and the library."""
    check_is_fitted(forecaster)
    fitted = forecaster.fitted_
    observations, columns = fitted.dataset.observations, fitted.dataset.columns
    index = observations.future_index(fitted.read_steps(horizon))
    if index is None:
        raise TypeError("expected a forecaster of data with times, got one of an array")
    if columns is not None:
        return index, observations.freq, (columns.series, columns.time), columns.origin
    usual = (SERIES, TIME)[-index.nlevels :]
    names = [name if name is not None else other for name, other in zip(index.names, usual, strict=True)]
    series, time = [None, *names][-2:]
    return index, observations.freq, (series, time), observations.form.origin


def _after_table(
    table: Any, horizon: Any, series: Any, time: Any, freq: Frequency
) -> tuple[pd.Index, Frequency, tuple[Any, Any], Any]:
    """As `_after_forecaster`, for the rows of a table."""
    if not isinstance(horizon, int) or isinstance(horizon, bool) or horizon < 1:
        raise ValueError(f"expected horizon to be a number of steps from 1 for a table, got {horizon!r}")
    frame, native, of_index = opened(table, series, time)
    series, time = keys_of(frame, of_index, series, time)
    origin = native(series, time)
    frame, rows = Columns((), series, time).ordered(frame, "the table")
    times = rows.get_level_values(-1)
    groups = {None: times} if series is None else {key: times[at] for key, at in _places(frame[series]).items()}
    freq = _step(list(groups.values()), freq)
    ahead = [continue_index(each, freq, horizon) for each in groups.values()]
    index = ahead[0].append(ahead[1:])
    if series is not None:
        keys = pd.Index(list(groups), tupleize_cols=False).repeat(horizon)
        index = pd.MultiIndex.from_arrays([keys, index])
    return index, freq, (series, time), origin


def _places(series: pd.Series[Any]) -> dict[Any, Any]:
    """The rows of each series, in the order of their first rows."""
    codes, keys = pd.factorize(series)
    return {key: codes == i for i, key in enumerate(keys)}


def _step(indexes: list[pd.Index], freq: Frequency) -> Frequency:
    """The frequency of series, found from the longest."""
    longest = max(indexes, key=len)
    check_index(longest, "the table")
    return regular_grid(longest, freq, "the table")[1]


def _completed(part: pd.DataFrame, series: Any, time: Any, freq: Frequency, static: list[Any]) -> pd.DataFrame:
    times = pd.Index(part[time])
    title = "the table" if series is None else f"series {part[series].tolist()[0]!r} of the table"
    grid, _ = regular_grid(times, freq, title)
    full = part.set_axis(times).reindex(grid)
    full[time] = grid
    for label in [*([] if series is None else [series]), *static]:
        if part[label].nunique(dropna=False) > 1:
            raise ValueError(f"expected one value of static column {label!r} in {title}, got several")
        full[label] = part[label].iloc[[0]].repeat(len(grid)).set_axis(grid)
    return full
