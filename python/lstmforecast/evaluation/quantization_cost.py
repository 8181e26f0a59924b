"""File size, latency and error of an estimator before and after quantisation, on the user's data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.estimators.newer_rows import NewerRows
from lstmforecast.export.quantization import DTYPES

if TYPE_CHECKING:
    from lstmforecast.estimators.estimator import LSTMEstimator

BATCH = 256
# Calls of each estimator. Estimators are called in turn, so that other load on the machine affects all equally.
CALLS = 40

# A function that forecasts the first n windows, and one that returns the error of all.
Trial = tuple[Callable[[int], object], Callable[[], float]]


def quantization_report(estimator: LSTMEstimator, *data: Any, dtypes: Sequence[str] = DTYPES) -> pd.DataFrame:
    """Compare a fitted estimator with its quantised copies, on data that it wasn't fitted to.

    Parameters
    ----------
    estimator : LSTMForecaster, LSTMRegressor or LSTMClassifier
        A fitted one, not quantised.
    *data : array-like, Series or DataFrame
        The arguments of `fit`: ``y`` and perhaps ``X``, ``X_past``, ``static`` for a forecaster, else ``X, y``.
    dtypes : sequence of {"int8", "bf16"}
        Types to compare.

    Returns
    -------
    DataFrame
        A row for ``float32`` and for each of ``dtypes``. ``file_bytes``: the size of the file that `save` writes.
        ``one_us``, ``batch_us``: median microseconds of a forecast of one window and of up to 256 (the network and its
        scalers, without pandas). ``error``: the mean squared error, in units of the variance of each column of ``y``,
        of up to 2,000 evenly spread forecasts of a whole horizon; of a classifier the log loss.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        Before `fit`.
    TypeError, ValueError
        As in `fit`; also if there are fewer rows than a window and a horizon, or the estimator is quantised already.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import LSTMForecaster, quantization_report
    >>> y = np.sin(np.arange(400) / 5)
    >>> forecaster = LSTMForecaster(3, window_size=20, hidden_size=64, max_epochs=1, random_state=0).fit(y[:300])
    >>> report = quantization_report(forecaster, y[300:])
    >>> list(report.columns), list(report.index)
    (['file_bytes', 'one_us', 'batch_us', 'error'], ['float32', 'int8', 'bf16'])
    >>> bool(report.loc["int8", "file_bytes"] < report.loc["float32", "file_bytes"] / 2)
    True
    """
    check_is_fitted(estimator)
    if estimator.quantized_ is not None:
        raise ValueError(f"expected an estimator that isn't quantised, got one of {estimator.quantized_}")
    each = {"float32": estimator} | {dtype: estimator.quantize(dtype) for dtype in dtypes}
    trial = _trial_of_series if isinstance(estimator, LSTMForecaster) else _trial_of_rows
    trials: dict[str, Trial] = {name: trial(one, *data) for name, one in each.items()}
    table = pd.DataFrame({"file_bytes": {name: _file_size(one) for name, one in each.items()}})
    for column, n in (("one_us", 1), ("batch_us", BATCH)):
        table[column] = _medians({name: call for name, (call, _) in trials.items()}, n)
    table["error"] = [error() for _, error in trials.values()]
    return table


def _file_size(estimator: LSTMEstimator) -> int:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        estimator.save(path)
        return path.stat().st_size


def _medians(calls: dict[str, Callable[[int], object]], n: int) -> pd.Series:
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(CALLS):
        for name, call in calls.items():
            start = time.perf_counter()
            call(n)
            seconds[name].append(time.perf_counter() - start)
    return pd.DataFrame(seconds).median() * 1e6


def _trial_of_series(
    forecaster: LSTMForecaster, y: Any, X: Any = None, X_past: Any = None, static: Any = None
) -> Trial:
    rows = NewerRows.read(forecaster.fitted_, y, X, X_past, static, missing=forecaster.missing)
    truth, variance = rows.truth, np.nanvar(rows.dataset.observations.values, axis=0)
    n_threads = forecaster.n_threads
    return (
        lambda n: rows.forecast(n, n_threads),
        lambda: _mean_squared(truth, rows.forecast(n_threads=n_threads), variance),
    )


def _trial_of_rows(estimator: Any, X: Any, y: Any) -> Trial:
    # the estimator checks X; without columns and their names, windows are timed alone
    n_rows, truth = len(estimator.predict(X)), np.asarray(y)
    windows = np.ascontiguousarray(X, np.float64).reshape(n_rows, *estimator.model_.window_shape)
    if len(truth) != n_rows:
        raise ValueError(f"expected y with {n_rows} rows as X has, got {len(truth)}")

    def log_loss() -> float:
        codes = pd.Index(estimator.classes_).get_indexer(truth)
        if (codes < 0).any():
            raise ValueError(f"expected labels of y that fit has seen, got {truth[codes < 0][0]!r}")
        return float(-estimator.predict_log_proba(windows)[np.arange(len(codes)), codes].mean())

    def squared() -> float:
        return _mean_squared(truth.astype(np.float64), estimator.predict(windows), truth.astype(np.float64).var(axis=0))

    if is_classifier(estimator):
        return lambda n: estimator.predict_proba(windows[:n]), log_loss
    return lambda n: estimator.predict(windows[:n]), squared


def _mean_squared(truth: NDArray[np.float64], forecast: NDArray[np.float64], variance: Any) -> float:
    return float(np.nanmean((truth - forecast) ** 2 / np.where(variance > 0, variance, 1)))
