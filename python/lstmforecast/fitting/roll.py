"""Forecasts of a trained network: from the ends of all series, from any row, and beyond the network's horizon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.data.dataset import Dataset
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.ensemble import Ensemble
from lstmforecast.fitting.finite import require_finite_forecasts

Array = NDArray[np.float64]
# Windows in one call of the network.
BATCH = 1024


def forecast(
    model: _core.Model | Ensemble, dataset: Dataset, steps: int, X: Any = None, n_threads: int | None = None
) -> Array:
    """Forecast the steps after the end of each series: the parameters (n_series, steps, k, p) of a distribution."""
    windows, future = ends_of(model, dataset, steps, X)
    lowest, parts = dataset.lowest(windows.shape[1]), []
    for at in range(0, len(windows), BATCH):
        each = slice(at, at + BATCH)
        scales, least = (None if array is None else array[each] for array in (dataset.scales, lowest))
        parts.append(roll(model, windows[each], future[each], n_threads, scales, least)[:, :steps])
    found = parts[0] if len(parts) == 1 else np.concatenate(parts)
    require_finite_forecasts(found, model, dataset, future=future)
    return found


def forecast_origins(
    model: _core.Model | Ensemble,
    dataset: Dataset,
    origins: NDArray[np.int64],
    steps: int,
    which: NDArray[np.int64] | None = None,
    n_threads: int | None = None,
) -> Array:
    """Forecast ``steps`` from the rows before each origin of one series, or of those ``which`` of a panel: the
    parameters (n_origins, steps, k, p).
    """
    horizon = model.config["horizon"]
    if steps == horizon or (steps < horizon and not dataset.covariates.n_known):
        which = which if dataset.starts is not None else None
        found = model.forecast_series(dataset.table, origins, n_threads, dataset.starts, dataset.scales, which)
        found = parameters_of(found)[:, :steps]
        places = np.zeros(len(origins), np.int64) if which is None else which
        require_finite_forecasts(found, model, dataset, (places, origins))
        return found
    which = np.zeros(len(origins), np.int64) if which is None else which
    n_read, size = steps_read(model.config, steps), model.config["window_size"]
    lowest = dataset.lowest(size, which, origins)
    after = dataset.features_ahead(n_read - steps) if n_read > steps else None
    parts = []
    for start in range(0, len(origins), BATCH):
        each = slice(start, start + BATCH)
        windows, future = dataset.around(which[each], origins[each], size, n_read, after)
        scales = None if dataset.scales is None else dataset.scales[which[each]]
        least = None if lowest is None else lowest[each]
        found = roll(model, windows, future, n_threads, scales, least)[:, :steps]
        require_finite_forecasts(found, model, dataset, (which[each], origins[each]), future)
        parts.append(found)
    return np.concatenate(parts)


def steps_read(config: Mapping[str, Any], steps: int) -> int:
    """The steps whose known features the network reads to forecast ``steps``: whole multiples of its horizon.

    Its first forecasts are therefore the same for every number of steps.
    """
    horizon: int = config["horizon"]
    return -(-steps // horizon) * horizon if config["n_known"] else steps


def ends_of(model: _core.Model | Ensemble, dataset: Dataset, steps: int, X: Any) -> tuple[Array, Array]:
    """The last windows (n_series, window_size, k + m) of all series, and features after them of the steps that are read
    (n_series, n_read, m); see `steps_read`.
    """
    config = model.config
    future = dataset.features_ahead(steps_read(config, steps), X, config["horizon"])
    return dataset.windows(config["window_size"]), future


def first_inputs(model: _core.Model | Ensemble, windows: Array, future: Array) -> Array:
    """Windows as the network reads them: with the features of the horizon, if some are known in advance."""
    config = model.config
    if not config["n_known"]:
        return windows
    later = np.full((len(windows), config["horizon"], windows.shape[2]), np.nan)
    later[:, :, config["n_targets"] :] = future[:, : config["horizon"]]
    return np.concatenate([windows, later], axis=1)


def roll(
    model: _core.Model | Ensemble,
    windows: Array,
    future: Array,
    n_threads: int | None = None,
    scales: Array | None = None,
    lowest: Array | None = None,
) -> Array:
    """Forecast from windows (n, window_size, k + m) and the features of the steps ahead (n, steps, m), nan where
    unknown; if some are known in advance, these are all steps that are read (`steps_read`).

    Steps beyond the horizon of the model are forecast from its own forecasts, not below the ``lowest`` (n, k), as the
    network never saw such values. Returns (n, steps, k, p), the network's, of which some may be lower.
    """
    config, steps = model.config, future.shape[1]
    size, horizon, n_targets = config["window_size"], config["horizon"], config["n_targets"]
    n_after = horizon if config["n_known"] else 0
    rows = windows
    if n_after or steps > horizon:
        later = np.full((len(windows), -(-steps // horizon) * horizon, windows.shape[2]), np.nan)
        later[:, :steps, n_targets:] = future
        rows = np.concatenate([windows, later], axis=1)
    parts = []
    for start in range(0, steps, horizon):
        shown = np.ascontiguousarray(rows[:, start : start + size + n_after])
        parts.append(parameters_of(model.forecast(shown, n_threads, scales)))
        if start + horizon < steps:
            own = mean(config["distribution"], parts[-1])
            own = own if lowest is None else np.maximum(own, lowest[:, np.newaxis])
            rows[:, start + size : start + size + horizon, :n_targets] = own
    return (parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))[:, :steps]


def parameters_of(forecast: Array) -> Array:
    """Parameters (n, horizon, k, p): a point forecast (n, horizon, k) has one."""
    return forecast if forecast.ndim == 4 else forecast[..., np.newaxis]
