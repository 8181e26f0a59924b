"""The data that a forecaster has seen, with all that stands beside the targets, and forecasts from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast import _core
from lstmforecast.data.covariates import Covariates
from lstmforecast.data.index import Frequency
from lstmforecast.data.observations import Missing, Observations
from lstmforecast.data.panel import Panel
from lstmforecast.data.panel_index import is_panel
from lstmforecast.data.scalers import fit_columns
from lstmforecast.data.season import season_length
from lstmforecast.data.units import Units, guess_spreads, is_pooled, spread_of
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.ensemble import Ensemble
from lstmforecast.fitting.finite import require_finite_forecasts

Array = NDArray[np.float64]
# Windows in one call: those of many series are made batch by batch.
BATCH = 1024


def read_observations(
    y: Any, *, freq: Frequency = None, missing: Missing, like: Observations | None = None, name: str = "y"
) -> Observations:
    """Read one series or a panel, whichever it is; ``like`` must be of the same kind.

    Raises
    ------
    TypeError
        If it isn't.
    ValueError
        As `Observations.read`.
    """
    panel = is_panel(y, name)
    if like is not None and panel != like.is_panel:
        kinds = {True: "several series, by an index of (series, time)", False: "one series"}
        raise TypeError(f"expected {name} with {kinds[like.is_panel]}, as at fit, got {kinds[panel]}")
    kind = Panel if panel else Observations
    return kind.read(y, freq=freq, missing=missing, like=like, name=name)


@dataclass(frozen=True)
class Seen:
    """Observations with their features.

    Attributes
    ----------
    observations : Observations
        One series or a panel.
    features : ndarray of shape (n, m)
        What stands beside the targets: static and past features, then those known in advance.
    covariates : Covariates
        How they are made.
    sizes : ndarray of shape (n_series, 4 * k) or None
        Of the targets of each series of a panel: centres, scales, units of error, and whether errors in these units are
        pooled with those of the other series (1) or not (0); see `lstmforecast.data.units`.
    scaler : str, object or None
        What centres and scales are made with.
    transform : {"log", None}
        What is done to values before anything else.
    """

    observations: Observations
    features: Array
    covariates: Covariates
    sizes: Array | None = None
    scaler: Any = None
    transform: str | None = None

    def __post_init__(self) -> None:
        if self.transform == "log" and (self.observations.values <= -1).any():
            got = self.observations.first_of(self.observations.values <= -1)
            raise ValueError(f"expected values above -1 for transform='log', got {got}")

    @property
    def values(self) -> Array:
        """The targets, transformed: (n, k)."""
        return np.log1p(self.observations.values) if self.transform == "log" else self.observations.values

    def undo(self, values: Array) -> Array:
        """Bring transformed values, or quantiles of them, back to the data's units."""
        with np.errstate(over="ignore"):
            return np.expm1(values) if self.transform == "log" else values

    @property
    def table(self) -> Array:
        """Targets and features as the core takes them: (n, k + m)."""
        return np.hstack([self.values, self.features]) if self.features.shape[1] else self.values

    @property
    def starts(self) -> NDArray[np.int64] | None:
        """The rows at which the series of a panel begin, and the number of rows; None for one series."""
        return self.observations.starts if isinstance(self.observations, Panel) else None

    @property
    def scales(self) -> Array | None:
        """Centres, then scales, as the core takes them: (n_series, 2 * k)."""
        return None if self.sizes is None else np.ascontiguousarray(self.sizes[:, : 2 * self.observations.n_columns])

    @property
    def units(self) -> Units | None:
        """Units of error of each series of a panel."""
        if self.sizes is None:
            return None
        k = self.observations.n_columns
        # older files have none: all series are pooled
        pooled = self.sizes[:, 3 * k :] > 0 if self.sizes.shape[1] > 3 * k else np.ones((len(self.sizes), k), bool)
        return Units(self.sizes[:, 2 * k : 3 * k], pooled)

    def with_units(self, units: Units) -> Seen:
        """With other units of error."""
        assert self.scales is not None
        return replace(self, sizes=np.hstack([self.scales, units.spreads, units.pooled]))

    def sized(self, lengths: NDArray[np.int64] | None = None, like: Seen | None = None) -> Seen:
        """With the sizes of each series, where there are several: of its first ``lengths`` rows, or of all.

        Those of series that ``like`` has are taken over.
        """
        if not self.observations.is_panel:
            return self
        known = np.full(self.observations.n_series, -1)
        if like is not None and like.sizes is not None:
            known = like.observations.series_keys.get_indexer(self.observations.series_keys)
        values, season = self.values, season_length(self.observations.freq)
        starts = np.cumsum(self.observations.lengths) - self.observations.lengths
        lengths = self.observations.lengths if lengths is None else lengths
        k = values.shape[1]
        sizes = np.empty((len(known), 4 * k))
        for i in np.flatnonzero(known < 0):
            rows = values[starts[i] : starts[i] + lengths[i]]
            sizes[i] = np.concatenate([*fit_columns(self.scaler, rows), spread_of(rows, season), is_pooled(rows)])
        if like is not None and like.scales is not None and like.units is not None:
            there = known >= 0
            sizes[there] = np.hstack([like.scales, *like.units])[known[there]]
            for i in np.flatnonzero(there & (sizes[:, 3 * k :] == 0).any(axis=1)):
                # a column that was constant at fit may vary now
                spreads, pooled = sizes[i, 2 * k : 3 * k], sizes[i, 3 * k :] > 0
                now = spread_of(values[starts[i] : starts[i] + lengths[i]], season)
                sizes[i, 2 * k : 3 * k] = np.where(pooled, spreads, np.fmax(spreads, now))
        sized = replace(self, sizes=sizes)
        source = sized if like is None or like.units is None else like
        if np.isnan(sizes).any() and sized.units is not None and source.units is not None:
            guessed = guess_spreads(sized.units.spreads, self.levels, source.units, source.levels)
            sized = sized.with_units(sized.units._replace(spreads=guessed))
        return sized

    @property
    def ends(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All series, and the row of each after its last."""
        return np.arange(self.observations.n_series), np.asarray(self.observations.lengths)

    @property
    def levels(self) -> Array:
        """Mean absolute value of each series: (n_series, k)."""
        begins = np.cumsum(self.observations.lengths) - self.observations.lengths
        known = ~np.isnan(self.values)
        totals = np.add.reduceat(np.where(known, np.abs(self.values), 0.0), begins)
        levels: Array = totals / np.maximum(np.add.reduceat(known, begins, dtype=np.int64), 1)
        return levels

    def take(self, rows: NDArray[np.int64]) -> Seen:
        """Copy some rows, in their order; the sizes of series of which none is taken are dropped."""
        part = self.observations.take(rows)
        sizes = self.sizes
        if sizes is not None:
            sizes = sizes[self.observations.series_keys.get_indexer(part.series_keys)]
        return replace(self, observations=part, features=self.features[rows], sizes=sizes)

    def tail(self, n: int) -> Seen:
        """Copy the last ``n`` rows of each series, or all."""
        return self.take(self.observations.last_rows(n))

    def windows(self, size: int) -> Array:
        """The last ``size`` rows of each series: (n_series, size, k + m); nan for those before its beginning."""
        table, lengths = self.table, self.observations.lengths
        windows = np.full((len(lengths), size, table.shape[1]), np.nan)
        ends = np.cumsum(lengths)
        for window, end, length in zip(windows, ends, np.minimum(lengths, size), strict=True):
            window[size - length :] = table[end - length : end]
        return windows

    def around(
        self,
        which: NDArray[np.int64],
        origins: NDArray[np.int64],
        size: int,
        steps: int,
        after: Array | None = None,
    ) -> tuple[Array, Array]:
        """The rows before and the features after origins, which are rows of the series ``which``.

        Returns windows (n_origins, size, k + m), nan before the beginning of a series, and features
        (n_origins, steps, m), nan after its end, or those ``after`` all series (n_series, n, m).
        """
        table = self.table
        first = self.observations.row_of(which, np.zeros_like(origins))[:, np.newaxis]
        rows = first + origins[:, np.newaxis] + np.arange(-size, steps)
        around = table[np.clip(rows, 0, len(table) - 1)]
        beyond = rows - first - self.observations.lengths[which, np.newaxis]
        around[(rows < first) | (beyond >= 0)] = np.nan
        future = around[:, size:, self.observations.n_columns :]
        if after is not None:
            each, step = np.nonzero(beyond[:, size:] >= 0)
            future[each, step] = after[which[each], beyond[:, size:][each, step]]
        return around[:, :size], future

    def extended(
        self, y: Any, X: Any = None, X_past: Any = None, static: Any = None, missing: Missing = "error"
    ) -> tuple[Seen, NDArray[np.int64]]:
        """Append newer rows, and say which they are."""
        joined = self.observations.extended(y, missing=missing)
        newer = joined.rows_after(self.observations)
        features = np.empty((len(joined), self.features.shape[1]))
        older = np.ones(len(joined), bool)
        older[newer] = False
        features[older] = self.features
        features[newer] = self.covariates.of(joined.take(newer), X, X_past, static)
        extended = replace(self, observations=joined, features=features, sizes=None)
        return extended.sized(like=self), newer


def forecast(
    model: _core.Model | Ensemble, seen: Seen, steps: int, X: Any = None, n_threads: int | None = None
) -> Array:
    """Forecast the steps after the end of each series: the parameters (n_series, steps, k, p) of a distribution."""
    windows, future = ends_of(model, seen, steps, X)
    parts = []
    for at in range(0, len(windows), BATCH):
        scales = None if seen.scales is None else seen.scales[at : at + BATCH]
        parts.append(roll(model, windows[at : at + BATCH], future[at : at + BATCH], n_threads, scales)[:, :steps])
    found = np.concatenate(parts)
    require_finite_forecasts(found, model, seen, future=future)
    return found


def steps_read(config: Mapping[str, Any], steps: int) -> int:
    """The steps whose known features the network reads to forecast so many: of all that it forecasts at once.

    So its first forecasts are the same whatever more is asked for.
    """
    horizon: int = config["horizon"]
    return -(-steps // horizon) * horizon if config["n_known"] else steps


def ends_of(model: _core.Model | Ensemble, seen: Seen, steps: int, X: Any) -> tuple[Array, Array]:
    """The last windows (n_series, window_size, k + m) of all series, and features after them of the steps that are read
    (n_series, n_read, m); see `steps_read`.
    """
    config = model.config
    future = seen.covariates.of_future(seen.observations, steps_read(config, steps), X, config["horizon"])
    # what never changes goes on where a forecast is appended to its window
    n_static, ends = seen.covariates.n_static, np.cumsum(seen.observations.lengths)
    future[:, :, :n_static] = seen.features[ends - 1, np.newaxis, :n_static]
    return seen.windows(config["window_size"]), future


def first_inputs(model: _core.Model | Ensemble, windows: Array, future: Array) -> Array:
    """Windows as the network reads them: with the features of the horizon where something is known of them."""
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
) -> Array:
    """Forecast from windows (n, window_size, k + m), given the features of the future (n, steps, m), nan where unknown:
    of all steps that are read (`steps_read`) where some are known.

    Steps beyond the horizon of the model are forecast from its own forecasts. Returns (n, steps, k, p).
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
            rows[:, start + size : start + size + horizon, :n_targets] = mean(config["distribution"], parts[-1])
    return np.concatenate(parts, axis=1)[:, :steps]


def parameters_of(forecast: Array) -> Array:
    """A forecast (n, horizon, k) is the one parameter (n, horizon, k, 1) of a point."""
    return forecast if forecast.ndim == 4 else forecast[..., np.newaxis]
