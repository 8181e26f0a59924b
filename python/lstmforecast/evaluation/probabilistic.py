"""Scores of intervals and quantiles, summed over the windows of a backtest a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.dataset import Seen
from lstmforecast.data.error_scale import ErrorScale
from lstmforecast.data.observations import Observations
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.evaluation.rolling import Fold, Windows
from lstmforecast.evaluation.scoring import METHODS, carried, known_truth, naive_forecast, seasons_at
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.roll import forecast_origins
from lstmforecast.metrics import interval_losses, pinball_losses
from lstmforecast.uncertainty.calibration import SIDES, Calibration, check_probabilities, levels_of
from lstmforecast.uncertainty.errors import held_out_places
from lstmforecast.uncertainty.intervals import corrected_quantiles, require_errors

INTERVAL_SCORES = ("coverage", "width", "interval score")
LEVELS = [round(0.05 * i, 2) for i in range(1, 20)]
# Quantiles of one method in memory at once: 32 MB of them.
MOST_VALUES = 2**22

Array = NDArray[np.float64]


class Probabilities(NamedTuple):
    """What is to be scored.

    Parameters
    ----------
    coverages : list of float
        Of intervals.
    levels : list of float
        Of quantiles.
    open : bool
        Whether levels may be added: only intervals were asked for.
    """

    coverages: list[float]
    levels: list[float]
    open: bool = False

    @classmethod
    def read(cls, coverage: Any, levels: Any) -> Probabilities:
        """Take numbers, lists or None (nothing); TypeError or ValueError for anything else."""
        return cls(
            [] if coverage is None else check_probabilities("coverage", coverage),
            [] if levels is None else check_probabilities("levels", levels),
            open=coverage is not None and levels is None,
        )

    @property
    def all(self) -> list[float]:
        """The levels of lower and upper bounds, interval after interval, then those of the quantiles."""
        return [level for coverage in self.coverages for level in levels_of(coverage)] + self.levels

    @property
    def words(self) -> list[str]:
        """What each of them is for, as messages say it."""
        return [f"{coverage=:g}" for coverage in self.coverages for _ in SIDES] + [
            f"{level=:g}" for level in self.levels
        ]


class Spread(NamedTuple):
    """What is kept of the quantiles of one fit.

    Parameters
    ----------
    sums : ndarray of shape (horizon, 3, 3 * n_coverages + n_levels + 1)
        For each step and method: how often each interval held, widths, interval scores, pinball losses, known values.
    bounds : list of ndarray of shape (2 * n_coverages, n_windows, horizon, k)
        Of the forecaster's intervals, of some windows each.
    """

    sums: Array
    bounds: list[Array]


@dataclass(frozen=True)
class SpreadScorer:
    """Compares quantiles of a forecaster, and of naive forecasts calibrated on the same rows, with the truth.

    Parameters
    ----------
    seen : Seen
        The data.
    wanted : Probabilities
        What is scored.
    windows : Windows
        What is forecast, over all fits.
    season, horizon : int
        Of seasonal-naive, and of all.
    deviation : ndarray of shape (n_series, k)
        By what widths and losses are divided.
    """

    seen: Seen
    wanted: Probabilities
    windows: Windows
    season: int
    horizon: int
    deviation: Array

    @property
    def observations(self) -> Observations:
        """The targets."""
        return self.seen.observations

    def checked(self, forecaster: LSTMForecaster, folds: list[Fold]) -> SpreadScorer:
        """The scorer, with `LEVELS` if none were named and the rows held out suffice for them.

        Raises
        ------
        ValueError
            If, before anything is fitted, it is clear that too few rows will be held out, or too early ones.
        """
        if not self.wanted.all:
            return self
        held_out = [self._held_out(forecaster, fold) for fold in folds]
        n_errors = min(map(len, held_out))

        def check(wanted: Probabilities) -> None:
            require_errors(
                wanted.all,
                wanted.words,
                n_errors=n_errors,
                steps=self.horizon,
                trained=forecaster.horizon,
                held_out=HeldOut.of(forecaster),
                n_rows=0,
                of_panel=self.observations.is_panel,
            )

        check(self.wanted)
        if not self.observations.is_panel:
            self._check_season(min(int(windows.origins[0]) for windows in held_out))
        if self.wanted.open:
            more = self.wanted._replace(levels=LEVELS)
            with suppress(ValueError):
                check(more)
                return replace(self, wanted=more)
        return self

    def _check_season(self, first: int) -> None:
        if self.season > first:
            raise ValueError(
                f"expected season_length of at most {first}, the rows before those held out, for intervals and "
                f"quantiles, got {self.season}"
            )

    def score(self, fitted: LSTMForecaster, seen: Seen, fold: Fold) -> Spread | None:
        """Score one fit, as many windows at a time as memory allows; None: nothing is wanted.

        ``seen`` are the data, with the sizes that the series had at the fit.
        """
        if not self.wanted.all:
            return None
        truth = known_truth(self.observations)
        model, *naive = self._methods(fitted, seen, fold)
        bounds, sums = [], []
        for windows in self._batches(self.windows.take(fold.windows)):
            known = truth[windows.rows(self.observations, self.horizon)]
            unit = self.deviation[windows.which, np.newaxis]
            quantiles = model(windows)
            bounds.append(quantiles[: 2 * len(self.wanted.coverages)].copy())
            scores = [self._sums(known, quantiles, unit), *(self._sums(known, each(windows), unit) for each in naive)]
            sums.append(np.stack(scores, axis=1))
        return Spread(np.sum(sums, axis=0), bounds)

    def tables(self, spreads: list[Spread], order: NDArray[np.int64]) -> dict[str, Any]:
        """What a `BacktestResult` says of the intervals and quantiles of all fits, whose windows come in this order."""
        tables: dict[str, Any] = {"coverages": self.wanted.coverages}
        sums: Array = sum((spread.sums for spread in spreads), start=np.zeros(()))
        if self.wanted.coverages:
            bounds = np.concatenate([each for spread in spreads for each in spread.bounds], axis=1)
            tables["bounds"] = bounds[:, order]
            both = interval_tables(sums, self.wanted.coverages)
            tables["interval_scores"], tables["interval_scores_by_step"] = both
        if self.wanted.levels:
            tables["quantile_scores"] = quantile_table(sums, self.wanted.levels)
        return tables

    def _methods(self, fitted: LSTMForecaster, seen: Seen, fold: Fold) -> tuple[Callable[[Windows], Array], ...]:
        """The quantiles (n, n_windows, horizon, k) of each of `METHODS` for given windows."""
        held_out, units = self._held_out(fitted, fold), self._units(fitted, fold)
        return (
            lambda windows: self._quantiles(fitted, seen, windows),
            self._naive_quantiles(held_out, 1, units),
            self._naive_quantiles(held_out, self.season, units),
        )

    def _quantiles(self, fitted: LSTMForecaster, seen: Seen, windows: Windows) -> Array:
        """The forecaster's own: (n_levels, n_windows, horizon, k)."""
        calibration, units = fitted.fitted_.calibration, seen.error_scale
        assert calibration is not None
        which = windows.which
        forecast = forecast_origins(fitted.model_, seen, windows.origins, self.horizon, which, fitted.n_threads)
        units = None if units is None else units.take(which)
        return seen.undo(corrected_quantiles(calibration, forecast, self.wanted.all, units))

    def _held_out(self, forecaster: LSTMForecaster, fold: Fold) -> Windows:
        """The windows that a fit is calibrated with."""
        part = self.observations.take(fold.rows(self.observations))
        which, origins = held_out_places(HeldOut.of(forecaster), part)
        which = np.flatnonzero(fold.stop > fold.start)[which]
        return Windows(which, fold.start[which] + origins)

    def _units(self, forecaster: LSTMForecaster, fold: Fold) -> ErrorScale:
        """What errors of naive forecasts are counted in: units of the series of a panel, as the forecaster's."""
        shape = (self.observations.n_series, self.observations.n_columns)
        units = ErrorScale(np.ones(shape), np.ones(shape, bool))
        if self.observations.is_panel:
            part = replace(self.seen.take(fold.rows(self.observations)), transform=None)
            found = part.with_statistics(HeldOut.of(forecaster).training_lengths(part.observations)).error_scale
            assert found is not None
            for all_, known in zip(units, found, strict=True):
                all_[fold.stop > fold.start] = known
        return units

    def _naive_quantiles(self, held_out: Windows, season: int, units: ErrorScale) -> Callable[[Windows], Array]:
        """A naive forecast and quantiles of its errors on the rows held out, for given windows."""
        values, steps = carried(self.observations), np.arange(self.horizon)

        def forecast(windows: Windows) -> Array:
            rows, seasons = windows.first_rows(self.observations), seasons_at(windows.origins, season)
            return naive_forecast(values, rows[:, np.newaxis], seasons[:, np.newaxis], steps)

        truth = values[held_out.rows(self.observations, self.horizon)]
        if self.observations.is_panel:
            calibration, units = Calibration.of_panel(truth, forecast(held_out), units, held_out.which)
        else:
            calibration = Calibration.of(truth, forecast(held_out))
        errors = np.stack(
            [calibration.quantile(*each) for each in zip(self.wanted.all, self.wanted.words, strict=True)]
        )
        return lambda windows: forecast(windows) + units.scale[windows.which, np.newaxis] * errors[:, np.newaxis]

    def _batches(self, windows: Windows) -> Iterator[Windows]:
        size = max(1, MOST_VALUES // (len(self.wanted.all) * self.horizon * self.observations.n_columns))
        for start in range(0, len(windows), size):
            yield windows.take(slice(start, start + size))

    def _sums(self, truth: Array, quantiles: Array, unit: Array) -> Array:
        """Sum the scores of quantiles (n, n_windows, horizon, k) where the truth is known: (horizon, n_scores)."""
        known = ~np.isnan(truth)
        n_bounds = 2 * len(self.wanted.coverages)

        def total(scores: NDArray[Any], unit: Array | float) -> Array:
            summed: Array = np.where(known, scores / unit, 0.0).sum(axis=(0, 2))
            return summed

        sums, bounds = [], quantiles[:n_bounds]
        for low, high, coverage in zip(bounds[::2], bounds[1::2], self.wanted.coverages, strict=True):
            sums.append(total((low <= truth) & (truth <= high), 1.0))
            sums.append(total(high - low, unit))
            sums.append(total(interval_losses(truth, low, high, coverage), unit))
        for quantile, level in zip(quantiles[n_bounds:], self.wanted.levels, strict=True):
            sums.append(total(pinball_losses(truth, quantile, level), unit))
        return np.stack([*sums, known.sum(axis=(0, 2))], axis=-1)


def interval_tables(sums: Array, coverages: list[float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of intervals over all steps, and for each, of sums as in `Spread`."""
    n = len(coverages)
    by_step, over_all = (
        _divided(each)[..., : 3 * n].reshape(*each.shape[:-1], n, 3) for each in (sums, sums.sum(axis=0))
    )
    rows = pd.MultiIndex.from_product([METHODS, coverages], names=["forecast", "nominal coverage"])
    scores = pd.DataFrame(over_all.reshape(-1, 3), index=rows, columns=list(INTERVAL_SCORES))
    # fmin: a step whose truth is nowhere known says nothing
    scores.insert(1, "least coverage of a step", np.fmin.reduce(by_step[..., 0], axis=0).ravel())
    columns = pd.MultiIndex.from_product([INTERVAL_SCORES, METHODS, coverages], names=["score", *rows.names])
    steps = pd.RangeIndex(1, len(sums) + 1, name="step")
    return scores, pd.DataFrame(np.moveaxis(by_step, -1, 1).reshape(len(sums), -1), index=steps, columns=columns)


def quantile_table(sums: Array, levels: list[float]) -> pd.DataFrame:
    """Mean pinball losses and CRPS over all steps, of sums as in `Spread`."""
    losses = _divided(sums.sum(axis=0))[:, -len(levels) :]
    table = pd.DataFrame(losses, index=list(METHODS), columns=pd.Index(levels, dtype=object))
    return table.assign(CRPS=2 * losses.mean(axis=1))


def interval_frame(bounds: Array, coverages: list[float], forecasts: pd.DataFrame) -> pd.DataFrame:
    """Bounds (2 * n_coverages, n_windows, horizon, k) beside what each forecast is labelled with."""
    n = len(coverages)
    named = forecasts.drop(columns=["truth", "forecast"])
    frame = named.loc[named.index.repeat(n)].reset_index(drop=True)
    lower, upper = bounds.reshape(n, 2, -1).transpose(1, 2, 0).reshape(2, -1)
    return frame.assign(coverage=np.tile(coverages, len(named)), lower=lower, upper=upper)


def _divided(sums: Array) -> Array:
    """Means: sums (..., n) by the last of them, the counts."""
    with np.errstate(invalid="ignore"):
        means: Array = sums[..., :-1] / sums[..., -1:]
    return means
