"""Errors of point forecasts: arrays, Series or DataFrames in, one number out, several variables averaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast import _core

__all__ = ["mae", "mase", "mse", "rmse", "smape"]


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
    """Mean squared error, in squared units; parameters and errors as for `mae`.

    Examples
    --------
    >>> mse([1.0, 2.0, 4.0], [2.0, 2.0, 1.0])
    3.33
    """
    return _scores(y_true, y_pred)["mse"]


def rmse(y_true: Any, y_pred: Any) -> float:
    """Root of the mean squared error, in the data's units; parameters and errors as for `mae`.

    Examples
    --------
    >>> rmse([1.0, 2.0], [4.0, 5.0])
    3.0
    """
    return _scores(y_true, y_pred)["rmse"]


def smape(y_true: Any, y_pred: Any) -> float:
    """Symmetric mean absolute percentage error in percent, 0 to 200: the mean of ``200 |y - f| / (|y| + |f|)``.

    Two zeros count as no error. The M4 competition's definition; parameters and errors as for `mae`.

    Examples
    --------
    >>> smape([1.0, 2.0, 4.0], [2.0, 2.0, 2.0])
    44.44
    """
    return _scores(y_true, y_pred)["smape"]


def mase(y_true: Any, y_pred: Any, y_train: Any, season_length: int = 1) -> float:
    """Mean absolute error over that of the seasonal naive forecast of the training data: below 1 is better than it.

    Parameters
    ----------
    y_true, y_pred : array-like, Series or DataFrame of the same shape
        Truth and forecast, (n,), (n, k) or (windows, horizon, k).
    y_train : array-like, Series or DataFrame of shape (n_train,) or (n_train, k)
        What came before.
    season_length : int, default=1
        Steps after which a season comes again.

    Returns
    -------
    float
        The mean over the variables of ``mae / mean |y_train[t] - y_train[t - season_length]|``; nan where the training
        data repeats itself exactly.

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
    truth, forecast = _pair(y_true, y_pred)
    train = _finite(y_train, "y_train")
    n_columns = truth.shape[-1] if truth.ndim > 1 else 1
    if train.ndim > 2 or train.size % n_columns or (train.ndim == 2 and train.shape[1] != n_columns):
        raise ValueError(f"expected y_train of shape (n, {n_columns}) as y_true has columns, got {train.shape}")
    errors = np.abs(truth - forecast).reshape(-1, n_columns).mean(axis=0)
    return float(np.mean(errors / naive_scale(train.reshape(-1, n_columns), season_length)))


def naive_scale(train: NDArray[np.float64], season_length: int) -> NDArray[np.float64]:
    """Mean absolute seasonal difference of each column of ``train`` (n, k), by which `mase` divides; nan for 0."""
    if not 1 <= season_length < len(train):
        raise ValueError(
            f"expected a season_length from 1 to {len(train) - 1} (rows of y_train - 1), got {season_length}"
        )
    scale = np.abs(train[season_length:] - train[:-season_length]).mean(axis=0)
    # Differences of the size of rounding errors are none.
    return np.where(scale > 1e-12 * np.abs(train).max(axis=0), scale, np.nan)


def _scores(y_true: Any, y_pred: Any) -> dict[str, float]:
    truth, forecast = _pair(y_true, y_pred)
    return _core.metrics(truth.ravel(), forecast.ravel())


def _pair(y_true: Any, y_pred: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if isinstance(y_true, pd.DataFrame) and isinstance(y_pred, pd.DataFrame) and list(y_true) != list(y_pred):
        raise ValueError(f"expected y_pred with the columns of y_true, {list(y_true)}, got {list(y_pred)}")
    truth, forecast = _finite(y_true, "y_true"), _finite(y_pred, "y_pred")
    if truth.shape != forecast.shape:
        raise ValueError(f"expected y_pred of the shape of y_true, {truth.shape}, got {forecast.shape}")
    return truth, forecast


def _finite(values: Any, name: str) -> NDArray[np.float64]:
    array = np.ascontiguousarray(values, dtype=np.float64)
    if not array.size:
        raise ValueError(f"expected at least one value in {name}, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"expected finite values in {name}, got {int((~np.isfinite(array)).sum())} that are not")
    return array
