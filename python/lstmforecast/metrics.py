"""Scores of forecasts, quantiles and intervals: each takes arrays or DataFrames and returns the mean over variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.data.frames import refuse_labels
from lstmforecast.uncertainty.calibration import check_probabilities

__all__ = [
    *("bias", "coverage", "crps", "interval_score", "mae", "mape", "mase", "mse", "pinball", "rmse", "rmsse", "smape"),
    "wape",
]


def __dir__() -> list[str]:
    return __all__


def mae(y_true: Any, y_pred: Any) -> float:
    """Mean absolute error, in the data's units.

    Parameters
    ----------
    y_true, y_pred : array-like, Series or DataFrame of the same shape
        Truth and forecast, (n,), (n, k) or (windows, horizon, k); all values count alike.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes or columns differ, or a value is missing or infinite.

    Examples
    --------
    >>> mae([1.0, 2.0, 4.0], [2.0, 2.0, 2.0])
    1.0
    """
    return _scores(y_true, y_pred)["mae"]


def mse(y_true: Any, y_pred: Any) -> float:
    """Mean squared error, in squares of the data's units.

    Parameters
    ----------
    y_true, y_pred : array-like, Series or DataFrame of the same shape
        As for `mae`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As for `mae`.

    Examples
    --------
    >>> mse([1.0, 2.0, 4.0], [2.0, 2.0, 1.0])
    3.33
    """
    return _scores(y_true, y_pred)["mse"]


def rmse(y_true: Any, y_pred: Any) -> float:
    """Root of the mean squared error, in the data's units.

    Parameters
    ----------
    y_true, y_pred : array-like, Series or DataFrame of the same shape
        As for `mae`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As for `mae`.

    Examples
    --------
    >>> rmse([1.0, 2.0], [4.0, 5.0])
    3.0
    """
    return _scores(y_true, y_pred)["rmse"]


def smape(y_true: Any, y_pred: Any) -> float:
    """Symmetric mean absolute percentage error in percent, 0 to 200: the mean of ``200 |y - f| / (|y| + |f|)``.

    Two zeros count as no error. The M4 competition's definition.

    Parameters
    ----------
    y_true, y_pred : array-like, Series or DataFrame of the same shape
        As for `mae`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As for `mae`.

    Examples
    --------
    >>> smape([1.0, 2.0, 4.0], [2.0, 2.0, 2.0])
    44.44
    """
    return _scores(y_true, y_pred)["smape"]


def mape(y_true: Any, y_pred: Any) -> float:
    """Mean absolute percentage error in percent: the mean of ``100 |y - f| / |y|``.

    Parameters
    ----------
    y_true, y_pred : array-like, Series or DataFrame of the same shape
        As for `mae`; no true value may be 0.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As for `mae`, and for a true value of 0.

    Examples
    --------
    >>> mape([1.0, 2.0, 4.0], [2.0, 2.0, 2.0])
    50.0
    """
    truth, forecast = _pair(y_true, y_pred)
    if (zeros := int((truth == 0).sum())) > 0:
        raise ValueError(f"expected no 0 in y_true for a percentage error, got {zeros}; use wape, smape or mase")
    return 100 * float((np.abs(truth - forecast) / np.abs(truth)).mean())


def wape(y_true: Any, y_pred: Any) -> float:
    """Weighted absolute percentage error in percent: ``100 sum |y - f| / sum |y|``.

    Single values may be 0. The normalised deviation of Salinas et al. (2020), DeepAR, is this over 100.

    Parameters
    ----------
    y_true, y_pred : array-like, Series or DataFrame of the same shape
        As for `mae`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As for `mae`, and if all true values are 0.

    Examples
    --------
    >>> wape([0.0, 2.0, 4.0], [1.0, 2.0, 2.0])
    50.0
    """
    truth, forecast = _pair(y_true, y_pred)
    total = np.abs(truth).sum()
    if total == 0:
        raise ValueError("expected a value other than 0 in y_true for a percentage error, got zeros only; use mae")
    return 100 * float(np.abs(truth - forecast).sum() / total)


def bias(y_true: Any, y_pred: Any) -> float:
    """Mean error, forecast minus truth, in the data's units: above 0 where forecasts are too high.

    Parameters
    ----------
    y_true, y_pred : array-like, Series or DataFrame of the same shape
        As for `mae`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As for `mae`.

    Examples
    --------
    >>> bias([1.0, 2.0, 4.0], [2.0, 2.0, 6.0])
    1.0
    """
    truth, forecast = _pair(y_true, y_pred)
    return float((forecast - truth).mean())


def mase(y_true: Any, y_pred: Any, y_train: Any, season_length: int = 1) -> float:
    """Mean absolute error divided by that of the seasonal naive forecast on the training data: below 1 is better.

    Parameters
    ----------
    y_true, y_pred : array-like, Series or DataFrame of the same shape
        Truth and forecast, (n,), (n, k) or (windows, horizon, k).
    y_train : array-like, Series or DataFrame of shape (n_train,) or (n_train, k)
        The rows before the test set.
    season_length : int, default=1
        Steps of a season.

    Returns
    -------
    float
        The mean over the variables of ``mae / mean |y_train[t] - y_train[t - season_length]|``; nan where the training
        data repeats itself exactly from season to season.

    Raises
    ------
    ValueError
        If shapes or columns differ, a value is missing or infinite, or the training data is not longer than a season.

    References
    ----------
    Hyndman and Koehler (2006), Another look at measures of forecast accuracy.

    Examples
    --------
    >>> mase([5.0, 6.0], [5.0, 8.0], y_train=[1.0, 2.0, 3.0, 4.0])
    1.0
    """
    errors, train = _errors_and_train(y_true, y_pred, y_train)
    return float(np.mean(np.abs(errors).mean(axis=0) / naive_scale(train, season_length)))


def rmsse(y_true: Any, y_pred: Any, y_train: Any, season_length: int = 1) -> float:
    """Root of the mean squared error divided by that of the seasonal naive forecast on the training data.

    Squares are averaged over the variables before the root. The M5 competition uses ``season_length=1``.

    Parameters
    ----------
    y_true, y_pred, y_train, season_length
        As for `mase`.

    Returns
    -------
    float
        nan where the training data repeats itself exactly from season to season.

    Raises
    ------
    ValueError
        As for `mase`.

    References
    ----------
    Hyndman and Koehler (2006). Makridakis et al. (2022), the M5 competition.

    Examples
    --------
    >>> rmsse([5.0, 6.0], [5.0, 8.0], y_train=[1.0, 2.0, 3.0, 4.0])
    1.41
    """
    errors, train = _errors_and_train(y_true, y_pred, y_train)
    return float(np.sqrt(np.mean((errors / naive_scale(train, season_length, power=2)) ** 2)))


def _errors_and_train(y_true: Any, y_pred: Any, y_train: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Errors and training data of each variable: (n, k) and (n_train, k)."""
    truth, forecast = _pair(y_true, y_pred)
    train = _finite(y_train, "y_train")
    n_columns = truth.shape[-1] if truth.ndim > 1 else 1
    if train.ndim > 2 or train.size % n_columns or (train.ndim == 2 and train.shape[1] != n_columns):
        raise ValueError(f"expected y_train of shape (n, {n_columns}) as y_true has columns, got {train.shape}")
    return (truth - forecast).reshape(-1, n_columns), train.reshape(-1, n_columns)


def pinball(y_true: Any, y_pred: Any, alpha: float) -> float:
    """Mean pinball loss of forecast quantiles, in the data's units; half the MAE for a median.

    Parameters
    ----------
    y_true, y_pred : array-like, Series or DataFrame of the same shape
        Truth and forecast quantile, (n,), (n, k) or (windows, horizon, k); all values count alike.
    alpha : float
        The level of the quantile: the probability that the truth is at most as high.

    Returns
    -------
    float
        As `sklearn.metrics.mean_pinball_loss`.

    Raises
    ------
    TypeError, ValueError
        As for `mae`; also if ``alpha`` is no number between 0 and 1.

    References
    ----------
    Koenker and Bassett (1978), Regression quantiles.

    Examples
    --------
    >>> pinball([1.0, 2.0, 4.0], [2.0, 2.0, 2.0], alpha=0.9)
    0.633
    """
    truth, quantile = _pair(y_true, y_pred)
    return float(pinball_losses(truth, quantile, _probability("alpha", alpha)).mean())


def crps(y_true: Any, quantiles: Any, levels: Any) -> float:
    """Continuous ranked probability score of forecasts given by quantiles: twice the mean of their pinball losses.

    An approximation that improves with the number of levels, which should be evenly spread. With 0.05, 0.10, ...,
    0.95 it is 5 percent above the score of the whole distribution (for correct forecasts of normal, Laplace and
    uniform values), with 0.01, ..., 0.99 one percent: compare scores from the same levels only.

    Parameters
    ----------
    y_true : array-like, Series or DataFrame
        Truth, (n,), (n, k) or (windows, horizon, k).
    quantiles : array-like or DataFrame of the shape of ``y_true`` and one more axis, (..., n_levels)
        For one variable as `LSTMForecaster.predict_quantiles` returns them; for k variables
        ``predicted.to_numpy().reshape(n, k, -1)``.
    levels : list of float of length n_levels
        Their levels.

    Returns
    -------
    float
        In the data's units; the absolute error for a point forecast.

    Raises
    ------
    TypeError, ValueError
        If the shapes don't fit, a value is missing or infinite, or a level isn't between 0 and 1.

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation.

    Examples
    --------
    >>> crps([1.0, 2.0], quantiles=[[0.0, 1.0, 2.0], [1.0, 1.0, 2.0]], levels=[0.25, 0.5, 0.75])
    0.417
    """
    truth, forecast = _finite(y_true, "y_true"), _finite(quantiles, "quantiles")
    alphas = np.array(check_probabilities("levels", levels))
    if forecast.shape != (*truth.shape, len(alphas)):
        raise ValueError(f"expected quantiles of shape {(*truth.shape, len(alphas))}, got {forecast.shape}")
    return float(2 * pinball_losses(truth[..., np.newaxis], forecast, alphas).mean())


def coverage(y_true: Any, lower: Any, upper: Any) -> float:
    """Share of true values inside their interval, bounds included: 0 to 1.

    Parameters
    ----------
    y_true, lower, upper : array-like, Series or DataFrame of the same shape
        Truth and bounds, (n,), (n, k) or (windows, horizon, k); all values count alike.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As for `mae`; also if a lower bound is above the upper one.

    Examples
    --------
    >>> coverage([1.0, 2.0, 4.0], lower=[0.0, 0.0, 0.0], upper=[2.0, 2.0, 2.0])
    0.667
    """
    truth, low, high = _bounds(y_true, lower, upper)
    return float(((low <= truth) & (truth <= high)).mean())


def interval_score(y_true: Any, lower: Any, upper: Any, coverage: float) -> float:
    """Mean interval score, in the data's units: width plus ``2 / (1 - coverage)`` times the distance of a miss.

    Lower is better: narrow intervals with few misses. Also called the Winkler score.

    Parameters
    ----------
    y_true, lower, upper
        As in `coverage`.
    coverage : float
        The nominal coverage of the intervals.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        As in `coverage`; also if ``coverage`` is no number between 0 and 1.

    References
    ----------
    Winkler (1972). Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation.

    Examples
    --------
    >>> interval_score([1.0, 2.5], lower=[0.0, 0.0], upper=[2.0, 2.0], coverage=0.8)
    4.5
    """
    truth, low, high = _bounds(y_true, lower, upper)
    return float(interval_losses(truth, low, high, _probability("coverage", coverage)).mean())


def pinball_losses(
    truth: NDArray[np.float64], quantile: NDArray[np.float64], alpha: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """The pinball loss of each value."""
    error = truth - quantile
    return np.maximum(alpha * error, (alpha - 1) * error)


def interval_losses(
    truth: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64], coverage: float
) -> NDArray[np.float64]:
    """The interval score of each value."""
    outside = np.maximum(np.maximum(lower - truth, truth - upper), 0.0)
    return upper - lower + 2 / (1 - coverage) * outside


def naive_scale(train: NDArray[np.float64], season_length: int, power: int = 1) -> NDArray[np.float64]:
    """Mean absolute seasonal difference of each column of ``train`` (n, k), by which `mase` divides; nan for 0.

    With ``power=2`` the root of the mean square, by which `rmsse` divides.
    """
    if not 1 <= season_length < len(train):
        raise ValueError(
            f"expected a season_length from 1 to {len(train) - 1} (rows of y_train - 1), got {season_length}"
        )
    scale = (np.abs(train[season_length:] - train[:-season_length]) ** power).mean(axis=0) ** (1 / power)
    # differences of the size of rounding errors count as zero
    return np.where(scale > 1e-12 * np.abs(train).max(axis=0), scale, np.nan)


def _scores(y_true: Any, y_pred: Any) -> dict[str, float]:
    truth, forecast = _pair(y_true, y_pred)
    return _core.metrics(truth.ravel(), forecast.ravel())


def _pair(y_true: Any, y_pred: Any, name: str = "y_pred") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if isinstance(y_true, pd.DataFrame) and isinstance(y_pred, pd.DataFrame) and list(y_true) != list(y_pred):
        raise ValueError(f"expected {name} with the columns of y_true, {list(y_true)}, got {list(y_pred)}")
    truth, forecast = _finite(y_true, "y_true"), _finite(y_pred, name)
    if truth.shape != forecast.shape:
        raise ValueError(f"expected {name} of the shape of y_true, {truth.shape}, got {forecast.shape}")
    return truth, forecast


def _bounds(
    y_true: Any, lower: Any, upper: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    (truth, low), (_, high) = _pair(y_true, lower, "lower"), _pair(y_true, upper, "upper")
    if (low > high).any():
        raise ValueError(f"expected lower bounds at most as high as the upper ones, got {(low > high).sum()} above")
    return truth, low, high


def _probability(name: str, value: Any) -> float:
    if np.ndim(value):
        raise TypeError(f"expected {name} to be a number, got {value!r}")
    return check_probabilities(name, value)[0]


def _finite(values: Any, name: str) -> NDArray[np.float64]:
    refuse_labels(values, name)
    array = np.ascontiguousarray(values, dtype=np.float64)
    if not array.size:
        raise ValueError(f"expected at least one value in {name}, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"expected finite values in {name}, got {int((~np.isfinite(array)).sum())} that are not")
    return array
