"""Losses of two models at the same times, one of each for a row or a cutoff: the input of `compare`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.frames import refuse_labels
from lstmforecast.evaluation.backtest_result import BacktestResult, in_usual_names
from lstmforecast.evaluation.rolling import Origins
from lstmforecast.evaluation.scoring import MODEL, methods_at

Array = NDArray[np.float64]
Loss = str | Callable[[Array, Array], Any]

LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "squared": lambda truth, forecast: (truth - forecast) ** 2,
    "absolute": lambda truth, forecast: np.abs(truth - forecast),
}


class PairedLosses(NamedTuple):
    """Losses of both models, in time order.

    Parameters
    ----------
    a, b : ndarray of shape (n,)
        Finite.
    times : Index of shape (n,)
        Their times; of a backtest, its cutoffs.
    overlap : int
        How many forecasts of a backtest share steps with one of them, itself included; 1 for other input.
    """

    a: Array
    b: Array
    times: pd.Index
    overlap: int


def read_losses(a: Any, b: Any, truth: Any, loss: Loss) -> PairedLosses:
    """The losses of the arguments of `lstmforecast.compare`."""
    measure = measure_of(loss)
    if isinstance(a, BacktestResult) and isinstance(b, str):
        b = _other_of(a, b)
    if isinstance(a, BacktestResult) or isinstance(b, BacktestResult):
        if not (isinstance(a, BacktestResult) and isinstance(b, BacktestResult)):
            raise TypeError(f"expected two results of backtest, got {type(a).__name__} and {type(b).__name__}")
        if truth is not None:
            raise ValueError("expected truth=None with results of backtest, which contain it, got a truth")
        return _of_backtests(a, b, measure)
    first, second = _numbers(a, "a"), _numbers(b, "b")
    _check_alike(a, b, "b")
    if truth is not None:
        known = _numbers(truth, "truth")
        _check_alike(a, truth, "truth")
        first, second = (_losses(measure, known, forecast) for forecast in (first, second))
    elif loss != "squared":
        raise ValueError(f"expected truth with loss={loss!r}, as a and b are losses without it, got None")
    index = a.index if isinstance(a, pd.Series | pd.DataFrame) else pd.RangeIndex(len(first))
    return _rows(first, second, index)


def _of_backtests(a: BacktestResult, b: BacktestResult, measure: Callable[[Array, Array], Any]) -> PairedLosses:
    """A loss for each common cutoff: the mean over series, steps and variables that both have."""
    tables = [in_usual_names(result, result.forecasts.drop(columns=[*result.others])) for result in (a, b)]
    keys = [name for name in tables[0].columns if name not in ("truth", "forecast")]
    if list(tables[0].columns) != list(tables[1].columns):
        raise ValueError("expected backtests of the same data, got one of a panel and one of a single series")
    tables = [table.astype({"variable": object}) for table in tables]
    both = tables[0].merge(tables[1].drop(columns="truth"), on=keys, suffixes=("_a", "_b"))
    if both.empty:
        raise ValueError("expected backtests that forecast the same steps, got no step that is in both")
    truth = both["truth"].to_numpy(float)
    losses = pd.DataFrame({side: _losses(measure, truth, both[f"forecast_{side}"].to_numpy(float)) for side in "ab"})
    means = losses.dropna().groupby(both["cutoff"]).mean()
    strides = np.diff(a.origins)[np.diff(a.which) == 0]
    stride = int(np.median(strides)) if len(strides) else 1
    return PairedLosses(means["a"].to_numpy(), means["b"].to_numpy(), means.index, -(-a.values.shape[1] // stride))


def _other_of(result: BacktestResult, name: str) -> BacktestResult:
    """The backtest with the forecasts of another of its methods; a ValueError for an unknown name."""
    origins, horizon = Origins(result.which, result.origins), result.values.shape[1]
    methods = methods_at(result.values, result.observations, origins, result.season_length, result.others)
    rest = [method for method in methods if method != MODEL]
    if name not in rest:
        raise ValueError(f"expected b to be one of {rest}, the other methods of the backtest, got {name!r}")
    return replace(result, values=np.stack([methods[name](step) for step in range(horizon)], axis=1))


def measure_of(loss: Loss) -> Callable[[Array, Array], Any]:
    """The function of truth and forecast for a name; a ValueError for an unknown name."""
    if callable(loss):
        return loss
    if loss not in LOSSES:
        raise ValueError(
            f"expected loss to be one of {tuple(LOSSES)} or a function of truth and forecast, got {loss!r}"
        )
    return LOSSES[loss]


def _losses(measure: Callable[[Array, Array], Any], truth: Array, forecast: Array) -> Array:
    losses = np.asarray(measure(truth, forecast), float)
    if losses.shape != truth.shape:
        raise ValueError(f"expected loss to return losses of shape {truth.shape}, got {losses.shape}")
    return losses


def _numbers(values: Any, name: str) -> Array:
    refuse_labels(values, name)
    if isinstance(values, pd.Series | pd.DataFrame):
        array = values.to_numpy(dtype=float, na_value=np.nan)
    else:
        array = np.asarray(values, dtype=float)
    if not array.ndim:
        raise ValueError(f"expected {name} of shape (n,), (n, k) or (n, horizon, k), got a single number")
    if np.isinf(array).any():
        row = int(np.argwhere(np.isinf(array))[0][0])
        got = f"{int(np.isinf(array).sum())} infinite ones, the first in row {row}"
        raise ValueError(f"expected finite or missing values in {name}, got {got}")
    return array


def _check_alike(a: Any, other: Any, name: str) -> None:
    if np.shape(a) != np.shape(other):
        raise ValueError(f"expected {name} of the shape of a, {np.shape(a)}, got {np.shape(other)}")
    labelled = pd.Series | pd.DataFrame
    if isinstance(a, labelled) and isinstance(other, labelled) and not a.index.equals(other.index):
        raise ValueError(f"expected {name} with the index of a, got another: use reindex or align")
    if isinstance(a, pd.DataFrame) and isinstance(other, pd.DataFrame) and list(a) != list(other):
        raise ValueError(f"expected {name} with the columns of a, {list(a)}, got {list(other)}")


def _rows(a: Array, b: Array, index: pd.Index) -> PairedLosses:
    """Means over all axes but the first, of values known in both; rows without a known value are left out."""
    known = ~(np.isnan(a) | np.isnan(b)).reshape(len(a), -1)
    number = known.sum(axis=1)
    kept = number > 0
    means = [np.where(known, side.reshape(len(a), -1), 0.0).sum(axis=1)[kept] / number[kept] for side in (a, b)]
    return PairedLosses(means[0], means[1], index[kept], 1)
