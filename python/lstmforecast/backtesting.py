"""Rolling-origin evaluation: what a forecaster would have said in the past, beside what two naive forecasts say."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from lstmforecast.container import Observations
from lstmforecast.distribution import mean
from lstmforecast.forecaster import LSTMForecaster
from lstmforecast.index import season_length as usual_season
from lstmforecast.parameters import check_count
from lstmforecast.probabilistic import Probabilities, Spread, SpreadScorer, interval_frame
from lstmforecast.rolling import Fold, folds_of, rolling_origins
from lstmforecast.scoring import Array, known_truth, point_scores


@dataclass(frozen=True, eq=False, repr=False)
class BacktestResult:
    """Scores and forecasts of a backtest.

    Attributes
    ----------
    scores : DataFrame of shape (3, 5)
        MAE, MSE, RMSE, sMAPE (percent) and MASE of the forecaster, of the last value repeated and of the last season
        repeated, over the same windows, steps and variables.
    scores_by_step : DataFrame of shape (horizon, 15)
        The same for each step; ``scores_by_step["MAE"]`` has a column for each of the three.
    forecaster : LSTMForecaster
        The fitted clone; with ``refit``, as fitted last.
    season_length : int
        Steps of the season that seasonal-naive repeats and that MASE is scaled with.
    scaled : bool
        Whether MAE, MSE and RMSE are of standardised values.
    observations : Observations
        The data.
    origins : ndarray of int of shape (n_windows,)
        The row of the first step of each window.
    values : ndarray of shape (n_windows, horizon, k)
        The forecasts.
    interval_scores : DataFrame of shape (3 * n_coverages, 4) or None
        For each forecast and coverage asked for (the index: ``"forecast"``, ``"nominal coverage"``): how often the
        truth lay in the interval (``"coverage"``), how often at the worst step (``"least coverage of a step"``), the
        mean ``"width"`` and the mean ``"interval score"`` (`lstmforecast.metrics.interval_score`). None without
        ``coverage``.
    interval_scores_by_step : DataFrame of shape (horizon, 9 * n_coverages) or None
        Coverage, width and interval score for each step.
    quantile_scores : DataFrame of shape (3, n_levels + 1) or None
        For each forecast the mean pinball loss at each level, and ``"CRPS"``, twice their mean, which
        `lstmforecast.metrics.crps` says how far to trust. None without ``levels``.
    coverages : list of float
        Those asked for.
    bounds : ndarray of shape (2 * n_coverages, n_windows, horizon, k) or None
        Lower and upper bound of the forecaster's first interval, then of the next; see `intervals`.
    """

    scores: pd.DataFrame
    scores_by_step: pd.DataFrame
    forecaster: LSTMForecaster
    season_length: int
    scaled: bool
    observations: Observations
    origins: NDArray[np.int64]
    values: Array
    interval_scores: pd.DataFrame | None = None
    interval_scores_by_step: pd.DataFrame | None = None
    quantile_scores: pd.DataFrame | None = None
    coverages: Sequence[float] = ()
    bounds: Array | None = None

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        """All forecasts, one in each row: cutoff, time, step (from 1), variable, truth (nan: missing), forecast."""
        n_windows, horizon, width = self.values.shape
        rows = self.origins[:, np.newaxis] + np.arange(horizon)
        labels = pd.RangeIndex(len(self.observations)) if self.observations.index is None else self.observations.index
        variable = pd.Categorical.from_codes(
            np.tile(np.arange(width), n_windows * horizon), self.observations.form.variables(width)
        )
        return pd.DataFrame(
            {
                "cutoff": labels[np.repeat(self.origins - 1, horizon * width)],
                "time": labels[np.repeat(rows.ravel(), width)],
                "step": np.tile(np.repeat(np.arange(1, horizon + 1), width), n_windows),
                "variable": variable,
                "truth": known_truth(self.observations)[rows].ravel(),
                "forecast": self.values.ravel(),
            }
        )

    @cached_property
    def intervals(self) -> pd.DataFrame | None:
        """All intervals, one in each row: cutoff, time, step, variable, coverage, lower, upper; None without any."""
        return None if self.bounds is None else interval_frame(self.bounds, list(self.coverages), self.forecasts)

    def __repr__(self) -> str:
        return "\n".join([self._title(), *(table.to_string(float_format="{:.4g}".format) for table in self._tables())])

    def _repr_html_(self) -> str:
        tables = (table.to_html(float_format="{:.4g}".format) for table in self._tables())
        return "".join([f"<p>{self._title()}</p>", *tables])

    def _tables(self) -> list[pd.DataFrame]:
        return [self.scores] if self.interval_scores is None else [self.scores, self.interval_scores]

    def _title(self) -> str:
        n_windows, horizon, width = self.values.shape
        units = "standardised values" if self.scaled else "the data's units"
        return (
            f"Backtest: {n_windows} windows x {horizon} steps x {width} {'variable' if width == 1 else 'variables'}, "
            f"season of {self.season_length}; MAE, MSE, RMSE in {units}"
        )


def backtest(
    forecaster: LSTMForecaster,
    y: Any,
    X: Any = None,
    X_past: Any = None,
    *,
    test_size: int | float = 0.2,
    stride: int = 1,
    horizon: int | None = None,
    refit: bool | int = False,
    window: str = "expanding",
    train_size: int | None = None,
    gap: int = 0,
    season_length: int | None = None,
    scaled: bool = False,
    coverage: float | Sequence[float] | None = None,
    levels: float | Sequence[float] | None = None,
    n_jobs: int | None = None,
) -> BacktestResult:
    """Fit a clone on the rows before the test part, then forecast from every origin in it.

    Nothing after an origin reaches its forecast: scaler, early stopping and weights see rows before the test part only.
    For that reason missing values, where the forecaster interpolates, are filled with the last value before them here;
    missing values are no truth and are left out of the scores.

    Parameters
    ----------
    forecaster : LSTMForecaster
        Fitted or not; it is left as it is.
    y : array-like of shape (n,) or (n, k), Series or DataFrame
        Time-ordered observations of one series.
    X, X_past : array-like, Series, DataFrame or None, default=None
        Covariates, as in `LSTMForecaster.fit`; ``X`` of the steps ahead is known at each origin.
    test_size : int or float, default=0.2
        Rows at the end to forecast, or their fraction. The first of them is the first step of the first window; the
        last window ends with the last row.
    stride : int, default=1
        Rows from one origin to the next.
    horizon : int or None, default=None
        Steps to forecast; None: the forecaster's.
    refit : bool or int, default=False
        Whether a clone is fitted again, on the rows before, at every origin, or at every ``refit``-th.
    window : {"expanding", "sliding"}, default="expanding"
        Whether each fit sees all rows before its first origin, or the last ``train_size`` of them.
    train_size : int or None, default=None
        Rows that each fit sees of a sliding window, those held out by the forecaster among them; None: as many as the
        first fit has. An expanding window takes None only.
    gap : int, default=0
        Rows between those that a fit sees and its first origin, as in `sklearn.model_selection.TimeSeriesSplit`: what
        isn't known yet when the weights are fitted. Forecasts still start from the rows right before their origin.
    season_length : int or None, default=None
        Steps of a season; None: the usual one of the frequency (24 for hours, 12 for months, 1 for arrays).
    scaled : bool, default=False
        Whether MAE, MSE and RMSE, widths, interval scores and pinball losses are of values standardised with mean and
        deviation of the rows that the first fit trains on, as in the published protocol of the ETT data.
    coverage : float, list of float or None, default=None
        Score intervals of these coverages, as `LSTMForecaster.predict_interval` gives them after each fit: calibrated
        on the rows that the fit held out, without `LSTMForecaster.update`. The naive forecasts get intervals in the
        same way, from their own errors on the same rows, so that widths compare. Needs a horizon of at most the
        forecaster's.
    levels : float, list of float or None, default=None
        Score quantiles of these levels, made in the same way. None with ``coverage``: 0.05, 0.10, ..., 0.95, where at
        least 19 windows are held out. Their CRPS is 5 percent above that of the whole distribution, of all forecasts
        alike.
    n_jobs : int or None, default=None
        Fits at a time, in threads, as scikit-learn counts them: None is 1 (or what `joblib.parallel_config` says), -1
        the number of processors. Each fit computes with the forecaster's ``n_threads``, whatever ``n_jobs`` is, so
        that the result is the same bit for bit; ``n_threads=1`` makes the best of several jobs.

    Returns
    -------
    BacktestResult
        Prints as the table of scores.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range, no window fits into the test part, or `LSTMForecaster.fit` refuses the data.

    References
    ----------
    Zhou et al. (2021), Informer: the ETT protocol. Hyndman and Koehler (2006): MASE. Gneiting and Raftery (2007):
    interval score, CRPS.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.sin(np.arange(300) * np.pi / 12)
    >>> model = LSTMForecaster(horizon=6, hidden_size=8, max_epochs=2, random_state=0)
    >>> result = backtest(model, y, test_size=30, season_length=24)
    >>> list(result.scores.index)
    ['LSTMForecaster', 'repeat-last', 'seasonal-naive']
    >>> print(round(result.scores.loc["seasonal-naive", "MAE"], 6), len(result.forecasts))
    0.0 150
    """
    if not isinstance(forecaster, LSTMForecaster):
        raise TypeError(f"expected forecaster to be an LSTMForecaster, got {type(forecaster).__name__}")
    horizon = check_count("horizon", forecaster.horizon if horizon is None else horizon)
    template: LSTMForecaster = clone(forecaster)
    template._validate_parameters()
    if template.missing == "interpolate":
        template.set_params(missing="ffill")
    seen = template._read(y, X, X_past, None)
    observations = seen.observations
    if observations.is_panel:
        raise TypeError("expected y with one series, got several: backtest each by itself")
    origins = rolling_origins(len(observations), test_size, horizon, check_count("stride", stride))
    folds = folds_of(origins, refit, window, train_size, gap)
    season = _season(season_length, observations, int(origins[0]))
    deviation = _deviation(template, observations, folds[0], scaled)
    scorer = SpreadScorer(seen, Probabilities.read(coverage, levels), season, horizon, deviation)
    scorer = scorer.checked(template, folds)

    def run(fitted: LSTMForecaster, fold: Fold) -> _Outcome:
        fitted._fit(seen.take(np.arange(fold.start, fold.stop)))
        parameters = fitted._forecast_origins(fitted.model_, seen, fold.origins, horizon)
        values = seen.undo(mean(fitted.model_.config["distribution"], parameters))
        # hundreds of refits would fill the memory
        kept = fitted if fold is folds[-1] else None
        return _Outcome(values, scorer.score(fitted, fold), kept)

    outcomes = _run(template, folds, n_jobs, run)
    values = np.concatenate([outcome.values for outcome in outcomes])
    scores, by_step = point_scores(values, observations, origins, season, deviation)
    last = outcomes[-1].fitted
    assert last is not None
    return BacktestResult(
        *(scores, by_step, last, season, bool(scaled), observations, origins, values),
        **scorer.tables([outcome.spread for outcome in outcomes if outcome.spread is not None]),
    )


class _Outcome(NamedTuple):
    """What a fold gives: forecasts (n_origins, horizon, k), what is kept of quantiles, and of the last the clone."""

    values: Array
    spread: Spread | None
    fitted: LSTMForecaster | None


def _season(season_length: int | None, observations: Observations, n_before: int) -> int:
    if season_length is not None:
        season = check_count("season_length", season_length)
        if season >= n_before:
            raise ValueError(f"expected season_length below the {n_before} rows before the test part, got {season}")
        return season
    season = usual_season(observations.freq)
    return season if season < n_before else 1


def _run(
    template: LSTMForecaster, folds: list[Fold], n_jobs: int | None, run: Callable[[LSTMForecaster, Fold], _Outcome]
) -> list[_Outcome]:
    """Run all folds, side by side in threads: the kernel lets go of the interpreter, and data and callbacks are shared.

    joblib's processes would count threads anew, and with them change the bits of a fit.
    """
    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, numbers.Integral) or n_jobs == 0):
        raise ValueError(f"expected n_jobs to be None or an integer other than 0, got {n_jobs!r}")
    if template.warm_start:
        if n_jobs not in (None, 1):
            raise ValueError(f"expected n_jobs=None for warm_start=True, where fit goes on from fit, got {n_jobs}")
        return [run(template, fold) for fold in folds]
    jobs = (delayed(run)(each, fold) for fold, each in zip(folds, _clones(template), strict=False))
    outcomes: list[_Outcome] = Parallel(n_jobs=n_jobs, require="sharedmem")(jobs)
    return outcomes


def _clones(template: LSTMForecaster) -> Iterator[LSTMForecaster]:
    """Clones that draw the seeds which fit after fit of one forecaster would draw, whichever is fitted first."""
    while True:
        yield clone(template)
        if template.random_state is not None:
            template._seed()


def _deviation(template: LSTMForecaster, observations: Observations, first: Fold, scaled: bool) -> Array:
    """By what errors and widths are divided, for each variable (k,)."""
    if not scaled:
        return np.ones(observations.n_columns)
    stop = first.start + template._training_rows(first.stop - first.start)
    deviation = np.nanstd(observations.values[first.start : stop], axis=0)
    return np.where(deviation > 0, deviation, 1.0)
