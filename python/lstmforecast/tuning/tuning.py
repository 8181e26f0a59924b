"""Search for parameters: trials chosen by Optuna, judged on rows that no fit has seen."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from lstmforecast.contract.plain import plain, plain_parameters
from lstmforecast.contract.seeds import draw_seed
from lstmforecast.data.season import season_length
from lstmforecast.estimators.forecaster import LSTMForecaster, read_series
from lstmforecast.evaluation.scoring import PANEL_SCORES, SCORES
from lstmforecast.fitting.parameters import check_count, check_jobs

if TYPE_CHECKING:
    import optuna

    from lstmforecast.tuning.search_space import Space
    from lstmforecast.tuning.tuning_result import TuneResult

__all__ = ["tune"]


def tune(
    estimator: LSTMForecaster,
    y: Any,
    X: Any = None,
    X_past: Any = None,
    static: Any = None,
    *,
    space: Space | None = None,
    n_trials: int | None = 50,
    timeout: float | None = None,
    validation_size: int | float = 0.2,
    stride: int = 1,
    metric: str = "MSE",
    n_jobs: int | None = None,
    storage: str | PathLike[str] | optuna.storages.BaseStorage | None = None,
    study_name: str = "lstmforecast",
    sampler: optuna.samplers.BaseSampler | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
    random_state: Any = None,
) -> TuneResult:
    """Try parameters on the last rows of the data, and fit a forecaster with the best of them on all rows.

    Each trial is a `backtest`: a clone is fitted on the rows before the validation rows, early stopping included, and
    forecasts from all origins among them. So all trials are scored on the same rows and in the same units, whatever
    they scale, weigh or hold out themselves. The first trial is the estimator as given: the best is never worse than
    that. Keep the rows that you want an honest score of out of ``y``.

    Parameters
    ----------
    estimator : LSTMForecaster
        What isn't searched keeps its values; it is left as it is. For regressors and classifiers there are
        scikit-learn's searches.
    y, X, X_past, static
        One series or a panel with its covariates, as in `LSTMForecaster.fit`.
    space : dict, callable or None, default=None
        For each parameter a list of choices, ``(low, high)``, ``("log", low, high)`` or a distribution of Optuna; or a
        function that is given an `optuna.trial.Trial` and returns parameters. None: window, architecture, sizes,
        normalisation, regularisation, batch and learning rate, around the estimator's own values.
    n_trials : int or None, default=50
        Trials altogether, those of a storage included. None: as many as there is time for.
    timeout : float or None, default=None
        Seconds after which no trial begins.
    validation_size : int or float, default=0.2
        Validation rows at the end (of each series), or their fraction.
    stride : int, default=1
        Rows from one validation window to the next.
    metric : {"MSE", "MAE", "RMSE", "sMAPE", "MASE", "RMSSE"}, default="MSE"
        What is minimised; see `TuneResult.scores_`. ``"RMSSE"`` is for panels.
    n_jobs : int or None, default=None
        Trials at a time, in threads, or where `joblib.parallel_config` says. Each trains on its share of the
        processors unless ``n_threads`` is set, of which the last bits of its score depend.
    storage : path, URL, storage of Optuna or None, default=None
        Where trials are kept: the file of an SQLite database, or what Optuna takes. A second call goes on where the
        first one was ended. None: in memory.
    study_name : str, default="lstmforecast"
        The name in the storage.
    sampler, pruner : optuna.samplers.BaseSampler, optuna.pruners.BasePruner or None, default=None
        Who chooses parameters (None: `TPESampler`; not `GridSampler` or `BruteForceSampler`, which end studies), and
        who gives trials up early by their losses on the rows that they hold out themselves (None: `MedianPruner`, after
        three epochs); compared are losses in the same units only.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the sampler, and of all fits alike where the estimator has none: with ``n_jobs=1``, the same trials.

    Returns
    -------
    TuneResult
        Prints as the scores of the best, of the estimator as given, and of naive forecasts.

    Raises
    ------
    ImportError
        Without Optuna.
    TypeError, ValueError
        If an argument is out of range, the storage holds a study of other data, or the estimator as given can't be
        fitted. Where other parameters don't go together, a trial has failed, and ``trials_`` tells why.
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

    forecaster = _template(estimator)
    timeout, metric, n_jobs = plain(timeout), plain(metric), check_jobs(n_jobs)
    _check(n_trials, timeout)
    data = (y, X, X_past, static)
    # a line to the next value known would look ahead, as in a backtest
    mended = "ffill" if forecaster.missing == "interpolate" else forecaster.missing
    seen = read_series(clone(forecaster).set_params(missing=mended), *data)
    observations = seen.observations
    if metric not in (PANEL_SCORES if observations.is_panel else SCORES):
        raise ValueError(f"expected metric to be one of {PANEL_SCORES} (RMSSE for panels), got {metric!r}")
    validation = Validation.of(seen, data, validation_size, stride, forecaster.horizon)
    if space is None:
        season = season_length(observations.freq)
        space = default_space(forecaster, validation.n_before, season, observations.n_columns)
    check_space(space, plain_parameters(forecaster))
    seed = None if random_state is None else draw_seed(random_state)
    task = task_of(forecaster, seen, validation_size, stride, metric)
    study = open_study(storage, study_name, sampler, pruner, seed, task)
    if forecaster.random_state is None:
        # luck of the weights would decide between trials otherwise
        forecaster.set_params(random_state=draw_seed(seed))
    search = Search(study, forecaster, space, validation, metric)
    search.run(n_trials, timeout, n_jobs)
    return result_of(search)


def _template(estimator: Any) -> LSTMForecaster:
    if not isinstance(estimator, LSTMForecaster):
        raise TypeError(
            f"expected estimator to be an LSTMForecaster, got {type(estimator).__name__}; scikit-learn's searches take "
            "regressors and classifiers"
        )
    forecaster: LSTMForecaster = clone(estimator).set_params(checkpoint=None, warm_start=False)
    forecaster.check_parameters()
    if forecaster.distributed:
        raise ValueError("expected distributed=False, as trials run side by side instead, got True")
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
