"""Rolling-origin evaluation: what a forecaster would have said in the past, beside what two naive forecasts say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from lstmforecast.contract.seeds import draw_seed
from lstmforecast.data.dataset import Seen
from lstmforecast.data.observations import Observations
from lstmforecast.data.scalers import fit_columns
from lstmforecast.data.season import season_length as usual_season
from lstmforecast.estimators.forecaster import LSTMForecaster, read_series
from lstmforecast.estimators.series_fit import fit_series
from lstmforecast.evaluation.backtest_result import BacktestResult
from lstmforecast.evaluation.probabilistic import Probabilities, Spread, SpreadScorer
from lstmforecast.evaluation.rolling import Fold, Rolling, Windows
from lstmforecast.evaluation.scoring import Array, point_scores
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.parameters import check_count, check_jobs
from lstmforecast.fitting.roll import forecast_origins

__all__ = ["BacktestResult", "backtest"]


def backtest(
    forecaster: LSTMForecaster,
    y: Any,
    X: Any = None,
    X_past: Any = None,
    static: Any = None,
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

    In a panel the test part is at the end of each series, and one network forecasts from the origins of all. A fit sees
    each series up to its own origin, so that with an integer ``test_size`` all are cut by as many rows, whatever their
    times. A series without a row before its test part (and the gap) is left out of the test; what rows it has before
    the later origins of the others are fitted on with theirs.

    Parameters
    ----------
    forecaster : LSTMForecaster
        Fitted or not; it is left as it is.
    y : array-like of shape (n,) or (n, k), Series or DataFrame
        Time-ordered observations of one series, or a panel, as in `LSTMForecaster.fit`.
    X, X_past, static : array-like, Series, DataFrame or None, default=None
        Covariates, as in `LSTMForecaster.fit`; ``X`` of the steps ahead is known at each origin.
    test_size : int or float, default=0.2
        Rows at the end (of each series) to forecast, or their fraction. The first of them is the first step of the
        first window; the last window ends with the last row.
    stride : int, default=1
        Rows from one origin to the next.
    horizon : int or None, default=None
        Steps to forecast; None: the forecaster's. With ``X``, a multiple of that: the network reads ``X`` of all steps
        that it forecasts at once.
    refit : bool or int, default=False
        Whether a clone is fitted again, on the rows before, at every origin, or at every ``refit``-th.
    window : {"expanding", "sliding"}, default="expanding"
        Whether each fit sees all rows before its first origin, or the last ``train_size`` of them.
    train_size : int or None, default=None
        Rows that each fit sees of a sliding window, those held out by the forecaster among them; None: as many as the
        first fit has. An expanding window takes None only. Series that have fewer give all.
    gap : int, default=0
        Rows between those that a fit sees and its first origin, as in `sklearn.model_selection.TimeSeriesSplit`: what
        isn't known yet when the weights are fitted. Forecasts still start from the rows right before their origin.
    season_length : int or None, default=None
        Steps of a season; None: the usual one of the frequency (24 for hours, 12 for months, 1 for arrays). Where a
        series of a panel is shorter, its last value stands for its last season.
    scaled : bool, default=False
        Whether MAE, MSE and RMSE, widths, interval scores and pinball losses are of values standardised with mean and
        deviation of the rows (of the series) that the first fit trains on, as in the published protocol of the ETT
        data: what makes series of different sizes comparable.
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
        that the result is the same bit for bit; ``n_threads=1`` makes the best of several jobs. With a backend of
        `joblib.parallel_config`, such as ``"loky"`` or ``"dask"``, fits run in its processes: set ``n_threads`` for the
        same bits there. Callbacks then are copies.

    Returns
    -------
    BacktestResult
        Prints as the table of scores.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range, no window fits into the test part (of any series), or `LSTMForecaster.fit`
        refuses the data.

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
    template: LSTMForecaster = clone(forecaster).set_params(checkpoint=None)
    template.check_parameters()
    if template.missing == "interpolate":
        template.set_params(missing="ffill")
    seen = read_series(template, y, X, X_past, static)
    observations = seen.observations
    _check_horizon(template, seen, horizon)
    rolling = Rolling.of(observations.lengths, test_size, horizon, stride, gap)
    folds, windows = rolling.folds(refit, window, train_size), rolling.windows
    season = _season(season_length, observations, int(rolling.first.max()))
    deviation = _deviation(template, observations, folds[0], scaled)
    scorer = SpreadScorer(seen, Probabilities.read(coverage, levels), windows, season, horizon, deviation)
    scorer = scorer.checked(template, folds)

    outcomes = _run(template, folds, n_jobs, _Job(seen, windows, horizon, scorer))
    # fold after fold, to series after series
    order = np.argsort(np.concatenate([fold.windows for fold in folds]))
    values = np.concatenate([outcome.values for outcome in outcomes])[order]
    scores, by_step, by_series = point_scores(values, observations, windows, season, deviation)
    last = outcomes[-1].fitted
    assert last is not None
    return BacktestResult(
        *(scores, by_step, last, season, bool(scaled), observations, windows.origins, values),
        which=windows.which,
        scores_by_series=by_series,
        **scorer.tables([outcome.spread for outcome in outcomes if outcome.spread is not None], order),
    )


class _Outcome(NamedTuple):
    """What a fold gives: forecasts (n_windows, horizon, k), what is kept of quantiles, and of the last the clone."""

    values: Array
    spread: Spread | None
    fitted: LSTMForecaster | None


@dataclass(frozen=True)
class _Job:
    """Fits and forecasts of a fold; a class, because other processes can be sent it."""

    seen: Seen
    windows: Windows
    horizon: int
    scorer: SpreadScorer

    def __call__(self, fitted: LSTMForecaster, fold: Fold, is_last: bool) -> _Outcome:
        fit_series(fitted, self.seen.take(fold.rows(self.seen.observations)))
        sized, part = self.seen.with_statistics(like=fitted.fitted_.seen), self.windows.take(fold.windows)
        model = fitted.model_
        parameters = forecast_origins(model, sized, part.origins, self.horizon, part.which, fitted.n_threads)
        values = self.seen.undo(mean(model.config["distribution"], parameters))
        # hundreds of refits would fill the memory
        kept = fitted if is_last else None
        return _Outcome(values, self.scorer.score(fitted, sized, fold), kept)


def _check_horizon(template: LSTMForecaster, seen: Seen, horizon: int) -> None:
    """Raise a ValueError where forecasts would need X of rows after the last step that is scored."""
    at_once = template.horizon if template.head == "direct" else 1
    if seen.covariates.known is not None and horizon % at_once:
        raise ValueError(
            f"expected horizon to be a multiple of the {at_once} steps that the network forecasts, and reads X of, at "
            f"once, got {horizon}: give the forecaster that horizon"
        )


def _season(season_length: int | None, observations: Observations, n_before: int) -> int:
    if season_length is not None:
        season = check_count("season_length", season_length)
        if season >= n_before:
            raise ValueError(f"expected season_length below the {n_before} rows before the test part, got {season}")
        return season
    season = usual_season(observations.freq)
    return season if season < n_before else 1


def _run(template: LSTMForecaster, folds: list[Fold], n_jobs: int | None, run: _Job) -> list[_Outcome]:
    """Run all folds, side by side in threads, unless `joblib.parallel_config` says where: the kernel lets go of the
    interpreter, and data and callbacks are shared.

    Other processes count threads anew, and with them change the bits of a fit, unless ``n_threads`` is set.
    """
    n_jobs = check_jobs(n_jobs)
    if template.distributed and n_jobs not in (None, 1):
        raise ValueError(
            f"expected n_jobs=None for distributed=True, whose processes fit one after the other, got {n_jobs}"
        )
    if template.warm_start and n_jobs not in (None, 1):
        raise ValueError(f"expected n_jobs=None for warm_start=True, where fit goes on from fit, got {n_jobs}")
    # one fit alone has no business elsewhere: not in a task of its own, where this is a task of a search
    if template.warm_start or len(folds) == 1:
        return [run(template, fold, fold is folds[-1]) for fold in folds]
    jobs = (delayed(run)(each, fold, fold is folds[-1]) for fold, each in zip(folds, _clones(template), strict=False))
    outcomes: list[_Outcome] = Parallel(n_jobs=n_jobs, prefer="threads")(jobs)
    return outcomes


def _clones(template: LSTMForecaster) -> Iterator[LSTMForecaster]:
    """Clones that draw the seeds which fit after fit of one forecaster would draw, whichever is fitted first."""
    while True:
        yield clone(template)
        if template.random_state is not None:
            draw_seed(template.random_state)


def _deviation(template: LSTMForecaster, observations: Observations, first: Fold, scaled: bool) -> Array:
    """By what errors and widths are divided, for each series and variable: (n_series, k)."""
    deviation = np.ones((observations.n_series, observations.n_columns))
    if not scaled:
        return deviation
    part = observations.take(first.rows(observations))
    begins = np.cumsum(part.lengths) - part.lengths
    lengths = HeldOut.of(template).training_lengths(part)
    for i, begin, n in zip(np.flatnonzero(first.stop > first.start), begins, lengths, strict=True):
        deviation[i] = fit_columns("standard", part.values[begin : begin + n])[1]
    return deviation
