"""Other forecasters in a backtest, called as their libraries ask: regressors, fit and predict, functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

from lstmforecast.data.columns import Columns
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.observations import Observations
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.evaluation.lag_regressor import LagError, LagRegressor, forecast_from_lags
from lstmforecast.evaluation.rolling import Fold, Origins
from lstmforecast.evaluation.scoring import METHODS, Array, carried

# Forecasts the steps (horizon,) after a series.
OfSeries = Callable[["pd.Series[float]", int], Any]
Other = LSTMForecaster | LagRegressor | OfSeries
RESERVED = {*METHODS, "series", "cutoff", "time", "step", "fold", "variable", "truth", "forecast"}


def read_others(others: Any, columns: Columns | None) -> dict[str, Other]:
    """Read the argument ``others`` of `backtest`; ``columns`` are those of the user's table.

    Raises
    ------
    TypeError
        If it is no dict, or a value can't forecast.
    ValueError
        If a name is one of those of the result.
    """
    if others is None:
        return {}
    if not isinstance(others, Mapping):
        raise TypeError(f'expected others to be a dict of forecasters by name, {{"ETS": ...}}, got {others!r}')
    taken = RESERVED if columns is None else {*RESERVED, columns.series, columns.time}
    for name in others:
        if not isinstance(name, str):
            raise TypeError(f"expected names of others to be strings, got {name!r}")
        if name in taken:
            raise ValueError(f"expected a name of others that the result doesn't use, got {name!r}")
    return {name: _read(name, other) for name, other in others.items()}


def forecast_others(
    others: Mapping[str, LagRegressor | OfSeries],
    dataset: Dataset,
    origins: Origins,
    folds: list[Fold],
    horizon: int,
    season: int,
) -> dict[str, Array]:
    """The forecasts of each (n_origins, horizon, k): regressors are fitted once a fold, the others at every origin."""
    found = {}
    for name, other in others.items():
        values = np.empty((len(origins), horizon, dataset.observations.n_columns))
        for fold in folds:
            part = origins.take(fold.origins)
            if isinstance(other, LagRegressor):
                try:
                    values[fold.origins] = forecast_from_lags(other, dataset, fold, part, horizon, season)
                except LagError:
                    raise
                except Exception as error:
                    raise RuntimeError(f"{name!r} of others failed: {type(error).__name__}: {error}") from error
            else:
                values[fold.origins] = _of_each(name, other, dataset.observations, fold, part, horizon)
        if not np.isfinite(values).all():
            i, step, _ = np.argwhere(~np.isfinite(values))[0]
            where = _place(dataset.observations, origins.take(slice(i, i + 1)))
            raise ValueError(f"expected finite forecasts from {name!r}, got {values[i, step][0]} {where}")
        found[name] = values
    return found


def _read(name: str, other: Any) -> Other:
    if isinstance(other, LSTMForecaster | LagRegressor):
        return other
    if isinstance(other, type):
        raise TypeError(f"expected an object for {name!r} in others, got the class {other.__name__}: call it")
    if hasattr(other, "fit") and hasattr(other, "predict"):
        if "fh" in _arguments(other.fit):
            return lambda y, horizon: deepcopy(other).fit(y, fh=list(range(1, horizon + 1))).predict()
        if "h" in _arguments(getattr(other, "forecast", None)):
            return lambda y, horizon: deepcopy(other).forecast(y=y.to_numpy(), h=horizon)["mean"]
        if _arguments(other.fit)[:2] in (["X", "y"], ["X", "Y"]):
            _check_regressor(name, other)
            return LagRegressor(other)
        return lambda y, horizon: _fit_predict(deepcopy(other), y, horizon)
    if callable(other):
        return other  # type: ignore[no-any-return]
    raise TypeError(
        f"expected {name!r} in others to be a regressor, a forecaster with fit and predict, or a function of a series "
        f"and a horizon, got {other!r}"
    )


def _check_regressor(name: str, other: Any) -> None:
    """Raise a TypeError for a classifier and others whose predictions are labels."""
    try:
        kind = get_tags(other).estimator_type if isinstance(other, BaseEstimator) else None
    except AttributeError:
        kind = None
    if kind not in (None, "regressor"):
        raise TypeError(f"expected a regressor for {name!r} in others, got a {kind.replace('_', ' ')}: {other!r}")


def _fit_predict(other: Any, y: pd.Series[float], horizon: int) -> Any:
    other.fit(y)
    return other.predict(horizon)


def _arguments(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def _of_each(
    name: str, other: OfSeries, observations: Observations, fold: Fold, origins: Origins, horizon: int
) -> Array:
    """Forecast every series and variable by itself, from the rows of the fold and those up to the origin."""
    values, names = carried(observations), observations.form.variables(observations.n_columns)
    forecasts = np.empty((len(origins), horizon, values.shape[1]))
    starts = origins.first_rows(observations) - origins.rows + fold.start[origins.series]
    for i, (start, stop) in enumerate(zip(starts, origins.first_rows(observations), strict=True)):
        index = _with_freq(observations.times(np.arange(start, stop)), observations.freq)
        for k, label in enumerate(names):
            y = pd.Series(values[start:stop, k].copy(), index, name=label)
            try:
                found = np.asarray(other(y, horizon), float)
            except Exception as error:
                where = _place(observations, origins.take(slice(i, i + 1)))
                raise RuntimeError(f"{name!r} of others failed {where}: {type(error).__name__}: {error}") from error
            if found.size != horizon:
                raise ValueError(f"expected {horizon} forecasts from {name!r} of others, got shape {found.shape}")
            forecasts[i, :, k] = found.reshape(horizon)
    return forecasts


def _with_freq(times: pd.Index, freq: Any) -> pd.Index:
    if not isinstance(times, pd.DatetimeIndex):
        return times
    return pd.DatetimeIndex(times, freq=freq)


def _place(observations: Observations, origin: Origins) -> str:
    """Words for an origin: its series and the time of its first step."""
    row = origin.first_rows(observations)
    series = f" of series {observations.series_keys[origin.series[0]]!r}" if observations.is_panel else ""
    return f"at the origin {observations.times(row)[0]}{series}"
