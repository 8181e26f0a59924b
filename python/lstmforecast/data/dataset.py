"""The data of a forecaster: the targets, their features, and the scales of each series of a panel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.columns import Columns, NamedTable, check_long
from lstmforecast.data.covariates import Covariates
from lstmforecast.data.error_scale import ErrorScale, fill_unknown_scales, is_pooled, seasonal_scale
from lstmforecast.data.index import Frequency
from lstmforecast.data.non_negative import lowest_forecasts, never_negative, require_non_negative
from lstmforecast.data.observations import Missing, Observations
from lstmforecast.data.panel import Panel
from lstmforecast.data.panel_index import is_panel
from lstmforecast.data.row_weights import read_weights
from lstmforecast.data.scalers import fit_columns
from lstmforecast.data.season import season_length
from lstmforecast.data.static import read_unknown
from lstmforecast.data.wall_clock import clock_of, has_changes, on_clock, step_by_clock
from lstmforecast.data.yearly import YearlyProfile

Array = NDArray[np.float64]


def read_observations(
    y: Any, *, freq: Frequency = None, missing: Missing, like: Observations | None = None, name: str = "y"
) -> Observations:
    """Read one series or a panel, depending on the container; ``like`` must be of the same kind.

    Raises
    ------
    TypeError
        If ``like`` is of the other kind.
    ValueError
        As `Observations.read`.
    """
    panel = is_panel(y, name)
    if like is not None:
        require_kind(y, like, name)
    kind = Panel if panel else Observations
    return kind.read(y, freq=freq, missing=missing, like=like, name=name)


def require_kind(y: Any, like: Observations, name: str) -> None:
    """Raise a TypeError for a panel where there was one series at fit, or the reverse."""
    panel = is_panel(y, name)
    if panel != like.is_panel:
        kinds = {True: "several series, by an index of (series, time)", False: "one series"}
        raise TypeError(f"expected {name} with {kinds[like.is_panel]}, as at fit, got {kinds[panel]}")


@dataclass(frozen=True)
class Dataset:
    """Observations with their features, and the scales of each series of a panel.

    Attributes
    ----------
    observations : Observations
        One series or a panel.
    features : ndarray of shape (n, m)
        Static features, then past covariates, then features that are known in advance.
    covariates : Covariates
        How the features are made.
    statistics : ndarray of shape (n_series, 4 * k) or None
        Of the targets of each series of a panel: centre, scale, error scale, and whether scaled errors are pooled with
        those of the other series (1) or not (0); see `lstmforecast.data.error_scale`. None for one series.
    scaler : str, object or None
        The scaler that gives centre and scale.
    transform : {"auto", "log", None}
        The transform of the targets before they are scaled; ``"auto"`` until a fit has chosen one.
    columns : Columns or None
        The role of each column of the user's table; None where the table had no names for them.
    weights : ndarray of shape (n,) or None
        How much each row counts in the losses of a training; None: all alike.
    wall_clock : bool
        Whether the network reads windows of a day and longer by the clock on the wall; see
        `lstmforecast.data.wall_clock`.
    non_negative : {"auto", True, False}
        The parameter of the forecaster.
    never_negative : ndarray of bool of shape (n_series, k) or None
        Which targets were never negative at `fit`, so that their forecasts are not; None: all may be.

    Raises
    ------
    ValueError
        For values of -1 or less with ``transform="log"``, and for values below 0 with ``non_negative=True``.
    """

    observations: Observations
    features: Array
    covariates: Covariates
    statistics: Array | None = None
    scaler: Any = None
    transform: str | None = None
    columns: Columns | None = None
    weights: Array | None = None
    wall_clock: bool = False
    non_negative: str | bool = False
    never_negative: NDArray[np.bool_] | None = None

    @classmethod
    def read(
        cls,
        y: Any,
        X: Any = None,
        X_past: Any = None,
        static: Any = None,
        weights: Any = None,
        *,
        freq: Frequency,
        missing: Missing,
        calendar: Any,
        holidays: str | None,
        scaler: Any,
        transform: str | None,
        non_negative: str | bool,
        unknown: str = "error",
    ) -> Dataset:
        """Read the data of a fit and align the covariates with them; the options are those of the forecaster."""
        columns = None
        read_unknown(unknown)
        if isinstance(y, NamedTable):
            columns, (y, X, X_past, static, weights) = Columns.at_fit(y, unknown)
        else:
            check_long(y)
        name = "y" if columns is None else "the table"
        observations = read_observations(y, freq=freq, missing=missing, name=name)
        covariates = Covariates.at_fit(observations, X, X_past, static, calendar, holidays, columns, missing, unknown)
        tables = [table for table in (covariates.past, covariates.known) if table is not None]
        of_static = [column for column in covariates.static_columns or () if column.categories is not None]
        has_words = of_static or any(table.words for table in tables)
        if unknown == "ignore" and not has_words:
            raise ValueError("expected a covariate or static feature of words for unknown='ignore', got none")
        features = covariates.of(observations, X, X_past)
        if weights is not None:
            title = "weights" if columns is None else f"weights={columns.weights!r}"
            weights = read_weights(weights, y, observations, missing, title)
        options: dict[str, Any] = {"scaler": scaler, "transform": transform, "columns": columns, "weights": weights}
        options["wall_clock"] = step_by_clock(observations.index, observations.freq) is not None
        return cls(observations, features, covariates, **options, non_negative=non_negative)

    def __post_init__(self) -> None:
        if self.transform == "log" and (self.observations.values <= -1).any():
            got = self.observations.first_of(self.observations.values <= -1)
            raise ValueError(
                f"expected values above -1 for transform='log', got {got}; transform=None takes all values"
            )
        if self.non_negative is True:
            require_non_negative(self.observations)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # the name in pickles of version 0.1
        vars(self).update({"statistics" if name == "sizes" else name: value for name, value in state.items()})

    @property
    def values(self) -> Array:
        """The targets, transformed: (n, k)."""
        return np.log1p(self.observations.values) if self.transform == "log" else self.observations.values

    def undo(self, values: Array, lowest: Array | None = None) -> Array:
        """Transform forecasts (..., n, steps, k), or quantiles of them, back to the data's units; see `lowest`."""
        if lowest is not None:
            # 0 stays 0 in the transform
            values = np.maximum(values, lowest[:, np.newaxis])
        if self.transform != "log":
            return values
        with np.errstate(over="ignore"):
            return np.expm1(values)

    def lowest(
        self, size: int, which: NDArray[np.int64] | None = None, origins: NDArray[np.int64] | None = None
    ) -> Array | None:
        """The lowest forecasts (n, k) from windows of ``size`` rows before the end of each series, or before origins of
        one series, or of those ``which``: 0 or minus infinity. None: no forecast has a bound.
        """
        if self.never_negative is None:
            return None
        if origins is None:
            which, origins = self.ends
        which = np.zeros(len(origins), np.int64) if which is None else which
        return lowest_forecasts(self.never_negative, self.observations, which, origins, size)

    def with_signs(self, non_negative: str | bool) -> Dataset:
        """Find out which targets were never negative, unless ``non_negative`` is False."""
        never = None if non_negative is False else never_negative(self.observations)
        return replace(self, non_negative=non_negative, never_negative=never)

    def _signs_like(self, like: Dataset) -> Dataset:
        """The signs of the series of ``like``; other series are as all series of it."""
        never = like.never_negative
        if never is not None:
            places = like.observations.series_keys.get_indexer(self.observations.series_keys)
            never = np.where((places < 0)[:, np.newaxis], never.all(axis=0), never[places])
        return replace(self, non_negative=like.non_negative, never_negative=never)

    @property
    def table(self) -> Array:
        """Targets and features as the core takes them: (n, k + m)."""
        return np.hstack([self.values, self.features]) if self.features.shape[1] else self.values

    @property
    def starts(self) -> NDArray[np.int64] | None:
        """The row at which each series of a panel begins, and the number of rows; None for one series."""
        return self.observations.starts if isinstance(self.observations, Panel) else None

    @property
    def scales(self) -> Array | None:
        """Centre and scale of each series, as the core takes them: (n_series, 2 * k)."""
        if self.statistics is None:
            return None
        return np.ascontiguousarray(self.statistics[:, : 2 * self.observations.n_columns])

    @property
    def error_scale(self) -> ErrorScale | None:
        """The error scale of each series of a panel."""
        if self.statistics is None:
            return None
        k = self.observations.n_columns
        # older files don't say which series are pooled: all of them are
        is_told = self.statistics.shape[1] > 3 * k
        pooled = self.statistics[:, 3 * k :] > 0 if is_told else np.ones((len(self.statistics), k), bool)
        return ErrorScale(self.statistics[:, 2 * k : 3 * k], pooled)

    def with_yearly(self, profile: YearlyProfile | None) -> Dataset:
        """Add the feature of a profile of the year, which is known in advance; None: no feature."""
        if profile is None:
            return self
        covariates, index = replace(self.covariates, yearly=profile), self.observations.index
        calendar = covariates.calendar_rows(index, self.features[:, : covariates.n_static])
        return replace(self, covariates=covariates, features=np.column_stack([self.features, calendar[:, -1]]))

    def with_error_scale(self, error_scale: ErrorScale) -> Dataset:
        """Replace the error scale of each series."""
        assert self.scales is not None
        return replace(self, statistics=np.hstack([self.scales, error_scale.scale, error_scale.pooled]))

    def with_statistics(self, lengths: NDArray[np.int64] | None = None, like: Dataset | None = None) -> Dataset:
        """Compute the statistics of each series of a panel; one series has none.

        Parameters
        ----------
        lengths : ndarray of shape (n_series,) or None
            The statistics are those of so many first rows of each series; None: of all rows.
        like : Dataset or None
            Series that are in it keep its statistics, and the signs of their forecasts.
        """
        if like is not None:
            self = self._signs_like(like)
        if not self.observations.is_panel:
            return self
        keys = self.observations.series_keys
        known = np.full(len(keys), -1)
        if like is not None and like.statistics is not None:
            known = like.observations.series_keys.get_indexer(keys)
        values, season = self.values, season_length(self.observations.freq)
        starts = np.cumsum(self.observations.lengths) - self.observations.lengths
        lengths = self.observations.lengths if lengths is None else lengths
        k = values.shape[1]
        found = np.empty((len(known), 4 * k))
        for i in np.flatnonzero(known < 0):
            rows = values[starts[i] : starts[i] + lengths[i]]
            found[i] = np.concatenate([*fit_columns(self.scaler, rows), seasonal_scale(rows, season), is_pooled(rows)])
        if like is not None and like.scales is not None and like.error_scale is not None:
            there = known >= 0
            found[there] = np.hstack([like.scales, *like.error_scale])[known[there]]
            for i in np.flatnonzero(there & (found[:, 3 * k :] == 0).any(axis=1)):
                # a column that was constant at fit may vary now
                scale, pooled = found[i, 2 * k : 3 * k], found[i, 3 * k :] > 0
                now = seasonal_scale(values[starts[i] : starts[i] + lengths[i]], season)
                found[i, 2 * k : 3 * k] = np.where(pooled, scale, np.fmax(scale, now))
        return replace(self, statistics=found)._with_filled_scales(like)

    def _with_filled_scales(self, like: Dataset | None) -> Dataset:
        """Replace unknown error scales by guesses from the series of ``like``, or from the other series."""
        source = self if like is None or like.error_scale is None else like
        own, known = self.error_scale, source.error_scale
        if own is None or known is None or not np.isnan(own.scale).any():
            return self
        filled = fill_unknown_scales(own.scale, self.magnitudes, known, source.magnitudes)
        return self.with_error_scale(own._replace(scale=filled))

    def features_ahead(self, steps: int, X: Any = None, at_once: int = 1) -> Array:
        """The features of the steps after each series; see `Covariates.of_future`."""
        ends = np.cumsum(self.observations.lengths)
        static = self.features[ends - 1, : self.covariates.n_static]
        return self.covariates.of_future(self.observations, static, steps, X, at_once)

    @property
    def ends(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The number of each series, and of the row after its last."""
        return np.arange(self.observations.n_series), np.asarray(self.observations.lengths)

    @property
    def magnitudes(self) -> Array:
        """Mean absolute value of each series: (n_series, k)."""
        begins = np.cumsum(self.observations.lengths) - self.observations.lengths
        known = ~np.isnan(self.values)
        totals = np.add.reduceat(np.where(known, np.abs(self.values), 0.0), begins)
        magnitudes: Array = totals / np.maximum(np.add.reduceat(known, begins, dtype=np.int64), 1)
        return magnitudes

    def take(self, rows: NDArray[np.int64]) -> Dataset:
        """Copy some rows, in their order; the statistics of series without a row among them are dropped."""
        part = self.observations.take(rows)
        places = self.observations.series_keys.get_indexer(part.series_keys)
        return replace(
            self,
            observations=part,
            features=self.features[rows],
            statistics=None if self.statistics is None else self.statistics[places],
            weights=None if self.weights is None else self.weights[rows],
            never_negative=None if self.never_negative is None else self.never_negative[places],
        )

    def tail(self, n: int) -> Dataset:
        """Copy the last ``n`` rows of each series, or all."""
        return self.take(self.observations.last_rows(n))

    def windows(self, size: int) -> Array:
        """The last ``size`` rows of each series: (n_series, size, k + m); NaN before the beginning of a series."""
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
        """The windows before forecast origins, and the features of the steps after them.

        Parameters
        ----------
        which, origins : ndarray of shape (n_origins,)
            The number of a series, and the row of it at which the forecast begins.
        size, steps : int
            Rows before and after an origin.
        after : ndarray of shape (n_series, n, m) or None
            Features of the steps after the end of each series.

        Returns
        -------
        windows : ndarray of shape (n_origins, size, k + m)
            NaN before the beginning of a series.
        features : ndarray of shape (n_origins, steps, m)
            NaN after the end of a series where ``after`` doesn't say.
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

    def clock_around(
        self, which: NDArray[np.int64], origins: NDArray[np.int64], before: int, after: int
    ) -> NDArray[np.int64] | None:
        """The steps by the clock on the wall of rows before and after forecast origins, (n_origins, before + after).

        None where there is no such clock.
        """
        observations = self.observations
        step, clock = step_by_clock(observations.index, observations.freq), self._clock()
        if step is None or clock is None:
            return None
        lengths = np.asarray(observations.lengths)[which, np.newaxis]
        rows = origins[:, np.newaxis] + np.arange(-before, after)
        # before the first row of a series, and after the last one, as if clocks never changed
        inside = np.clip(rows, 0, lengths - 1)
        found: NDArray[np.int64] = clock[observations.row_of(which[:, np.newaxis], inside)] + rows - inside
        n_ahead = int((rows - lengths).max(initial=-1)) + 1
        if n_ahead > 0:
            ahead = observations.future_index(n_ahead)
            assert ahead is not None
            later = clock_of(ahead.get_level_values(-1), step).reshape(-1, n_ahead)
            each, column = np.nonzero(rows >= lengths)
            found[each, column] = later[which[each], (rows - lengths)[each, column]]
        return found

    def training_rows(self, window_size: int) -> tuple[Array, NDArray[np.int64] | None, Array | None]:
        """Targets and features, the first row of each series, and weights, of the rows that a network is trained on: by
        the clock on the wall if it reads windows by it.
        """
        plain = self.table, self.starts, self.weights
        clock = self._clock() if self.reads_clock(window_size) else None
        if clock is None:
            return plain
        ends = np.cumsum(self.observations.lengths)
        parts = [slice(end - length, end) for end, length in zip(ends, self.observations.lengths, strict=True)]
        if not any(has_changes(clock[rows]) for rows in parts):
            return plain
        tables, weights = [], []
        for rows in parts:
            places = clock[rows] - clock[rows.start]
            n = int(places[-1]) + 1
            tables.append(on_clock(plain[0][rows], places, n))
            if self.weights is not None:
                own = on_clock(self.weights[rows, np.newaxis], places, n)[:, 0]
                # an hour that no clock showed counts for nothing
                weights.append(np.where(np.isin(np.arange(n), places), own, 0.0))
        starts = None if self.starts is None else np.cumsum([0, *map(len, tables)])
        return np.concatenate(tables), starts, np.concatenate(weights) if weights else None

    def _clock(self) -> NDArray[np.int64] | None:
        """The step of each row by the clock on the wall; None where there is none."""
        observations = self.observations
        step = step_by_clock(observations.index, observations.freq)
        if step is None:
            return None
        return clock_of(observations.times(np.arange(len(observations))), step)

    @property
    def rows_put_back(self) -> int:
        """More rows that windows by the clock on the wall may need: those of the hour that clocks are put back."""
        step = step_by_clock(self.observations.index, self.observations.freq) if self.wall_clock else None
        return 0 if step is None else int(pd.Timedelta(hours=1) / pd.Timedelta(step))

    def rows_of_window(self, observations: Observations, size: int) -> int:
        """The rows that windows at the end of observations are made of: an hour more where clocks were put back."""
        step = step_by_clock(observations.index, observations.freq)
        if step is None or not self.reads_clock(size):
            return size
        n = size + self.rows_put_back
        times = observations.times(observations.last_rows(n))
        # the step after the last row counts: it may be the second of two equal hours
        steps = clock_of(times + pd.Timedelta(step), step) - clock_of(times, step)
        return n if (steps < 1).any() else size

    def reads_clock(self, window_size: int) -> bool:
        """Whether windows of this size, a day or longer, are read by the clock on the wall."""
        return self.wall_clock and window_size >= season_length(self.observations.freq)

    def read_newer(
        self, y: Any, X: Any, X_past: Any, static: Any, name: str
    ) -> tuple[tuple[Any, Any, Any, Any], Columns | None]:
        """Split a newer table by the columns of `fit`, which are returned too; other containers are unchanged."""
        if self.columns is None:
            return (y, X, X_past, static), None
        if static is not None:
            static = self.columns.static_table(static)
        read = self.columns.read(y, name)
        if read is None:
            return (y, X, X_past, static), None
        columns, parts = read
        if parts.static is not None and static is not None:
            raise ValueError(f"expected static features in one way, got columns of {name} and static as well")
        given = ["X"] * (X is not None) + ["X_past"] * (X_past is not None)
        if given:
            raise ValueError(f"expected covariates as columns of {name}, as at fit, got {' and '.join(given)}")
        return (parts.y, parts.X, parts.X_past, parts.static if static is None else static), columns

    def extended(
        self, y: Any, X: Any = None, X_past: Any = None, static: Any = None, missing: Missing = "error"
    ) -> tuple[Dataset, NDArray[np.int64]]:
        """Append newer rows; also returns their numbers."""
        y, X, X_past, static = self.read_newer(y, X, X_past, static, "y")[0]
        require_kind(y, self.observations, "y")
        joined = self.observations.extended(y, missing=missing)
        newer = joined.rows_after(self.observations)
        features = np.empty((len(joined), self.features.shape[1]))
        older = np.ones(len(joined), bool)
        older[newer] = False
        features[older] = self.features
        part = joined.take(newer)
        features[newer] = self.covariates.of(part, X, X_past, static, self._last_features(part))
        extended = replace(self, observations=joined, features=features, statistics=None)
        return extended.with_statistics(like=self), newer

    def _last_features(self, newer: Observations) -> Array:
        """The features of the last row of each series of ``newer``, NaN of those that are not here."""
        places = np.zeros(1, np.int64)
        if self.observations.is_panel:
            places = self.observations.series_keys.get_indexer(newer.series_keys)
        ends = np.cumsum(self.observations.lengths) - 1
        found = self.features[ends[places]]
        found[places < 0] = np.nan
        return found


# the name in pickles of version 0.1
Seen = Dataset
