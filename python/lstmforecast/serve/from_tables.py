"""The windows of a request, made from the tables that a forecaster reads."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lstmforecast.data.columns import Columns
from lstmforecast.data.grid import complete_grid
from lstmforecast.data.index import continue_index
from lstmforecast.data.table_columns import opened
from lstmforecast.estimators.containers import columns_of
from lstmforecast.estimators.estimator import require_fitted
from lstmforecast.estimators.forecaster import LSTMForecaster


def request_windows(forecaster: LSTMForecaster, context: Any, *, known: Any = None) -> list[dict[str, Any]]:
    """Make the ``windows`` of a request to ``POST /predict`` from the tables of `LSTMForecaster.predict`.

    Missing rows are added, with ``null`` in every column that isn't static. Each window has the last rows of its
    series, as many as the network reads.

    Parameters
    ----------
    forecaster : LSTMForecaster
        Fitted on a table with named columns.
    context : DataFrame
        The last rows of one series or more, with the columns of `fit`.
    known : DataFrame or None, default=None
        The columns that are known in advance, for the steps ahead: at least the forecaster's horizon.

    Returns
    -------
    list of dict
        A window for each series, of values that JSON has: ``json={"windows": request_windows(...)}``.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        Before `fit`.
    TypeError
        If the forecaster was fitted without names of columns.
    ValueError
        If a column is missing, or ``known`` lacks a step ahead.

    Examples
    --------
    >>> import pandas as pd
    >>> from lstmforecast.serve import request_windows
    >>> df = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=60), "sales": range(60)})
    >>> model = LSTMForecaster(2, window_size=4, hidden_size=4, max_epochs=1, random_state=0)
    >>> model = model.fit(df, target="sales", time="day")
    >>> request_windows(model, df)
    [{'times': [...'2026-03-01T00:00:00'], 'values': [[56], [57], [58], [59]]}]
    """
    require_fitted(forecaster)
    columns = columns_of(forecaster)
    if columns is None:
        raise TypeError(
            "expected a forecaster that was fitted on a table with named columns, got one without: make its windows "
            "of values and times"
        )
    past = [*columns.target, *columns.known, *columns.past, *columns.static]
    grid = complete_grid(context, forecaster.freq_, series=columns.series, time=columns.time, static=columns.static)
    rows = _by_series(grid, past, columns, "context")
    if not columns.known:
        if known is not None:
            raise ValueError("expected known=None for a forecaster without columns that are known in advance")
        return [_window(forecaster, columns, part, None, name) for name, part in rows.items()]
    if known is None:
        raise ValueError(f"expected known with the columns {list(columns.known)} of the steps ahead, got None")
    ahead = _by_series(known, list(columns.known), columns, "known")
    if lacking := [name for name in rows if name not in ahead]:
        raise ValueError(f"expected known to have the steps ahead of series {lacking[0]!r}, got none")
    return [_window(forecaster, columns, part, ahead[name], name) for name, part in rows.items()]


def _by_series(table: Any, labels: list[Any], columns: Columns, name: str) -> dict[Any, pd.DataFrame]:
    """The columns of each series of a table of any library, with its times as index, in their order."""
    frame, _, _ = opened(table, columns.series, columns.time)
    keys = [columns.time] if columns.series is None else [columns.series, columns.time]
    if missing := [label for label in [*keys, *labels] if label not in frame]:
        raise ValueError(f"expected {name} to have the columns {[*keys, *labels]}, got none named {missing[0]!r}")
    frame, index = columns.ordered(frame, name)
    frame = frame.set_axis(index.get_level_values(-1))
    if columns.series is None:
        return {None: frame[labels]}
    return {key: part[labels] for key, part in frame.groupby(frame[columns.series].to_numpy(), sort=False)}


def _window(
    forecaster: LSTMForecaster, columns: Columns, rows: pd.DataFrame, ahead: pd.DataFrame | None, name: Any
) -> dict[str, Any]:
    rows = rows.iloc[-forecaster.window_size_ :]
    window: dict[str, Any] = {} if columns.series is None else {"series": str(name)}
    if isinstance(rows.index, pd.DatetimeIndex):
        window["times"] = [time.isoformat() for time in rows.index]
    window["values"] = [list(row) for row in zip(*(_plain(rows[label]) for label in columns.target), strict=True)]
    if ahead is not None:
        steps = continue_index(rows.index, forecaster.freq_, forecaster.horizon)
        if lacking := steps.difference(ahead.index).tolist():
            of = "" if columns.series is None else f" of series {name!r}"
            raise ValueError(f"expected known to have the {len(steps)} steps ahead{of}, got none for {lacking[0]}")
        ahead = ahead.loc[steps]
        window["known"] = {str(label): _plain(rows[label]) + _plain(ahead[label]) for label in columns.known}
    if columns.past:
        window["past"] = {str(label): _plain(rows[label]) for label in columns.past}
    if columns.static:
        window["static"] = {str(label): _plain(rows[label].iloc[-1:])[0] for label in columns.static}
    return window


def _plain(values: pd.Series[Any]) -> list[Any]:
    """Values that JSON has; what is missing is None."""
    return [None if gone else value for value, gone in zip(values.tolist(), values.isna(), strict=True)]
