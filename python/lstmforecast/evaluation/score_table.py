"""Scores of a backtest by fold, series, step and variable: one flat table with all measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.observations import Observations
from lstmforecast.evaluation.rolling import Origins
from lstmforecast.evaluation.scoring import METHODS, Array, methods_at, scales_at
from lstmforecast.metrics import interval_losses

GROUPS = ("fold", "series", "step", "variable")


@dataclass(frozen=True, match_args=False)
class Forecasts(Protocol):
    """What is read of a `BacktestResult`, with its meaning there."""

    season_length: int
    observations: Observations
    origins: NDArray[np.int64]
    values: Array
    coverages: Sequence[float]
    all_bounds: Array | None
    crps: Array | None
    which: NDArray[np.int64]
    fold: NDArray[np.int64]
    deviation: Array
    others: Mapping[str, Array]


def score_table(result: Forecasts, *by: str) -> pd.DataFrame:
    """See `BacktestResult.scores_by`."""
    groups, keys = _groups(result, by)
    observations, season = result.observations, result.season_length
    origins, n_steps = Origins(result.which, result.origins), result.values.shape[1]
    truth = observations.truth[origins.rows_forecast(observations, n_steps)]
    deviation = result.deviation[origins.series, np.newaxis]
    absolute, squared = (scale[:, np.newaxis] for scale in scales_at(observations, origins, season))

    def mean(values: Array) -> Array:
        known = ~np.isnan(values)
        total, number = (np.bincount(groups[known], weights, len(keys)) for weights in (values[known], None))
        means: Array = np.divide(total, number, out=np.full(len(keys), np.nan), where=number > 0)
        return means

    parts = []
    for name, at in methods_at(result.values, observations, origins, season, result.others).items():
        forecast = np.stack([at(step) for step in range(n_steps)], axis=1)
        error = np.where(np.isnan(truth), np.nan, forecast - truth)
        size, both = np.abs(truth), np.abs(truth) + np.abs(forecast)
        squares = mean((error / deviation) ** 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = mean(np.abs(error) / size)
            scores = {
                "MAE": mean(np.abs(error) / deviation),
                "MSE": squares,
                "RMSE": np.sqrt(squares),
                "bias": mean(error / deviation),
                "WAPE": 100 * mean(np.abs(error)) / mean(size),
                "MAPE": 100 * np.where(np.isfinite(relative), relative, np.nan),
                "sMAPE": mean(np.where(both == 0, 0.0, 200 * np.abs(error) / both)),
                "MASE": mean(np.abs(error) / absolute),
                "RMSSE": np.sqrt(mean((error / squared) ** 2)),
            }
        for score, values in _quantile_scores(result, name, truth, deviation).items():
            scores[score] = mean(values)
        parts.append(keys.assign(forecast=name, **scores))
    table = pd.concat(parts, ignore_index=True)
    # group after group, the methods below one another
    order = np.arange(len(table)).reshape(len(parts), len(keys)).T.ravel()
    return table.iloc[order].reset_index(drop=True)


def _groups(result: Forecasts, by: tuple[str, ...]) -> tuple[NDArray[np.intp], pd.DataFrame]:
    """The number of the group of each value (n_origins, horizon, k), and the labels of each group."""
    for name in by:
        if name not in GROUPS:
            raise ValueError(f"expected groups out of {GROUPS}, got {name!r}")
    if len(set(by)) < len(by):
        raise ValueError(f"expected each group once, got {by}")
    if "series" in by and not result.observations.is_panel:
        raise ValueError("expected no group 'series' for a backtest of one series, got one")
    _, horizon, width = result.values.shape
    codes = {
        "fold": result.fold[:, np.newaxis, np.newaxis],
        "series": result.which[:, np.newaxis, np.newaxis],
        "step": np.arange(1, horizon + 1)[:, np.newaxis],
        "variable": np.arange(width),
    }
    each = [np.broadcast_to(codes[name], result.values.shape).ravel() for name in by]
    rows = np.stack(each, axis=-1) if each else np.zeros((result.values.size, 0), int)
    found, groups = np.unique(rows, axis=0, return_inverse=True)
    labels = pd.DataFrame({name: found[:, i] for i, name in enumerate(by)}, index=range(len(found)))
    if "series" in by:
        labels["series"] = result.observations.series_keys[labels["series"]]
    if "variable" in by:
        labels["variable"] = result.observations.form.variables(width)[labels["variable"]]
    return groups.reshape(result.values.shape), labels


def _quantile_scores(result: Forecasts, name: str, truth: Array, deviation: Array) -> dict[str, Array]:
    """Scores of the intervals and quantiles of a method: (n_origins, horizon, k) each; none of other forecasters."""
    if name not in METHODS:
        return {}
    scores, method, unknown = {}, METHODS.index(name), np.isnan(truth)
    for i, coverage in enumerate(result.coverages):
        assert result.all_bounds is not None
        lower, upper = result.all_bounds[method, 2 * i : 2 * i + 2]
        with np.errstate(invalid="ignore"):
            inside = np.where(unknown, np.nan, (lower <= truth) & (truth <= upper))
        label = f"{100 * coverage:g}"
        scores[f"coverage-{label}"] = inside
        scores[f"width-{label}"] = np.where(unknown, np.nan, upper - lower) / deviation
        scores[f"interval score-{label}"] = interval_losses(truth, lower, upper, coverage) / deviation
    if result.crps is not None:
        scores["CRPS"] = np.where(unknown, np.nan, result.crps[method])
    return scores
