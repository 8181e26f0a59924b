"""Hyper-parameter search: Optuna chooses the parameters of each trial, a backtest scores it."""

from __future__ import annotations

from dataclasses import fields
from os import PathLike
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from lstmforecast.contract.parameter_group import flat_group
from lstmforecast.contract.plain import plain
from lstmforecast.contract.seeds import draw_seed
from lstmforecast.data.columns import NamedTable
from lstmforecast.data.season import season_length
from lstmforecast.estimators.containers import columns_of
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.estimators.series_fit import read_series
from lstmforecast.evaluation.folds import Folds, read_folds, takes_folds
from lstmforecast.evaluation.scoring import PANEL_SCORES, SCORES
from lstmforecast.fitting.parameters import check_count, check_jobs

if TYPE_CHECKING:
    import optuna

    from lstmforecast.tuning.search_space import Space
    from lstmforecast.tuning.tuning_result import TuneResult

__all__ = ["tune"]


@takes_folds(validation_size="test_size")
def tune(
    estimator: LSTMForecaster,
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
    space: Space | None = None,
    n_trials: int | None = 50,
    timeout: float | None = None,
    folds: Folds | int | float | None = None,
    metric: str = "MSE",
    n_jobs: int | None = None,
    storage: str | PathLike[str] | optuna.storages.BaseStorage | None = None,
    study_name: str = "lstmforecast",
    sampler: optuna.samplers.BaseSampler | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
    random_state: Any = None,
) -> TuneResult:
    """Search hyper-parameters by their scores on the last rows of the data, and fit the best estimator on all rows.

    Each trial is a `backtest`: a clone is fitted on the rows before the validation rows, early stopping included, and
    forecasts from all origins among them. All trials are scored on the same rows and in the same units, whatever
    scaler, loss or held-out rows they use. The first trial is the estimator as given: the best is never worse than
    that. Do not pass the rows of a final test in ``y``: the best score of many trials is lower than the error on new
    rows.

    Parameters
    ----------
    estimator : LSTMForecaster
        Parameters outside of the space keep its values; it is not changed. For regressors and classifiers there are
        scikit-learn's searches.
    y, X, X_past, static
        One series or a panel with its covariates, as in `LSTMForecaster.fit`.
    target, series, time, known, past : label, list of labels or None, default=None
        Names of columns of ``y``, as in `LSTMForecaster.fit`; by default those that a fitted ``estimator`` has.
    weights : label, array-like of shape (n,), Series or None, default=None
        How much each row counts in the fits, as in `LSTMForecaster.fit`. The metric is not weighted.
    space : dict, callable or None, default=None
        For each parameter a list of choices, ``(low, high)``, ``("log", low, high)`` or a distribution of Optuna; or a
        function that takes an `optuna.trial.Trial` and returns parameters. ``"architecture__num_heads"`` names a
        parameter of an object; it is chosen in trials whose object has it. None: window size, architecture, sizes,
        normalisation, regularisation, batch size and learning rate, around the estimator's own values; attention is
        among the architectures where ``lstmforecast-torch`` is installed.
    n_trials : int or None, default=50
        Trials in all, those of a storage included. None: as many as ``timeout`` allows.
    timeout : float or None, default=None
        Seconds after which no trial begins.
    folds : Folds, int, float or None, default=None
        As in `backtest`: the test set of these folds is the validation rows. A number is its size. None: ``Folds()``,
        the last 20 percent, a forecast from every row. A trial is one fit, so that ``refit`` must be False.
    metric : {"MSE", "MAE", "RMSE", "sMAPE", "MASE", "RMSSE"}, default="MSE"
        The score to minimise; see `TuneResult.scores_`. ``"RMSSE"`` is for panels.
    n_jobs : int or None, default=None
        Trials at a time, in threads, or where `joblib.parallel_config` says. Each trains on its share of the
        processors unless ``n_threads`` is set; the number of threads changes the last bits of a score.
    storage : path, URL, storage of Optuna or None, default=None
        Where trials are kept: the file of an SQLite database, or what Optuna takes. A second call continues the search
        of the first. None: in memory.
    study_name : str, default="lstmforecast"
        The name in the storage.
    sampler : optuna.samplers.BaseSampler or None, default=None
        Chooses parameters; None: `TPESampler`. Not `GridSampler` and `BruteForceSampler`, which stop a study by
        themselves.
    pruner : optuna.pruners.BasePruner or None, default=None
        Ends trials early by their losses on the rows that they hold out for early stopping; None: `MedianPruner`,
        after three epochs. Only losses in the same units are compared.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the sampler, and of all fits if the estimator has none: with ``n_jobs=1``, the same trials.

    Returns
    -------
    TuneResult
        Prints as the scores of the best trial, of the estimator as given, and of naive forecasts.

    Raises
    ------
    ImportError
        Without Optuna, or for a value of the space that needs libtorch where it is missing.
    TypeError, ValueError
        If an argument is out of range, the storage holds a study of other data, or the estimator as given can't be
        fitted. Where other parameters exclude each other, the trial fails, and ``trials_`` has the error.
    KeyboardInterrupt
        At Ctrl-C, once the trials so far are in the storage.

    References
    ----------
    Akiba et al. (2019): Optuna. Bergstra et al. (2011): tree-structured Parzen estimators.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import LSTMForecaster, tune
    >>> y = np.sin(np.arange(300) * np.pi / 12)
    >>> forecaster = LSTMForecaster(6, window_size=24, hidden_size=8, max_epochs=2)
    >>> result = tune(forecaster, y, space={"learning_rate": ("log", 1e-3, 1e-1)}, n_trials=3, random_state=0)
    >>> print(result.best_value_ <= result.scores_.loc["as given", "MSE"])
    True
    >>> len(result.best_estimator_.predict()), list(result.trials_["state"])
    (6, ['complete', 'complete', 'complete'])
    """
    _check_optuna()
    from lstmforecast.tuning.search_space import check_space, default_space
    from lstmforecast.tuning.study import Search, open_study, task_of
    from lstmforecast.tuning.trial import Validation
    from lstmforecast.tuning.tuning_result import result_of

    forecaster, options = _template(estimator), _read_folds(folds)
    timeout, metric, n_jobs = plain(timeout), plain(metric), check_jobs(n_jobs)
    _check(n_trials, timeout)
    if callable(X) or isinstance(X, dict):
        raise TypeError(f"expected X as a table of covariates, got {type(X).__name__}; pass a search space as space=")
    names = {"target": target, "series": series, "time": time, "known": known, "past": past, "weights": weights}
    data = NamedTable.of(y, X, X_past, static, **names, fitted=columns_of(estimator))
    # interpolation would use values after a gap, as in a backtest
    missing = "ffill" if forecaster.missing == "interpolate" else forecaster.missing
    dataset = read_series(clone(forecaster).set_params(missing=missing), *data)
    observations = dataset.observations
    if metric not in (PANEL_SCORES if observations.is_panel else SCORES):
        raise ValueError(f"expected metric to be one of {PANEL_SCORES} (RMSSE for panels), got {metric!r}")
    validation = Validation.of(dataset, data, options, forecaster.horizon)
    if space is None:
        season = season_length(observations.freq)
        space = default_space(forecaster, validation.n_before, season, observations.n_columns)
    check_space(space, forecaster)
    seed = None if random_state is None else draw_seed(random_state)
    task = task_of(forecaster, dataset, *task_details(options, metric))
    study = open_study(storage, study_name, sampler, pruner, seed, task)
    if forecaster.random_state is None:
        # with the same seed, trials do not differ by their random initial weights
        forecaster.set_params(random_state=draw_seed(seed))
    search = Search(study, forecaster, space, validation, metric)
    search.run(n_trials, timeout, n_jobs)
    return result_of(search)


def task_details(folds: Folds, metric: str) -> tuple[Any, ...]:
    """What must be the same in two calls that continue one study; without options that are newer than some storages.

    Examples
    --------
    >>> task_details(Folds(), "MSE"), task_details(Folds(40, gap=3), "MAE")
    ((0.2, 1, 'MSE'), (40, 1, 'MAE', 'gap=3'))
    """
    newer = [
        f"{field.name}={getattr(folds, field.name)!r}"
        for field in fields(folds)
        if field.name not in ("test_size", "stride") and getattr(folds, field.name) != field.default
    ]
    return folds.test_size, folds.stride, metric, *newer


def _read_folds(folds: Any) -> Folds:
    options = read_folds(folds)
    if options.refit:
        raise ValueError(f"expected folds with refit=False, as a trial is one fit, got refit={options.refit}")
    return options


def _template(estimator: Any) -> LSTMForecaster:
    if not isinstance(estimator, LSTMForecaster):
        raise TypeError(
            f"expected estimator to be an LSTMForecaster, got {type(estimator).__name__}; scikit-learn's searches take "
            "regressors and classifiers"
        )
    forecaster: LSTMForecaster = clone(estimator).set_params(checkpoint=None, warm_start=False)
    forecaster.check_parameters()
    if flat_group(forecaster, "device")["distributed"]:
        raise ValueError("expected distributed=False in Device, as trials run side by side instead, got True")
    return forecaster


def _check(n_trials: Any, timeout: Any) -> None:
    if n_trials is None and timeout is None:
        raise ValueError("expected n_trials or timeout, got None for both")
    if n_trials is not None:
        check_count("n_trials", n_trials)
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout < 0):
        raise ValueError(f"expected timeout to be a number of seconds or None, got {timeout!r}")


def _check_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise ImportError('tune needs Optuna: pip install "lstmforecast[tune]"') from error
