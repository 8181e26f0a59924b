"""Forecasts of panels larger than memory, partition by partition, on one machine or on a cluster, with Dask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from lstmforecast.contract.seeds import draw_seed
from lstmforecast.data.columns import FORECAST
from lstmforecast.data.frames import SERIES, TIME
from lstmforecast.data.index import match_index
from lstmforecast.estimators.containers import in_containers
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.fitting.parameters import check_count

try:
    import dask.dataframe as dd
    from dask.delayed import delayed
except ImportError as error:
    raise ImportError('lstmforecast.dask needs Dask: pip install "lstmforecast[dask]"') from error

__all__ = ["forecast", "sample"]


def __dir__() -> list[str]:
    return __all__


def forecast(
    ddf: dd.DataFrame, model: LSTMForecaster, horizon: int | None = None, *, known: Any = None
) -> dd.DataFrame:
    """Forecast the steps after the end of each series of a partitioned panel.

    Only the names of the series are computed at once, as each series must be in one partition; forecasts are computed
    when the result is used. A worker loads one partition for each of its threads.

    Parameters
    ----------
    ddf : dask.dataframe.DataFrame
        In columns ``unique_id`` (or in the index), ``ds`` and values, the rows of a series in any order; or in the
        columns that were named at `fit`. For instance ``dask.dataframe.read_parquet("panel/")``.
    model : LSTMForecaster
        Fitted on a panel, such as a `sample`: on a table with named columns, or without covariates except calendar and
        holidays.
    horizon : int or None, default=None
        Number of steps; None: as many as the model was trained for.
    known : DataFrame of pandas or dask, or None, default=None
        Where columns were named at `fit`: the covariates of the steps ahead of all series, as in
        `LSTMForecaster.predict`. It is sent to every worker.

    Returns
    -------
    dask.dataframe.DataFrame
        In columns ``unique_id``, ``ds`` and values, or as `LSTMForecaster.predict` returns them where columns were
        named, with the partitions of ``ddf``; ``forecast(...).to_parquet("forecasts/")`` writes each as it is computed.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model isn't fitted.
    TypeError, ValueError
        If it was fitted on one series or with covariates, columns are missing, or a series is in several partitions.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> times = pd.date_range("2026-01-01", periods=60, freq="D")
    >>> panel = pd.DataFrame({"unique_id": np.repeat(["a", "b"], 60), "ds": np.tile(times, 2), "y": np.arange(120.0)})
    >>> model = LSTMForecaster(2, window_size=7, hidden_size=4, max_epochs=1, random_state=0).fit(panel)
    >>> parts = dd.from_pandas(panel.set_index("unique_id"), npartitions=2)
    >>> forecasts = forecast(parts, model).compute(scheduler="sync")
    >>> print(forecasts[["unique_id", "ds"]].to_string(index=False))
    unique_id         ds
            a 2026-03-02
            a 2026-03-03
            b 2026-03-02
            b 2026-03-03
    """
    _check_model(model)
    horizon = None if horizon is None else check_count("horizon", horizon)
    if model.fitted_.dataset.columns is not None:
        return _forecast_named(ddf, model, horizon, known)
    if known is not None:
        raise ValueError("expected no known for a model whose columns were not named at fit, got one")
    columns = _with_names(ddf)
    values = _values(columns, model)
    _check_partitions(columns, SERIES)
    kinds = columns.dtypes
    narrow = all(kinds[name] == np.float32 for name in values)
    types = {SERIES: kinds[SERIES], TIME: _time_type(kinds[TIME], model)} | dict.fromkeys(
        values, np.dtype("f4" if narrow else "f8")
    )
    meta = pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in types.items()})
    # one copy for each worker, not one in each task
    parts: dd.DataFrame = columns[list(types)].map_partitions(_forecast_part, delayed(model), horizon, meta=meta)
    return parts


def _forecast_named(ddf: dd.DataFrame, model: LSTMForecaster, horizon: int | None, known: Any) -> dd.DataFrame:
    """`forecast` of a model whose columns were named at `fit`."""
    columns = model.fitted_.dataset.columns
    assert columns is not None
    series, time = columns.series, columns.time
    frame = _as_frame(ddf, series)
    needed = [series, time, *columns.target, *columns.known, *columns.past]
    absent = [label for label in needed if label not in frame.columns]
    if absent:
        raise ValueError(f"expected ddf with the columns {needed} of fit, got none named {absent}")
    _check_partitions(frame, series)
    if isinstance(known, dd.DataFrame):
        # dask's methods are not typed
        of_dask: Any = known
        known = of_dask.compute()
    kinds = frame.dtypes
    width = np.float32 if all(kinds[name] == np.float32 for name in columns.target) else float
    types = {series: kinds[series], time: _time_type(kinds[time], model, time)}
    types |= dict.fromkeys(columns.names_of_results([FORECAST]), width)
    meta = pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in types.items()})
    rows: Any = frame
    parts: dd.DataFrame = rows.map_partitions(_named_part, delayed(model), horizon, delayed(known), types, meta=meta)
    return parts


def _named_part(
    part: pd.DataFrame, model: LSTMForecaster, horizon: int | None, known: pd.DataFrame | None, types: dict[str, Any]
) -> pd.DataFrame:
    if part.empty:
        return pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in types.items()})
    series = next(iter(types))
    own = known if known is None or series not in known else known[known[series].isin(part[series].unique())]
    forecasts: pd.DataFrame = model.predict(horizon, context=part, known=own)
    return forecasts.astype(types)


def sample(ddf: dd.DataFrame, n_series: int, random_state: Any = None) -> pd.DataFrame:
    """Draw whole series of a partitioned panel, to fit a model that then forecasts all of them.

    Parameters
    ----------
    ddf : dask.dataframe.DataFrame
        As in `forecast`.
    n_series : int
        Number of series; all, if there are fewer.
    random_state : int, RandomState, Generator or None, default=None
        Seed.

    Returns
    -------
    DataFrame
        In columns ``unique_id``, ``ds`` and values, sorted by series and time.

    Raises
    ------
    TypeError, ValueError
        If ``n_series`` is not a number above 0, or the columns aren't those of a panel.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> ids = [f"shop {i}" for i in range(100)]
    >>> panel = pd.DataFrame({"unique_id": ids, "ds": pd.Timestamp("2026-01-01"), "y": 1.0})
    >>> drawn = sample(dd.from_pandas(panel, npartitions=4), 3, random_state=0)
    >>> drawn["unique_id"].nunique()
    3
    """
    columns = _with_names(ddf)
    ids = _ids(columns).drop_duplicates().sort_values()
    n = min(check_count("n_series", n_series), len(ids))
    drawn = set(ids.sample(n, random_state=draw_seed(random_state)))
    part: Any = columns
    return _sorted(part.map_partitions(_of_series, drawn, meta=columns._meta).compute())


def _of_series(part: pd.DataFrame, ids: set[Any]) -> pd.DataFrame:
    return part[part[SERIES].isin(ids)]


def _forecast_part(part: pd.DataFrame, model: LSTMForecaster, horizon: int | None) -> pd.DataFrame:
    values = part.columns.drop([SERIES, TIME])
    types = part.dtypes.to_dict() | {name: np.float32 if part[name].dtype == np.float32 else float for name in values}
    types[TIME] = _time_type(types[TIME], model)
    if part.empty:
        return part.astype(types)
    index = _sorted(part).set_index([SERIES, TIME])
    forecasts: pd.DataFrame = in_containers(model)[0].predict(horizon, context=index).reset_index()
    return forecasts.astype(types)


def _time_type(kind: Any, model: LSTMForecaster, time: Any = TIME) -> Any:
    """The type of the times in the time zone of the model; a TypeError if only one of both has a zone."""
    times, known = pd.Index(pd.Series([], dtype=kind)), model.fitted_.dataset.observations.times(np.zeros(1, np.int64))
    if not (isinstance(times, pd.DatetimeIndex) and isinstance(known, pd.DatetimeIndex)):
        return kind
    return match_index(known, times, "ddf", f"{{0}}.assign({time}={{0}}[{time!r}].dt.tz_localize({{1!r}}))").dtype


def _sorted(panel: pd.DataFrame) -> pd.DataFrame:
    return panel.sort_values([SERIES, TIME], ignore_index=True)


def _with_names(ddf: Any) -> dd.DataFrame:
    frame = _as_frame(ddf, SERIES)
    if not {SERIES, TIME} < set(frame.columns):
        raise ValueError(f"expected columns {SERIES}, {TIME} and values, got {list(frame.columns)}")
    return frame


def _as_frame(ddf: Any, series: Any) -> dd.DataFrame:
    """The frame with the names of series in a column."""
    if not isinstance(ddf, dd.DataFrame):
        raise TypeError(f"expected ddf to be a dask DataFrame, got {type(ddf).__name__}")
    return ddf.reset_index() if ddf.index.name == series else ddf


def _check_partitions(columns: dd.DataFrame, series: Any) -> None:
    """Raise a ValueError if the rows of a series are in several partitions."""
    ids = _ids(columns, series)
    twice = ids[ids.duplicated()]
    if len(twice):
        raise ValueError(
            f"expected every series in one partition, got {len(twice.unique())} in several, such as "
            f"{twice.iloc[0]!r}; bring them together with ddf.shuffle({series!r}) or ddf.set_index({series!r})"
        )


def _ids(columns: dd.DataFrame, series: Any = SERIES) -> pd.Series:
    """The names of the series of each partition, one partition after the other."""
    kind = columns.dtypes[series]
    ids: pd.Series = (
        columns[series]
        .map_partitions(lambda part: part.drop_duplicates(), meta=pd.Series([], dtype=kind, name=series))
        .compute()
    )
    return ids


def _values(columns: dd.DataFrame, model: LSTMForecaster) -> list[str]:
    """The columns to forecast, in the order of the model."""
    there = [name for name in columns.columns if name not in (SERIES, TIME)]
    wanted = list(getattr(model, "feature_names_in_", there))
    missing = [name for name in wanted if name not in there]
    if missing:
        raise ValueError(f"expected the columns that the model was fitted on, {wanted}, got {there}")
    return wanted


def _check_model(model: Any) -> None:
    if not isinstance(model, LSTMForecaster):
        raise TypeError(f"expected model to be an LSTMForecaster, got {type(model).__name__}")
    check_is_fitted(model)
    if not model.fitted_.dataset.observations.is_panel:
        raise ValueError("expected a model that was fitted on a panel, got one of one series")
    covariates = model.fitted_.dataset.covariates
    if model.fitted_.dataset.columns is not None:
        return
    if covariates.past is not None or covariates.known is not None or covariates.static is not None:
        raise ValueError(
            "expected a model that was fitted on a table with named columns, or without X, X_past and static, got one "
            "with covariates"
        )
