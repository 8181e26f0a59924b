"""Naive forecasts, and scores of point forecasts, summed step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.observations import Observations
from lstmforecast.evaluation.rolling import Origins
from lstmforecast.metrics import naive_scale

MODEL, REPEAT_LAST, SEASONAL_NAIVE = METHODS = ("LSTMForecaster", "repeat-last", "seasonal-naive")
SCORES = ("MAE", "MSE", "RMSE", "sMAPE", "MASE")
# scores of panels, whose series have different sizes, also have RMSSE
PANEL_SCORES = (*SCORES, "RMSSE")

Array = NDArray[np.float64]


def carried(observations: Observations) -> Array:
    """The last known value at each row, or the first one of its series: the input of naive forecasts."""
    if not np.isnan(observations.values).any():
        return observations.values
    which = np.repeat(np.arange(observations.n_series), observations.lengths)
    return pd.DataFrame(observations.values).groupby(which).ffill().groupby(which).bfill().to_numpy()


def naive_forecast(
    values: Array, rows: NDArray[np.int64], season: int | NDArray[np.int64], step: int | NDArray[np.int64]
) -> Array:
    """The last season before each row, repeated; ``season=1`` is the last value.

    Parameters
    ----------
    values : ndarray of shape (n, k)
        Known values.
    rows : ndarray of int of shape (n_origins,) or (n_origins, 1)
        Where forecasts begin.
    season : int or ndarray of int of the shape of ``rows``
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
    forecast: Array = values[rows - season + step % season]
    return forecast


def seasons_at(origins: NDArray[np.int64], season: int) -> NDArray[np.int64]:
    """The season that seasonal-naive can repeat from each origin: 1 where the rows before are fewer than a season."""
    return np.where(origins >= season, season, 1)


class PointScores(NamedTuple):
    """Scores over all steps, for each step, and for each series; None for one."""

    overall: pd.DataFrame
    by_step: pd.DataFrame
    by_series: pd.DataFrame | None


class Divisors(NamedTuple):
    """Divisors of the errors at each origin, for MAE and MSE, for MASE, and for RMSSE: (n_origins, k)."""

    deviation: Array
    absolute: Array
    squared: Array


def methods_at(
    forecasts: Array, observations: Observations, origins: Origins, season: int, others: Mapping[str, Array]
) -> dict[str, Callable[[int], Array]]:
    """The forecasts (n_origins, k) of each method at a step, from 0: ours, the two naive ones, and others."""
    values = carried(observations)
    rows, seasons = origins.first_rows(observations), seasons_at(origins.rows, season)
    methods: dict[str, Callable[[int], Array]] = {
        MODEL: lambda step: forecasts[:, step],
        REPEAT_LAST: lambda step: naive_forecast(values, rows, 1, step),
        SEASONAL_NAIVE: lambda step: naive_forecast(values, rows, seasons, step),
    }
    return methods | {name: lambda step, found=found: found[:, step] for name, found in others.items()}


def point_scores(
    forecasts: Array,
    observations: Observations,
    origins: Origins,
    season: int,
    deviation: Array,
    others: Mapping[str, Array] | None = None,
) -> PointScores:
    """Score forecasts (n_origins, horizon, k), ordered series after series, naive ones and those of ``others``.

    ``deviation`` (n_series, k) is the divisor of errors for MAE, MSE and RMSE. Steps are scored one after the
    other, to make no array of the size of all forecasts.
    """
    truth, rows = observations.truth, origins.first_rows(observations)
    methods = methods_at(forecasts, observations, origins, season, others or {})
    series, begins = np.unique(origins.series, return_index=True)
    divisors = Divisors(deviation[origins.series], *scales_at(observations, origins, season))
    # step, method, series, sum
    sums = np.array(
        [
            [_sums(truth[rows + step], forecast(step), divisors, begins) for forecast in methods.values()]
            for step in range(forecasts.shape[1])
        ]
    )
    names = PANEL_SCORES if observations.is_panel else SCORES
    by_series = None
    if observations.is_panel:
        by_series = _table(sums.sum(axis=0).swapaxes(0, 1), observations.series_keys[series], names, list(methods))
    return PointScores(
        pd.DataFrame(_means(sums.sum(axis=(0, 2)))[:, : len(names)], index=list(methods), columns=list(names)),
        _table(sums.sum(axis=2), pd.RangeIndex(1, len(sums) + 1, name="step"), names, list(methods)),
        by_series,
    )


def scales_at(observations: Observations, origins: Origins, season: int) -> tuple[Array, Array]:
    """Divisors of MASE and RMSSE at each origin (n_origins, k): errors of seasonal-naive before the test set."""
    values = carried(observations)
    begins = np.unique(origins.series, return_index=True)[1]
    counts = np.diff(np.append(begins, len(origins)))
    each = []
    for row, origin in zip(origins.take(begins).first_rows(observations), origins.rows[begins], strict=True):
        train = values[row - origin : row]
        lag = season if season < origin else 1
        unknown = np.full(values.shape[1], np.nan)
        each.append([naive_scale(train, lag, power) if lag < origin else unknown for power in (1, 2)])
    absolute, squared = np.repeat(np.array(each), counts, axis=0).swapaxes(0, 1)
    return absolute, squared


def _sums(truth: Array, forecast: Array, divisors: Divisors, begins: NDArray[np.intp]) -> Array:
    """Sum the absolute, squared, symmetric relative, scaled and squared scaled errors (n_origins, k) of each series
    where the truth is known; count them, and those with a divisor: (n_series, 7).
    """
    known = ~np.isnan(truth)
    judged = known & ~np.isnan(divisors.absolute)
    error = np.where(known, np.abs(truth - forecast), 0.0)
    size = np.where(known, np.abs(truth) + np.abs(forecast), 0.0)
    share = np.divide(error, size, out=np.zeros_like(error), where=size != 0)
    standardised = error / divisors.deviation
    scaled, rooted = (np.where(judged, error / each, 0.0) for each in divisors[1:])
    sums = (standardised, standardised**2, 200 * share, scaled, rooted**2, known, judged)
    return np.stack([np.add.reduceat(each.sum(axis=1), begins) for each in sums], axis=-1)


def _means(sums: Array) -> Array:
    """Divide sums (..., 7) by their counts: (..., 6) in the order of `PANEL_SCORES`."""
    with np.errstate(invalid="ignore"):
        mae, mse, smape = np.moveaxis(sums[..., :3] / sums[..., 5:6], -1, 0)
        mase, msse = np.moveaxis(sums[..., 3:5] / sums[..., 6:], -1, 0)
    return np.stack([mae, mse, np.sqrt(mse), smape, mase, np.sqrt(msse)], axis=-1)


def _table(sums: Array, index: pd.Index, names: tuple[str, ...], methods: list[str]) -> pd.DataFrame:
    """Scores of sums (n, methods, 7): a row for each, columns of score and forecast."""
    means = _means(sums)[..., : len(names)].transpose(0, 2, 1)
    columns = pd.MultiIndex.from_product([names, methods], names=["score", "forecast"])
    return pd.DataFrame(means.reshape(len(sums), -1), index=index, columns=columns)
