"""Interval scores and pinball losses, summed over the origins of a backtest in batches."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lstmforecast.data.dataset import Dataset
from lstmforecast.data.error_scale import ErrorScale
from lstmforecast.data.observations import Observations
from lstmforecast.data.season import seasons as usual_seasons
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.evaluation.rolling import Fold, Origins
from lstmforecast.evaluation.scoring import METHODS, carried, naive_forecast, seasons_at
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.roll import forecast_origins
from lstmforecast.metrics import interval_losses, pinball_losses
from lstmforecast.uncertainty.calibration import SIDES, Calibration, check_probabilities, levels_of
from lstmforecast.uncertainty.errors import held_out_places, steps_at
from lstmforecast.uncertainty.intervals import corrected_quantiles, require_errors

INTERVAL_SCORES = ("coverage", "width", "interval score")
LEVELS = [round(0.05 * i, 2) for i in range(1, 20)]
# Quantiles of one method in memory at once: 32 MB.
MOST_VALUES = 2**22

Array = NDArray[np.float64]


class Probabilities(NamedTuple):
    """Coverages of the intervals and levels of the quantiles to score.

    Parameters
    ----------
    coverages, levels : list of float
    open : bool
        Whether `LEVELS` may be added: the user asked for intervals only.
    """

    coverages: list[float]
    levels: list[float]
    open: bool = False

    @classmethod
    def read(cls, coverage: Any, levels: Any) -> Probabilities:
        """Read numbers, lists or None (nothing to score); TypeError or ValueError for anything else."""
        return cls(
            [] if coverage is None else check_probabilities("coverage", coverage),
            [] if levels is None else check_probabilities("levels", levels),
            open=coverage is not None and levels is None,
        )

    @property
    def all(self) -> list[float]:
        """Levels of the lower and upper bound of each interval, then those of the quantiles."""
        return [level for coverage in self.coverages for level in levels_of(coverage)] + self.levels

    @property
    def labels(self) -> list[str]:
        """The argument of each level in `all`, for messages."""
        return [f"{coverage=:g}" for coverage in self.coverages for _ in SIDES] + [
            f"{level=:g}" for level in self.levels
        ]


class QuantileSums(NamedTuple):
    """Scores of the intervals and quantiles of one fit, summed over its origins.

    Parameters
    ----------
    sums : ndarray of shape (horizon, 3, 3 * n_coverages + n_levels + 1)
        For each step and method: coverage, width and score of each interval; pinball losses; number of known values.
    bounds : list of ndarray of shape (3, 2 * n_coverages, n_origins, horizon, k)
        Bounds of the intervals of each method, in batches of origins.
    crps : list of ndarray of shape (3, n_origins, horizon, k)
        Twice the mean pinball loss of each forecast, in the same batches.
    """

    sums: Array
    bounds: list[Array]
    crps: list[Array]


@dataclass(frozen=True)
class QuantileScorer:
    """Scores quantiles of a forecaster, and of naive forecasts calibrated on the same rows.

    Parameters
    ----------
    dataset : Dataset
        The data.
    wanted : Probabilities
        What is scored.
    origins : Origins
        The origins of all fits.
    season, horizon, n_read : int
        The season that seasonal-naive repeats; steps that are scored; steps that the network forecasts for them.
    deviation : ndarray of shape (n_series, k)
        The divisor of widths and losses.
    """

    dataset: Dataset
    wanted: Probabilities
    origins: Origins
    season: int
    horizon: int
    n_read: int
    deviation: Array

    @property
    def observations(self) -> Observations:
        """The targets."""
        return self.dataset.observations

    def checked(self, forecaster: LSTMForecaster, folds: list[Fold]) -> QuantileScorer:
        """The scorer, with `LEVELS` if the user named none and enough rows are held out for them.

        Raises
        ------
        ValueError
            If the fits will hold out too few rows, or rows without a season before them: checked before any fit.

        Warns
        -----
        UserWarning
            If the fits will hold out too few rows to promise a level.
        """
        if not self.wanted.all:
            return self
        held_out = [self._held_out(forecaster, fold) for fold in folds]
        n_errors = min(map(len, held_out))

        def check(wanted: Probabilities, *, exact: bool) -> str | None:
            return require_errors(
                wanted.all,
                wanted.labels,
                n_errors=n_errors,
                steps=self.horizon,
                trained=forecaster.horizon,
                held_out=HeldOut.of(forecaster),
                n_rows=0,
                of_panel=self.observations.is_panel,
                exact=exact,
            )

        told = check(self.wanted, exact=forecaster.calibration == "exact")
        if not self.observations.is_panel:
            self._check_season(min(int(origins.rows[0]) for origins in held_out))
        if told is not None:
            # the caller of `backtest`, around which is a decorator
            warnings.warn(told, UserWarning, stacklevel=4)
        if self.wanted.open:
            more = self.wanted._replace(levels=LEVELS)
            with suppress(ValueError):
                check(more, exact=True)
                return replace(self, wanted=more)
        return self

    def _check_season(self, first: int) -> None:
        if self.season > first:
            raise ValueError(
                f"expected season_length of at most {first}, the rows before those held out, for intervals and "
                f"quantiles, got {self.season}"
            )

    def score(self, fitted: LSTMForecaster, dataset: Dataset, fold: Fold) -> QuantileSums | None:
        """Score one fit, in batches of origins to limit memory; None if there is nothing to score.

        ``dataset`` are the data, with the statistics that the series had at the fit.
        """
        if not self.wanted.all:
            return None
        truth = self.observations.truth
        methods = self._methods(fitted, dataset, fold)
        bounds, crps, sums = [], [], []
        for origins in self._batches(self.origins.take(fold.origins)):
            known = truth[origins.rows_forecast(self.observations, self.horizon)]
            divisor = self.deviation[origins.series, np.newaxis]
            each = []
            for quantiles in (method(origins) for method in methods):
                losses = self._losses(known, quantiles, divisor)
                of_bounds = quantiles[: 2 * len(self.wanted.coverages)].copy()
                crps_of_each = 2 * losses.mean(axis=0) if len(losses) else np.full(known.shape, np.nan)
                each.append((self._sums(known, quantiles, divisor, losses), of_bounds, crps_of_each))
            of_methods = zip(*each, strict=True)
            sums.append(np.stack(next(of_methods), axis=1))
            bounds.append(np.stack(next(of_methods)))
            crps.append(np.stack(next(of_methods)))
        return QuantileSums(np.sum(sums, axis=0), bounds, crps)

    def tables(self, of_folds: list[QuantileSums], order: NDArray[np.int64]) -> dict[str, Any]:
        """The attributes of a `BacktestResult` about quantiles; ``order`` sorts the origins of all folds."""
        tables: dict[str, Any] = {"coverages": self.wanted.coverages}
        sums: Array = sum((fold.sums for fold in of_folds), start=np.zeros(()))
        if self.wanted.coverages:
            bounds = np.concatenate([each for fold in of_folds for each in fold.bounds], axis=2)
            tables["all_bounds"] = bounds[:, :, order]
            both = interval_tables(sums, self.wanted.coverages)
            tables["interval_scores"], tables["interval_scores_by_step"] = both
        if self.wanted.levels:
            tables["quantile_scores"] = quantile_table(sums, self.wanted.levels)
            tables["crps"] = np.concatenate([each for fold in of_folds for each in fold.crps], axis=1)[:, order]
        return tables

    def _methods(self, fitted: LSTMForecaster, dataset: Dataset, fold: Fold) -> tuple[Callable[[Origins], Array], ...]:
        """The quantiles (n, n_origins, horizon, k) of each of `METHODS` for given origins."""
        held_out, error_scale = self._held_out(fitted, fold), self._error_scale(fitted, fold)
        return (
            lambda origins: self._quantiles(fitted, dataset, origins),
            self._naive_quantiles(held_out, 1, error_scale),
            self._naive_quantiles(held_out, self.season, error_scale),
        )

    def _quantiles(self, fitted: LSTMForecaster, dataset: Dataset, origins: Origins) -> Array:
        """Quantiles of the forecaster: (n_levels, n_origins, horizon, k)."""
        calibration, error_scale = fitted.fitted_.calibration, dataset.error_scale
        assert calibration is not None
        model, series = fitted.model_, origins.series
        parameters = forecast_origins(model, dataset, origins.rows, self.n_read, series, fitted.n_threads)
        scale = None if error_scale is None else error_scale.take(series)
        when = self._when(origins)
        forecast = parameters[:, : self.horizon]
        quantiles = corrected_quantiles(calibration, forecast, self.wanted.all, scale, when)
        return dataset.undo(quantiles, dataset.lowest(fitted.window_size_, series, origins.rows))

    def _held_out(self, forecaster: LSTMForecaster, fold: Fold) -> Origins:
        """The origins on the rows held out, whose errors calibrate a fit."""
        part = self.observations.take(fold.rows(self.observations))
        series, rows = held_out_places(HeldOut.of(forecaster), part)
        series = np.flatnonzero(fold.stop > fold.start)[series]
        return Origins(series, fold.start[series] + rows)

    def _error_scale(self, forecaster: LSTMForecaster, fold: Fold) -> ErrorScale:
        """The scale of errors of naive forecasts: in a panel that of each series, as for the forecaster."""
        shape = (self.observations.n_series, self.observations.n_columns)
        error_scale = ErrorScale(np.ones(shape), np.ones(shape, bool))
        if self.observations.is_panel:
            part = replace(self.dataset.take(fold.rows(self.observations)), transform=None)
            found = part.with_statistics(HeldOut.of(forecaster).training_lengths(part.observations)).error_scale
            assert found is not None
            for every, fitted in zip(error_scale, found, strict=True):
                every[fold.stop > fold.start] = fitted
        return error_scale

    def _naive_quantiles(self, held_out: Origins, season: int, error_scale: ErrorScale) -> Callable[[Origins], Array]:
        """A function of origins: a naive forecast plus the quantiles of its errors on the rows held out."""
        values, steps = carried(self.observations), np.arange(self.horizon)

        def forecast(origins: Origins) -> Array:
            rows, seasons = origins.first_rows(self.observations), seasons_at(origins.rows, season)
            return naive_forecast(values, rows[:, np.newaxis], seasons[:, np.newaxis], steps)

        truth = values[held_out.rows_forecast(self.observations, self.horizon)]
        shortest, *longer = usual_seasons(self.observations.freq)
        times: dict[str, Any] = {"when": self._when(held_out), "season": shortest, "longer_seasons": tuple(longer)}
        if self.observations.is_panel:
            read = (truth, forecast(held_out), error_scale, held_out.series)
            calibration, error_scale = Calibration.of_panel(*read, **times)
        else:
            calibration = Calibration.of(truth, forecast(held_out), **times)
        of_panel = self.observations.is_panel
        return lambda origins: corrected_quantiles(
            calibration,
            forecast(origins)[..., np.newaxis],
            self.wanted.all,
            error_scale.take(origins.series) if of_panel else None,
            self._when(origins),
        )

    def _when(self, origins: Origins) -> NDArray[np.int64] | None:
        """The numbers of the first steps forecast."""
        return steps_at(self.observations, origins.first_rows(self.observations))

    def _batches(self, origins: Origins) -> Iterator[Origins]:
        size = max(1, MOST_VALUES // (len(self.wanted.all) * self.horizon * self.observations.n_columns))
        for start in range(0, len(origins), size):
            yield origins.take(slice(start, start + size))

    def _losses(self, truth: Array, quantiles: Array, divisor: Array) -> Array:
        """The pinball losses of the levels: (n_levels, n_origins, horizon, k)."""
        levels = np.array(self.wanted.levels).reshape(-1, 1, 1, 1)
        return pinball_losses(truth, quantiles[2 * len(self.wanted.coverages) :], levels) / divisor

    def _sums(self, truth: Array, quantiles: Array, divisor: Array, losses: Array) -> Array:
        """Sum the scores of quantiles (n, n_origins, horizon, k) where the truth is known: (horizon, n_scores)."""
        known = ~np.isnan(truth)
        n_bounds = 2 * len(self.wanted.coverages)

        def total(scores: NDArray[Any], divisor: Array | float) -> Array:
            summed: Array = np.where(known, scores / divisor, 0.0).sum(axis=(0, 2))
            return summed

        sums, bounds = [], quantiles[:n_bounds]
        for low, high, coverage in zip(bounds[::2], bounds[1::2], self.wanted.coverages, strict=True):
            sums.append(total((low <= truth) & (truth <= high), 1.0))
            sums.append(total(high - low, divisor))
            sums.append(total(interval_losses(truth, low, high, coverage), divisor))
        sums += [total(loss, 1.0) for loss in losses]
        return np.stack([*sums, known.sum(axis=(0, 2))], axis=-1)


def interval_tables(sums: Array, coverages: list[float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of intervals over all steps and for each step, from sums as in `QuantileSums`."""
    n = len(coverages)
    by_step, over_all = (
        _divided(each)[..., : 3 * n].reshape(*each.shape[:-1], n, 3) for each in (sums, sums.sum(axis=0))
    )
    rows = pd.MultiIndex.from_product([METHODS, coverages], names=["forecast", "nominal coverage"])
    scores = pd.DataFrame(over_all.reshape(-1, 3), index=rows, columns=list(INTERVAL_SCORES))
    # fmin leaves out steps without a known truth, which are nan
    scores.insert(1, "least coverage of a step", np.fmin.reduce(by_step[..., 0], axis=0).ravel())
    columns = pd.MultiIndex.from_product([INTERVAL_SCORES, METHODS, coverages], names=["score", *rows.names])
    steps = pd.RangeIndex(1, len(sums) + 1, name="step")
    return scores, pd.DataFrame(np.moveaxis(by_step, -1, 1).reshape(len(sums), -1), index=steps, columns=columns)


def quantile_table(sums: Array, levels: list[float]) -> pd.DataFrame:
    """Mean pinball losses and CRPS over all steps, from sums as in `QuantileSums`."""
    losses = _divided(sums.sum(axis=0))[:, -len(levels) :]
    table = pd.DataFrame(losses, index=list(METHODS), columns=pd.Index(levels, dtype=object))
    return table.assign(CRPS=2 * losses.mean(axis=1))


def interval_frame(bounds: Array, coverages: list[float], forecasts: pd.DataFrame) -> pd.DataFrame:
    """Bounds (2 * n_coverages, n_origins, horizon, k) with the labels of each forecast."""
    n = len(coverages)
    named = forecasts.loc[:, :"variable"]
    frame = named.loc[named.index.repeat(n)].reset_index(drop=True)
    lower, upper = bounds.reshape(n, 2, -1).transpose(1, 2, 0).reshape(2, -1)
    return frame.assign(coverage=np.tile(coverages, len(named)), lower=lower, upper=upper)


def _divided(sums: Array) -> Array:
    """Means: sums (..., n) divided by the last of them, the counts."""
    with np.errstate(invalid="ignore"):
        means: Array = sums[..., :-1] / sums[..., -1:]
    return means
