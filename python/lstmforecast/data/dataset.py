"""The data that a forecaster has seen, with all that stands beside the targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmforecast.data.covariates import Covariates
from lstmforecast.data.index import Frequency
from lstmforecast.data.observations import Missing, Observations
from lstmforecast.data.panel import Panel
from lstmforecast.data.panel_index import is_panel
from lstmforecast.data.scalers import fit_columns
from lstmforecast.data.season import season_length
from lstmforecast.data.units import Units, guess_spreads, is_pooled, spread_of

Array = NDArray[np.float64]


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

    @classmethod
    def read(
        cls,
        y: Any,
        X: Any = None,
        X_past: Any = None,
        static: Any = None,
        *,
        freq: Frequency,
        missing: Missing,
        calendar: Any,
        holidays: str | None,
        scaler: Any,
        transform: str | None,
    ) -> Seen:
        """Check the data of a fit, and align the covariates with them; the options are parameters of the forecaster."""
        observations = read_observations(y, freq=freq, missing=missing)
        covariates = Covariates.at_fit(observations, X, X_past, static, calendar, holidays)
        features = covariates.of(observations, X, X_past)
        return cls(observations, features, covariates, scaler=scaler, transform=transform)

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
