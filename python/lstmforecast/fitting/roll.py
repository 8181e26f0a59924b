"""Forecasts of a trained network: from the ends of all series, from any row, and beyond the network's horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.wall_clock import has_changes, on_clock
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.ensemble import Ensemble
from lstmforecast.fitting.finite import require_finite_forecasts

Array = NDArray[np.float64]


class Seen(NamedTuple):
    """What the network reads to forecast: windows (n, window_size, k + m), and features (n, steps, m) of the steps
    ahead, nan where unknown.

    Where clocks change, ``clock`` has the step of each row to forecast by the clock on the wall, (n, steps).
    """

    windows: Array
    future: Array
    clock: NDArray[np.int64] | None = None

    def take(self, which: Any) -> Seen:
        """Select some windows."""
        clock = None if self.clock is None else self.clock[which]
        return Seen(self.windows[which], self.future[which], clock)

    @classmethod
    def joined(cls, parts: Sequence[Seen]) -> Seen:
        """Join the windows of several forecasts of equally many steps."""
        windows = np.concatenate([part.windows for part in parts])
        if all(part.clock is None for part in parts):
            return cls(windows, np.concatenate([part.future for part in parts]))
        most = max(part.future.shape[1] for part in parts)
        later = [np.pad(each, ((0, 0), (0, most - each.shape[1]), (0, 0)), "edge") for _, each, _ in parts]
        return cls(windows, np.concatenate(later), np.concatenate([part.places for part in parts]))

    @property
    def places(self) -> NDArray[np.int64]:
        """The step of each row to forecast by the clock on the wall: (n, steps)."""
        n, steps = self.future.shape[:2]
        return np.broadcast_to(np.arange(steps), (n, steps)) if self.clock is None else self.clock


# Windows in one call of the network.
BATCH = 1024


def forecast(
    model: _core.Model | Ensemble, dataset: Dataset, steps: int, X: Any = None, n_threads: int | None = None
) -> Array:
    """Forecast the steps after the end of each series: the parameters (n_series, steps, k, p) of a distribution."""
    seen = ends_of(model, dataset, steps, X)
    lowest, parts = dataset.lowest(model.config["window_size"]), []
    for at in range(0, len(seen.windows), BATCH):
        each = slice(at, at + BATCH)
        scales, least = (None if array is None else array[each] for array in (dataset.scales, lowest))
        parts.append(roll(model, seen.take(each), n_threads, scales, least)[:, :steps])
    found = parts[0] if len(parts) == 1 else np.concatenate(parts)
    require_finite_forecasts(found, model, dataset, future=seen.future)
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
    which = np.zeros(len(origins), np.int64) if which is None or dataset.starts is None else which
    changed = _near_changes(model.config, dataset, which, origins, steps)
    if changed.all() or not changed.any():
        return _forecast_origins(model, dataset, which, origins, steps, n_threads, by_clock=bool(changed.any()))
    found = [
        _forecast_origins(model, dataset, which[each], origins[each], steps, n_threads, by_clock=by_clock)
        for each, by_clock in ((~changed, False), (changed, True))
    ]
    joined = np.empty((len(origins), *found[1].shape[1:]))
    joined[~changed], joined[changed] = found
    return joined


def _forecast_origins(
    model: _core.Model | Ensemble,
    dataset: Dataset,
    which: NDArray[np.int64],
    origins: NDArray[np.int64],
    steps: int,
    n_threads: int | None,
    *,
    by_clock: bool = False,
) -> Array:
    horizon = model.config["horizon"]
    if not by_clock and (steps == horizon or (steps < horizon and not dataset.covariates.n_known)):
        series = which if dataset.starts is not None else None
        found = model.forecast_series(dataset.table, origins, n_threads, dataset.starts, dataset.scales, series)
        found = parameters_of(found)[:, :steps]
        require_finite_forecasts(found, model, dataset, (which, origins))
        return found
    n_read, size = steps_read(model.config, steps), model.config["window_size"]
    lowest = dataset.lowest(size, which, origins)
    after = dataset.features_ahead(n_read - steps) if n_read > steps else None
    parts = []
    for start in range(0, len(origins), BATCH):
        each = slice(start, start + BATCH)
        seen = seen_from(dataset, which[each], origins[each], size, n_read, after)
        scales = None if dataset.scales is None else dataset.scales[which[each]]
        least = None if lowest is None else lowest[each]
        found = roll(model, seen, n_threads, scales, least)[:, :steps]
        require_finite_forecasts(found, model, dataset, (which[each], origins[each]), seen.future)
        parts.append(found)
    return np.concatenate(parts)


def steps_read(config: Mapping[str, Any], steps: int) -> int:
    """The steps whose known features the network reads to forecast ``steps``: whole multiples of its horizon.

    Its first forecasts are therefore the same for every number of steps.
    """
    horizon: int = config["horizon"]
    return -(-steps // horizon) * horizon if config["n_known"] else steps


def ends_of(model: _core.Model | Ensemble, dataset: Dataset, steps: int, X: Any) -> Seen:
    """The last windows of all series, and features after them of the steps that are read; see `steps_read`."""
    config = model.config
    size, n_read = config["window_size"], steps_read(config, steps)
    future = dataset.features_ahead(n_read, X, config["horizon"])
    which, ends = dataset.ends
    if not _near_changes(config, dataset, which, ends, n_read).any():
        return Seen(dataset.windows(size), future)
    return seen_from(dataset, which, ends, size, n_read, future)


def _near_changes(
    config: Mapping[str, Any], dataset: Dataset, which: NDArray[np.int64], origins: NDArray[np.int64], steps: int
) -> NDArray[np.bool_]:
    """Whether clocks change in the rows that are read and forecast, for each origin."""
    size, changed = config["window_size"], np.zeros(len(origins), bool)
    for at in range(0, len(origins), BATCH) if dataset.reads_clock(size) else ():
        each = slice(at, at + BATCH)
        clock = dataset.clock_around(which[each], origins[each], size, steps)
        changed[each] = False if clock is None else has_changes(clock)
    return changed


def seen_from(
    dataset: Dataset,
    which: NDArray[np.int64],
    origins: NDArray[np.int64],
    size: int,
    steps: int,
    after: Array | None = None,
) -> Seen:
    """What the network reads at forecast origins; the arguments are those of `Dataset.around`."""
    clock, n_more = None, dataset.rows_put_back
    if dataset.reads_clock(size):
        clock = dataset.clock_around(which, origins, size + n_more, steps)
    if clock is None or not has_changes(clock[:, n_more:]).any():
        return Seen(*dataset.around(which, origins, size, steps, after))
    windows, future = dataset.around(which, origins, size + n_more, steps, after)
    last, k = size + n_more - 1, dataset.observations.n_columns
    # in the second of two equal hours, the first one is a step to forecast and not one of the window
    base = np.minimum(clock[:, last] + 1, clock[:, last + 1])[:, np.newaxis]
    ahead = clock[:, last + 1 :] - base
    n_steps = max(steps, int(ahead.max()) + 1)
    shown = np.empty((len(windows), size, windows.shape[2]))
    later = np.empty((len(windows), n_steps, future.shape[2]))
    n_past = future.shape[2] - dataset.covariates.n_known
    for i, (rows, features, places) in enumerate(zip(windows, future, clock - base, strict=True)):
        shown[i] = on_clock(rows, places[: last + 1] + size, size)
        with_last = np.concatenate([rows[-1:, k:], features])
        later[i] = on_clock(with_last, places[last:] + 1, n_steps + 1)[1:]
        # what is known of the past only, for rows of forecasts that the last steps are forecast from
        later[i, :, :n_past] = rows[-1, k : k + n_past]
    return Seen(shown, later, ahead)


def first_inputs(model: _core.Model | Ensemble, seen: Seen) -> Array:
    """Windows as the network reads them: with the features of the horizon, if some are known in advance."""
    config, windows = model.config, seen.windows
    if not config["n_known"]:
        return windows
    later = np.full((len(windows), config["horizon"], windows.shape[2]), np.nan)
    later[:, :, config["n_targets"] :] = seen.future[:, : config["horizon"]]
    return np.concatenate([windows, later], axis=1)


def roll(
    model: _core.Model | Ensemble,
    seen: Seen,
    n_threads: int | None = None,
    scales: Array | None = None,
    lowest: Array | None = None,
) -> Array:
    """Forecast from what the network reads; if features are known in advance, their steps are those of `steps_read`.

    Steps beyond the horizon of the model are forecast from its own forecasts, not below the ``lowest`` (n, k), as the
    network never saw such values. Returns (n, steps, k, p), the network's, of which some may be lower.
    """
    if seen.clock is not None:
        return _roll_by_clock(model, seen, n_threads, scales, lowest)
    config, steps = model.config, seen.future.shape[1]
    size, horizon, n_targets = config["window_size"], config["horizon"], config["n_targets"]
    n_after = horizon if config["n_known"] else 0
    rows = seen.windows
    if n_after or steps > horizon:
        rows = _with_steps(seen, -(-steps // horizon) * horizon, n_targets)
    parts = []
    for start in range(0, steps, horizon):
        shown = np.ascontiguousarray(rows[:, start : start + size + n_after])
        parts.append(parameters_of(model.forecast(shown, n_threads, scales)))
        if start + horizon < steps:
            rows[:, start + size : start + size + horizon, :n_targets] = _read_again(config, parts[-1], lowest)
    return (parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))[:, :steps]


def _read_again(config: Mapping[str, Any], found: Array, lowest: Array | None) -> Array:
    """The values that later forecasts read."""
    own = mean(config["distribution"], found)
    return own if lowest is None else np.maximum(own, lowest[:, np.newaxis])


def _with_steps(seen: Seen, n: int, n_targets: int) -> Array:
    """Windows followed by ``n`` steps, of which the targets are nan."""
    windows, future = seen.windows, seen.future[:, :n]
    later = np.full((len(windows), n, windows.shape[2]), np.nan)
    later[:, : future.shape[1], n_targets:] = future
    return np.concatenate([windows, later], axis=1)


def _roll_by_clock(
    model: _core.Model | Ensemble, seen: Seen, n_threads: int | None, scales: Array | None, lowest: Array | None
) -> Array:
    """`roll` where clocks change: windows of the same steps by the clock on the wall together."""
    patterns, which = np.unique(seen.places, axis=0, return_inverse=True)
    groups = [np.flatnonzero(which.ravel() == i) for i in range(len(patterns))]
    parts = []
    for rows, places in zip(groups, patterns, strict=True):
        own, least = (None if each is None else each[rows] for each in (scales, lowest))
        parts.append(_roll_steps(model, seen.take(rows), places, n_threads, own, least))
    return np.concatenate(parts)[np.argsort(np.concatenate(groups))]


def _roll_steps(
    model: _core.Model | Ensemble,
    seen: Seen,
    places: NDArray[np.int64],
    n_threads: int | None,
    scales: Array | None,
    lowest: Array | None,
) -> Array:
    """Forecast the same steps by the clock on the wall, ``places``, from all windows.

    Each pass of the network is for the same rows as where clocks don't change, so that the first forecasts are the same
    for every number of steps.
    """
    config = model.config
    size, horizon, n_targets = config["window_size"], config["horizon"], config["n_targets"]
    n_after = horizon if config["n_known"] else 0
    rows = _with_steps(seen, int(places[-1]) + 1 + horizon, n_targets)
    parts = []
    for at in range(0, len(places), horizon):
        wanted = places[at : at + horizon]
        first, end = int(min(places[at - 1] + 1, wanted[0]) if at else 0), int(wanted[-1]) + 1
        found: list[Array] = []
        n_found = first
        while n_found < end:
            # where clocks are put forward, the last rows are farther than a horizon, and forecast from forecasts
            start = min(n_found, end - horizon) if found else first
            shown = rows[:, start : start + size + n_after].copy()
            # what is known in advance of rows beyond is not read: it may not be given
            shown[:, end - start + size :, n_targets:] = rows[:, end - 1 + size : end + size, n_targets:]
            new = parameters_of(model.forecast(shown, n_threads, scales))[:, n_found - start :]
            rows[:, n_found + size : n_found + size + new.shape[1], :n_targets] = _read_again(config, new, lowest)
            found.append(new)
            n_found += new.shape[1]
        parts.append(np.concatenate(found, axis=1)[:, wanted - first])
    return np.concatenate(parts, axis=1)


def parameters_of(forecast: Array) -> Array:
    """Parameters (n, horizon, k, p): a point forecast (n, horizon, k) has one."""
    return forecast if forecast.ndim == 4 else forecast[..., np.newaxis]
