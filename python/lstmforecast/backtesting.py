"""Rolling-origin evaluation: what a forecaster would have said in the past, beside what two naive forecasts say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from lstmforecast.container import Fill, Observations
from lstmforecast.forecaster import LSTMForecaster
from lstmforecast.index import season_length as usual_season
from lstmforecast.metrics import naive_scale
from lstmforecast.parameters import check_count

MODEL, REPEAT_LAST, SEASONAL_NAIVE = METHODS = ("LSTMForecaster", "repeat-last", "seasonal-naive")
SCORES = ("MAE", "MSE", "RMSE", "sMAPE", "MASE")

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class BacktestResult:
    """Scores and forecasts of a backtest.

    Attributes
    ----------
    scores : DataFrame of shape (3, 5)
        MAE, MSE, RMSE, sMAPE (percent) and MASE of the forecaster, of the last value repeated and of the last season
        repeated, over the same windows, steps and variables.
    scores_by_step : DataFrame of shape (horizon, 15)
        The same for each step; ``scores_by_step["MAE"]`` has a column for each of the three.
    forecaster : LSTMForecaster
        The fitted clone; with ``refit``, as fitted last.
    season_length : int
        Steps of the season that seasonal-naive repeats and that MASE is scaled with.
    scaled : bool
        Whether MAE, MSE and RMSE are of standardised values.
    observations : Observations
        The data.
    origins : ndarray of int of shape (n_windows,)
        The row of the first step of each window.
    values : ndarray of shape (n_windows, horizon, k)
        The forecasts.
    """

    scores: pd.DataFrame
    scores_by_step: pd.DataFrame
    forecaster: LSTMForecaster
    season_length: int
    scaled: bool
    observations: Observations
    origins: NDArray[np.int64]
    values: Array

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        """All forecasts, one in each row: cutoff, time, step (from 1), variable, truth (nan: missing), forecast."""
        n_windows, horizon, width = self.values.shape
        rows = self.origins[:, np.newaxis] + np.arange(horizon)
        labels = pd.RangeIndex(len(self.observations)) if self.observations.index is None else self.observations.index
        variable = pd.Categorical.from_codes(
            np.tile(np.arange(width), n_windows * horizon), self.observations.form.variables(width)
        )
        return pd.DataFrame(
            {
                "cutoff": labels[np.repeat(self.origins - 1, horizon * width)],
                "time": labels[np.repeat(rows.ravel(), width)],
                "step": np.tile(np.repeat(np.arange(1, horizon + 1), width), n_windows),
                "variable": variable,
                "truth": _truth(self.observations)[rows].ravel(),
                "forecast": self.values.ravel(),
            }
        )

    def __repr__(self) -> str:
        return f"{self._title()}\n{self.scores.to_string(float_format='{:.4g}'.format)}"

    def _repr_html_(self) -> str:
        return f"<p>{self._title()}</p>{self.scores.to_html(float_format='{:.4g}'.format)}"

    def _title(self) -> str:
        n_windows, horizon, width = self.values.shape
        units = "standardised values" if self.scaled else "the data's units"
        return (
            f"Backtest: {n_windows} windows x {horizon} steps x {width} {'variable' if width == 1 else 'variables'}, "
            f"season of {self.season_length}; MAE, MSE, RMSE in {units}"
        )


def backtest(
    forecaster: LSTMForecaster,
    y: Any,
    *,
    test_size: int | float = 0.2,
    stride: int = 1,
    horizon: int | None = None,
    refit: bool | int = False,
    season_length: int | None = None,
    scaled: bool = False,
) -> BacktestResult:
    """Fit a clone on the rows before the test part, then forecast from every origin in it.

    Nothing after an origin reaches its forecast: scaler, early stopping and weights see rows before the test part only.
    For that reason missing values, where the forecaster has a ``fill``, are always filled with the last value before
    them here; made-up values are no truth and are left out of the scores.

    Parameters
    ----------
    forecaster : LSTMForecaster
        Fitted or not; it is left as it is.
    y : array-like of shape (n,) or (n, k), Series or DataFrame
        Time-ordered observations.
    test_size : int or float, default=0.2
        Rows at the end to forecast, or their fraction. The first of them is the first step of the first window; the
        last window ends with the last row.
    stride : int, default=1
        Rows from one origin to the next.
    horizon : int or None, default=None
        Steps to forecast; None: the forecaster's.
    refit : bool or int, default=False
        Whether a clone is fitted again, on all rows before, at every origin, or at every ``refit``-th.
    season_length : int or None, default=None
        Steps of a season; None: the usual one of the frequency (24 for hours, 12 for months, 1 for arrays).
    scaled : bool, default=False
        Whether MAE, MSE and RMSE are of values standardised with mean and deviation of the rows trained on, as in the
        published protocol of the ETT data.

    Returns
    -------
    BacktestResult
        Prints as the table of scores.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range, no window fits into the test part, or `LSTMForecaster.fit` refuses the data.

    References
    ----------
    Zhou et al. (2021), Informer: the ETT protocol. Hyndman and Koehler (2006): MASE.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.sin(np.arange(300) * np.pi / 12)
    >>> model = LSTMForecaster(horizon=6, hidden_size=8, max_epochs=2, random_state=0)
    >>> result = backtest(model, y, test_size=30, season_length=24)
    >>> list(result.scores.index)
    ['LSTMForecaster', 'repeat-last', 'seasonal-naive']
    >>> print(round(result.scores.loc["seasonal-naive", "MAE"], 6), len(result.forecasts))
    0.0 150
    """
    if not isinstance(forecaster, LSTMForecaster):
        raise TypeError(f"expected forecaster to be an LSTMForecaster, got {type(forecaster).__name__}")
    horizon = check_count("horizon", forecaster.horizon if horizon is None else horizon)
    every = int(refit) if isinstance(refit, bool) else check_count("refit", refit)
    fill: Fill = None if forecaster.fill is None else "ffill"
    observations = Observations.read(y, freq=forecaster.freq, fill=fill)
    origins = _origins(len(observations), test_size, horizon, check_count("stride", stride))
    season = _season(season_length, observations, int(origins[0]))
    fitted: LSTMForecaster = clone(forecaster)
    values = np.concatenate(list(_forecasts(fitted, observations, origins, horizon, every)))
    deviation = _deviation(fitted, observations, origins, scaled)
    scores, by_step = _score(values, observations, origins, season, deviation)
    return BacktestResult(scores, by_step, fitted, season, bool(scaled), observations, origins, values)


def _origins(n_rows: int, test_size: Any, horizon: int, stride: int) -> NDArray[np.int64]:
    if isinstance(test_size, bool) or not isinstance(test_size, int | float | np.integer | np.floating):
        raise TypeError(f"expected test_size to be a number of rows or a fraction, got {test_size!r}")
    whole = isinstance(test_size, int | np.integer)
    if not 0 < test_size < (n_rows if whole else 1):
        raise ValueError(
            f"expected test_size to be a number of rows from 1 to {n_rows - 1} or a fraction between 0 and 1, "
            f"got {test_size!r}"
        )
    n_test = int(test_size) if whole else round(n_rows * float(test_size))
    if n_test < horizon:
        raise ValueError(f"expected a test part of at least {horizon} rows for horizon={horizon}, got {n_test}")
    return np.arange(n_rows - n_test, n_rows - horizon + 1, stride, dtype=np.int64)


def _season(season_length: int | None, observations: Observations, n_before: int) -> int:
    if season_length is not None:
        season = check_count("season_length", season_length)
        if season >= n_before:
            raise ValueError(f"expected season_length below the {n_before} rows before the test part, got {season}")
        return season
    season = usual_season(observations.freq)
    return season if season < n_before else 1


def _forecasts(
    fitted: LSTMForecaster, observations: Observations, origins: NDArray[np.int64], horizon: int, every: int
) -> Iterator[Array]:
    """Fit on the rows before each ``every``-th origin (0: the first alone) and forecast from it and those after it."""
    for start in range(0, len(origins), every or len(origins)):
        fitted.fit(observations.rows(0, int(origins[start])).container())
        batch = origins[start : start + every] if every else origins
        yield fitted._forecast_origins(observations.values, batch, horizon)


def _truth(observations: Observations) -> Array:
    if observations.filled is None:
        return observations.values
    return np.where(observations.filled, np.nan, observations.values)


def _deviation(fitted: LSTMForecaster, observations: Observations, origins: NDArray[np.int64], scaled: bool) -> Array:
    """By what MAE and the root of MSE are divided, for each variable (k,)."""
    if not scaled:
        return np.ones(observations.n_columns)
    deviation = observations.values[: fitted._training_rows(int(origins[0]))].std(axis=0)
    return np.where(deviation > 0, deviation, 1.0)


def _naive(values: Array, origins: NDArray[np.int64], season: int) -> Callable[[int], Array]:
    """The last season before each origin, repeated; ``season=1`` is the last value."""
    return lambda step: values[origins - season + step % season]


def _score(
    forecasts: Array, observations: Observations, origins: NDArray[np.int64], season: int, deviation: Array
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score step after step: no array of the size of all forecasts is made."""
    values, truth = observations.values, _truth(observations)
    methods: tuple[Callable[[int], Array], ...] = (
        lambda step: forecasts[:, step],
        _naive(values, origins, 1),
        _naive(values, origins, season),
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
