"""Naive forecasts, and the errors of point forecasts summed step after step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.container import Observations
from lstmforecast.metrics import naive_scale

MODEL, REPEAT_LAST, SEASONAL_NAIVE = METHODS = ("LSTMForecaster", "repeat-last", "seasonal-naive")
SCORES = ("MAE", "MSE", "RMSE", "sMAPE", "MASE")

Array = NDArray[np.float64]


def known_truth(observations: Observations) -> Array:
    """The values (n, k), nan where they were made up."""
    if observations.filled is None:
        return observations.values
    return np.where(observations.filled, np.nan, observations.values)


def carried(values: Array) -> Array:
    """The last value known at each row, or the first: what a naive forecast has to go by."""
    if not np.isnan(values).any():
        return values
    return pd.DataFrame(values).ffill().bfill().to_numpy()


def naive_forecast(values: Array, origins: NDArray[np.int64], season: int, step: int | NDArray[np.int64]) -> Array:
    """The last season before each origin, repeated; ``season=1`` is the last value.

    Parameters
    ----------
    values : ndarray of shape (n, k)
        What is known.
    origins : ndarray of int of shape (n_origins,) or (n_origins, 1)
        The rows at which forecasts begin.
    season : int
        Steps of a season.
    step : int or ndarray of int of shape (horizon,)
        Steps ahead, from 0.

    Returns
    -------
    ndarray of shape (n_origins, k) or (n_origins, horizon, k)

    Examples
    --------
    >>> naive_forecast(np.arange(10.0)[:, np.newaxis], np.array([6]), season=3, step=4)
    array([[4.]])
    """
    forecast: Array = values[origins - season + step % season]
    return forecast


def point_scores(
    forecasts: Array, observations: Observations, origins: NDArray[np.int64], season: int, deviation: Array
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score forecasts (n_origins, horizon, k) beside naive ones: over all steps, and for each.

    Step after step: no array of the size of all forecasts is made.
    """
    values, truth = carried(observations.values), known_truth(observations)
    methods: tuple[Callable[[int], Array], ...] = (
        lambda step: forecasts[:, step],
        lambda step: naive_forecast(values, origins, 1, step),
        lambda step: naive_forecast(values, origins, season, step),
    )
    scale = naive_scale(values[: origins[0]], season)
    sums = np.array(
        [
            [_sums(truth[origins + step], forecast(step), deviation, scale) for forecast in methods]
            for step in range(forecasts.shape[1])
        ]
    )
    by_step = pd.DataFrame(
        _means(sums).transpose(0, 2, 1).reshape(len(sums), -1),
        index=pd.RangeIndex(1, len(sums) + 1, name="step"),
        columns=pd.MultiIndex.from_product([SCORES, METHODS], names=["score", "forecast"]),
    )
    return pd.DataFrame(_means(sums.sum(axis=0)), index=list(METHODS), columns=list(SCORES)), by_step


def _sums(truth: Array, forecast: Array, deviation: Array, scale: Array) -> Array:
    """Sum the absolute, squared, symmetric relative and scaled errors (n_windows, k) with a known truth; count them."""
    known = ~np.isnan(truth)
    error = np.where(known, np.abs(truth - forecast), 0.0)
    size = np.where(known, np.abs(truth) + np.abs(forecast), 0.0)
    share = np.divide(error, size, out=np.zeros_like(error), where=size != 0)
    standardised = error / deviation
    return np.array(
        [standardised.sum(), (standardised**2).sum(), 200 * share.sum(), (error / scale).sum(), known.sum()]
    )


def _means(sums: Array) -> Array:
    """Divide sums (..., 5) by their counts, and put RMSE after MSE."""
    with np.errstate(invalid="ignore"):
        mae, mse, smape, mase = np.moveaxis(sums[..., :4] / sums[..., 4:], -1, 0)
    return np.stack([mae, mse, np.sqrt(mse), smape, mase], axis=-1)
