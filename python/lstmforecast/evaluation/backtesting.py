"""Rolling-origin evaluation: scores of forecasts from many past origins, and of two naive forecasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from lstmforecast.contract.parameter_group import flat_group
from lstmforecast.contract.seeds import draw_seed
from lstmforecast.data.columns import Columns, NamedTable
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.observations import Observations
from lstmforecast.data.scalers import fit_columns
from lstmforecast.data.season import season_length as usual_season
from lstmforecast.estimators.containers import columns_of
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.estimators.series_fit import fit_series, read_series
from lstmforecast.evaluation.backtest_result import BacktestResult
from lstmforecast.evaluation.folds import Folds, read_folds, takes_folds
from lstmforecast.evaluation.other_forecasters import forecast_others, read_others
from lstmforecast.evaluation.probabilistic import Probabilities, QuantileScorer, QuantileSums
from lstmforecast.evaluation.rolling import Fold, Origins, RollingOrigins
from lstmforecast.evaluation.scoring import Array, point_scores
from lstmforecast.fitting.distribution import mean
from lstmforecast.fitting.held_out import HeldOut
from lstmforecast.fitting.parameters import check_count, check_jobs
from lstmforecast.fitting.roll import forecast_origins

__all__ = ["BacktestResult", "backtest"]


@takes_folds()
def backtest(
    forecaster: LSTMForecaster,
    y: Any,
    X: Any = None,
    X_past: Any = None,
    static: Any = None,
    *,
    target: Any = None,
    series: Any = None,
    time: Any = None,
    known: Any = None,
    past: Any = None,
    weights: Any = None,
    folds: Folds | int | float | None = None,
    horizon: int | None = None,
    season_length: int | None = None,
    scaled: bool = False,
    coverage: float | Sequence[float] | None = None,
    levels: float | Sequence[float] | None = None,
    others: Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
) -> BacktestResult:
    """Fit a clone on the rows before the test set, then forecast from every origin in the test set and score.

    No row after an origin is used for its forecast: scaler, early stopping and weights see rows before the test set
    only. For the same reason missing values are filled with the last value before them where the forecaster
    interpolates; they are left out of the scores.

    In a panel the test set is at the end of each series, and one network forecasts from the origins of all series. A
    fit sees each series up to its own origin: with an integer ``test_size`` all series are cut by the same number of
    rows, whatever their times. A series without a row before its test set (and the gap) is not tested; the rows that it
    has before the later origins of the others are used for their fits.

    Parameters
    ----------
    forecaster : LSTMForecaster
        Fitted or not; it is not changed.
    y : array-like of shape (n,) or (n, k), Series or DataFrame
        Time-ordered observations of one series, or a panel, as in `LSTMForecaster.fit`.
    X, X_past, static : array-like, Series, DataFrame or None, default=None
        Covariates, as in `LSTMForecaster.fit`; ``X`` of the steps ahead is known at each origin.
    target, series, time, known, past : label, list of labels or None, default=None
        Names of columns of ``y``, as in `LSTMForecaster.fit`; by default those that a fitted ``forecaster`` has.
    weights : label, array-like of shape (n,), Series or None, default=None
        How much each row counts in the fits, as in `LSTMForecaster.fit`; by default the column that a fitted
        ``forecaster`` has. Scores are not weighted, and of ``others`` only an `LSTMForecaster` is fitted with weights.
    folds : Folds, int, float or None, default=None
        Which rows are fitted on and which are forecast. A number is the size of the test set, ``Folds(test_size)``, not
        the number of folds. None: ``Folds()``, one fit, then a forecast from every row of the last 20 percent.
    horizon : int or None, default=None
        Steps to forecast; None: the forecaster's. With ``X`` the network reads covariates of whole multiples of the
        forecaster's horizon, as in `LSTMForecaster.predict`: origins with fewer rows after them are left out.
    season_length : int or None, default=None
        Steps of a season; None: the usual one of the frequency (24 for hours, 12 for months, 1 for arrays). Where a
        series of a panel is shorter, seasonal-naive repeats its last value.
    scaled : bool, default=False
        Whether MAE, MSE and RMSE, widths, interval scores and pinball losses are of values standardised with mean and
        deviation of the rows (of the series) that the first fit trains on, as in the published protocol of the ETT
        data: it makes series of different sizes comparable.
    coverage : float, list of float or None, default=None
        Score intervals of these coverages, as `LSTMForecaster.predict_interval` gives them after each fit: calibrated
        on the rows that the fit held out, without `LSTMForecaster.update`. The naive forecasts get intervals in the
        same way, from their own errors on the same rows. Needs a horizon of at most the forecaster's.
    levels : float, list of float or None, default=None
        Score quantiles of these levels, made in the same way. None with ``coverage``: 0.05, 0.10, ..., 0.95, where at
        least 19 windows are held out. Their CRPS is 5 percent above that of the whole distribution, for all forecasts
        alike.
    others : dict or None, default=None
        Other forecasters by name, whose forecasts from the same origins are scored beside, ``{"ETS": AutoETS(24)}``:
        a regressor of scikit-learn's kind (LightGBM too), which becomes a `LagRegressor` and is fitted once a fold; a
        model of statsforecast, a forecaster of sktime, an object with ``fit(y)`` and ``predict(horizon)``, or a
        function of ``(y, horizon)``, which get each series by itself as a Series, up to each origin, without
        covariates; another `LSTMForecaster`. They are not changed.
    n_jobs : int or None, default=None
        Fits at a time, in threads, as scikit-learn counts them: None is 1 (or what `joblib.parallel_config` says), -1
        the number of processors. Each fit computes with the forecaster's ``n_threads``, whatever ``n_jobs`` is, so
        that the result is the same bit for bit; ``n_threads=1`` is fastest with several jobs. With a backend of
        `joblib.parallel_config`, such as ``"loky"`` or ``"dask"``, fits run in its processes: set ``n_threads`` for the
        same bits there. Callbacks are copied to these processes.

    Returns
    -------
    BacktestResult
        Prints as the table of scores.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range, the test set is shorter than the horizon (in all series), or
        `LSTMForecaster.fit` refuses the data; also if one of ``others`` returns forecasts of another number, or not
        finite.
    RuntimeError
        If one of ``others`` raises an error, which is its cause.

    References
    ----------
    Zhou et al. (2021), Informer: the ETT protocol. Hyndman and Koehler (2006): MASE. Gneiting and Raftery (2007):
    interval score, CRPS.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.sin(np.arange(300) * np.pi / 12)
    >>> model = LSTMForecaster(horizon=6, hidden_size=8, max_epochs=2, random_state=0)
    >>> result = backtest(model, y, folds=30, season_length=24)
    >>> list(result.scores.index)
    ['LSTMForecaster', 'repeat-last', 'seasonal-naive']
    >>> print(round(result.scores.loc["seasonal-naive", "MAE"], 6), len(result.forecasts))
    0.0 150
    """
    if not isinstance(forecaster, LSTMForecaster):
        raise TypeError(f"expected forecaster to be an LSTMForecaster, got {type(forecaster).__name__}")
    options = read_folds(folds)
    horizon = check_count("horizon", forecaster.horizon if horizon is None else horizon)
    template: LSTMForecaster = clone(forecaster).set_params(checkpoint=None)
    template.check_parameters()
    if template.missing == "interpolate":
        template.set_params(missing="ffill")
    names = {"target": target, "series": series, "time": time, "known": known, "past": past, "weights": weights}
    data = NamedTable.of(y, X, X_past, static, **names, fitted=columns_of(forecaster))
    dataset = read_series(template, *data)
    _check_names(dataset.columns)
    beside, observations = read_others(others, dataset.columns), dataset.observations
    n_read = _steps_read(template, dataset, horizon)
    rolling = RollingOrigins.of(observations.lengths, options, horizon, n_read)
    fold_list, origins = rolling.folds(), rolling.origins
    _check_beginnings(observations, fold_list, origins)
    season = _season(season_length, observations, int(rolling.first.max()))
    deviation = _deviation(template, observations, fold_list[0], scaled)
    scorer = QuantileScorer(dataset, Probabilities.read(coverage, levels), origins, season, horizon, n_read, deviation)
    scorer = scorer.checked(template, fold_list)

    # the others first: what fails in them fails before a long training
    found = forecast_others(
        {name: other for name, other in beside.items() if not isinstance(other, LSTMForecaster)},
        *(dataset, origins, fold_list, horizon, season),
    )
    for name, other in beside.items():
        if isinstance(other, LSTMForecaster):
            same: dict[str, Any] = {"folds": options, "horizon": horizon, "season_length": season, "n_jobs": n_jobs}
            try:
                found[name] = _values_of(backtest(other, *data[:4], weights=data[4], **same), name, origins)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name!r} of others: {error}") from error
    outcomes = _run(template, fold_list, n_jobs, _Job(dataset, origins, scorer))
    # outcomes are ordered by fold, the result by series
    order = np.argsort(np.concatenate([fold.origins for fold in fold_list]))
    values = np.concatenate([outcome.values for outcome in outcomes])[order]
    found = {name: found[name] for name in beside}
    scores, by_step, by_series = point_scores(values, observations, origins, season, deviation, found)
    last = outcomes[-1].fitted
    assert last is not None
    of_folds = np.repeat(np.arange(len(fold_list)), [len(fold.origins) for fold in fold_list])
    return BacktestResult(
        *(scores, by_step, last, season, bool(scaled), observations, origins.rows, values),
        which=origins.series,
        fold=of_folds[order],
        deviation=deviation,
        others=found,
        scores_by_series=by_series,
        **scorer.tables([outcome.sums for outcome in outcomes if outcome.sums is not None], order),
    )


# Columns of the tables of results beside those of the user.
NAMES_OF_RESULTS = ("cutoff", "step", "variable", "truth", "forecast", "coverage", "lower", "upper", "fold")


def _check_names(columns: Columns | None) -> None:
    """Raise a ValueError if the user's column of series or times has the name of a column of results."""
    for name in () if columns is None else (columns.series, columns.time):
        if name in NAMES_OF_RESULTS:
            raise ValueError(
                f"expected columns of series and times whose names the results of a backtest don't have, got {name!r}; "
                "rename the column"
            )


def _check_beginnings(observations: Observations, folds: list[Fold], origins: Origins) -> None:
    """Raise a ValueError if nothing is known of a series and target before the rows of its first fit end, but later."""
    if observations.filled is None:
        return
    known, begins = ~observations.filled, np.cumsum(observations.lengths) - observations.lengths
    for i in np.unique(origins.series).tolist():
        of_series = known[begins[i] : begins[i] + observations.lengths[i]]
        late = ~of_series[: folds[0].stop[i]].any(axis=0) & of_series.any(axis=0)
        if late.any():
            label = observations.form.variables(observations.n_columns)[int(late.argmax())]
            of = f" of series {observations.series_keys[i]!r}" if observations.is_panel else ""
            raise ValueError(
                f"expected a known value of {label!r}{of} before its test set, got the first at "
                f"{observations.times(begins[i : i + 1] + of_series[:, late].any(axis=1).argmax())[0]}; drop the rows "
                "before it, or the series"
            )


def _values_of(result: BacktestResult, name: str, origins: Origins) -> Array:
    """The forecasts of another LSTMForecaster; a ValueError if it reads other rows of X, so that origins differ."""
    if not (np.array_equal(result.which, origins.series) and np.array_equal(result.origins, origins.rows)):
        raise ValueError(
            f"expected {name!r} in others to forecast from the {len(origins)} origins of forecaster, got "
            f"{len(result.origins)}: with X, give both the same horizon"
        )
    return result.values


class _Outcome(NamedTuple):
    """Forecasts of a fold (n_origins, horizon, k), sums of the scores of its quantiles, the clone of the last fold."""

    values: Array
    sums: QuantileSums | None
    fitted: LSTMForecaster | None


@dataclass(frozen=True)
class _Job:
    """Fits and forecasts a fold; a class, because it can be pickled for other processes."""

    dataset: Dataset
    origins: Origins
    scorer: QuantileScorer

    def __call__(self, fitted: LSTMForecaster, fold: Fold, is_last: bool) -> _Outcome:
        _fit(fitted, self.dataset.take(fold.rows(self.dataset.observations)))
        own = fitted.fitted_.dataset
        dataset = replace(self.dataset.with_yearly(own.covariates.yearly), transform=own.transform)
        dataset = dataset.with_statistics(like=own)
        part, model, n_read = self.origins.take(fold.origins), fitted.model_, self.scorer.n_read
        parameters = forecast_origins(model, dataset, part.rows, n_read, part.series, fitted.n_threads)
        lowest = dataset.lowest(fitted.window_size_, part.series, part.rows)
        values = dataset.undo(mean(model.config["distribution"], parameters), lowest)[:, : self.scorer.horizon]
        # the models of all refits would need too much memory
        kept = fitted if is_last else None
        return _Outcome(values, self.scorer.score(fitted, dataset, fold), kept)


def _fit(fitted: LSTMForecaster, part: Dataset) -> None:
    """Fit on the rows of a fold; an error on weights says which rows these are."""
    begins = "expected weights above 0"
    try:
        if part.weights is not None and not part.weights.any():
            raise ValueError(f"{begins} for at least one row, got zeros only")
        fit_series(fitted, part)
    except ValueError as error:
        if part.weights is None or not str(error).startswith(begins):
            raise
        times = part.observations.times(np.arange(len(part.observations)))
        raise ValueError(
            f"{error}, in the fit on the rows from {times.min()} to {times.max()}; give some of these rows a weight "
            "above 0, or choose folds that fit on more rows"
        ) from error


def _steps_read(template: LSTMForecaster, dataset: Dataset, horizon: int) -> int:
    """The steps after an origin for which rows are needed: with X, all steps that the network forecasts at once.

    `LSTMForecaster.predict` asks for the same rows of X, so that both forecast the same.
    """
    at_once = template.horizon if flat_group(template, "architecture")["head"] == "direct" else 1
    return horizon if dataset.covariates.known is None else -(-horizon // at_once) * at_once


def _season(season_length: int | None, observations: Observations, n_before: int) -> int:
    if season_length is not None:
        season = check_count("season_length", season_length)
        if season >= n_before:
            raise ValueError(f"expected season_length below the {n_before} rows before the test set, got {season}")
        return season
    season = usual_season(observations.freq)
    return season if season < n_before else 1


def _run(template: LSTMForecaster, folds: list[Fold], n_jobs: int | None, run: _Job) -> list[_Outcome]:
    """Run all folds, in threads unless `joblib.parallel_config` says otherwise: the kernel releases the GIL, and
    threads share data and callbacks.

    In other processes a fit uses another number of threads, which changes its bits, unless ``n_threads`` is set.
    """
    n_jobs = check_jobs(n_jobs)
    if flat_group(template, "device")["distributed"] and n_jobs not in (None, 1):
        raise ValueError(
            f"expected n_jobs=None for Device(distributed=True), whose processes fit one after the other, got {n_jobs}"
        )
    if template.warm_start and n_jobs not in (None, 1):
        raise ValueError(
            f"expected n_jobs=None for warm_start=True, where a fit begins with the weights of the last, got {n_jobs}"
        )
    # one fit alone stays in this thread: joblib would make a nested task of it inside a search
    if template.warm_start or len(folds) == 1:
        return [run(template, fold, fold is folds[-1]) for fold in folds]
    jobs = (delayed(run)(each, fold, fold is folds[-1]) for fold, each in zip(folds, _clones(template), strict=False))
    outcomes: list[_Outcome] = Parallel(n_jobs=n_jobs, prefer="threads")(jobs)
    return outcomes


def _clones(template: LSTMForecaster) -> Iterator[LSTMForecaster]:
    """Clones with the seeds of consecutive fits of one forecaster, whatever the order in which they are fitted."""
    while True:
        yield clone(template)
        if template.random_state is not None:
            draw_seed(template.random_state)


def _deviation(template: LSTMForecaster, observations: Observations, first: Fold, scaled: bool) -> Array:
    """The divisor of errors and widths for each series and variable: (n_series, k)."""
    deviation = np.ones((observations.n_series, observations.n_columns))
    if not scaled:
        return deviation
    part = observations.take(first.rows(observations))
    begins = np.cumsum(part.lengths) - part.lengths
    lengths = HeldOut.of(template).training_lengths(part)
    for i, begin, n in zip(np.flatnonzero(first.stop > first.start), begins, lengths, strict=True):
        deviation[i] = fit_columns("standard", part.values[begin : begin + n])[1]
    return deviation
