"""The result of `tune`: the best estimator, scores beside the estimator as given and naive forecasts, all trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
import pandas as pd
from sklearn.base import clone

from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.tuning.search_space import stored_names
from lstmforecast.tuning.trial import GIVEN

if TYPE_CHECKING:
    from lstmforecast.tuning.study import Search


@dataclass(frozen=True, eq=False, repr=False)
class TuneResult:
    """The result of a hyper-parameter search.

    Attributes
    ----------
    best_estimator_ : LSTMForecaster
        With the best parameters, fitted on all rows.
    best_params_ : dict
        The parameters that the best trial chose, as `set_params` takes them; if it is the estimator as given, its
        values of those in the space.
    best_value_ : float
        The score of the best trial on the validation rows.
    scores_ : DataFrame of shape (4, 5), of a panel (4, 6)
        Scores on the validation rows of the best trial, of the estimator as given and of both naive forecasts, as
        in `BacktestResult.scores`; MAE, MSE and RMSE of values divided by the standard deviation of the rows before.
        The best of many trials will be somewhat worse on other rows.
    trials_ : DataFrame
        A row for each trial: ``number``, ``state``, ``value``, ``epochs``, ``seconds``, the parameters under their
        names (nan: not chosen), and the ``error`` of one that failed.
    study_ : optuna.study.Study
        For Optuna's plots and importances. Parameters of objects have no prefix there: ``num_heads``.
    metric_ : str
        The score that was minimised, ``value`` in ``trials_``.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import LSTMForecaster, tune
    >>> y = np.sin(np.arange(200) / 5)
    >>> forecaster = LSTMForecaster(2, window_size=20, hidden_size=4, max_epochs=1)
    >>> found = tune(forecaster, y, space={"hidden_size": [4, 8]}, n_trials=2, random_state=0)
    >>> list(found.scores_.index), len(found.trials_)
    (['best', 'as given', 'repeat-last', 'seasonal-naive'], 2)
    """

    best_estimator_: LSTMForecaster
    best_params_: dict[str, Any]
    best_value_: float
    scores_: pd.DataFrame
    trials_: pd.DataFrame
    study_: optuna.study.Study
    metric_: str

    def __repr__(self) -> str:
        best = ", ".join(f"{name}={value!r}" for name, value in self.best_params_.items())
        return f"{self._title()}\n{self.scores_.to_string(float_format='{:.4g}'.format)}\nbest: {best}"

    def _repr_html_(self) -> str:
        best = ", ".join(f"{name}={value!r}" for name, value in self.best_params_.items())
        return f"<p>{self._title()}</p>{self.scores_.to_html(float_format='{:.4g}'.format)}<p>best: {best}</p>"

    def _title(self) -> str:
        states = self.trials_["state"].value_counts()
        counts = ", ".join(f"{n} {state}" for state, n in states.items())
        return f"Tuning: {len(self.trials_)} trials ({counts}) by {self.metric_} on the validation rows"


def result_of(search: Search) -> TuneResult:
    """Collect the results of a search, and fit the best estimator on all rows."""
    study = search.study
    best, trials = study.best_trial, study.get_trials(deepcopy=False)
    given = next(trial for trial in trials if trial.user_attrs.get(GIVEN) and "scores" in trial.user_attrs)
    rows = {"best": best.user_attrs["scores"], GIVEN: given.user_attrs["scores"]} | study.user_attrs["naive"]
    scores = pd.DataFrame.from_dict(rows, orient="index")
    assert best.value is not None
    parameters = search.parameters(best)
    *data, weights = search.validation.data
    fitted = clone(search.forecaster).set_params(**parameters).fit(*data, weights=weights)
    stored = stored_names(search.forecaster)
    names = {} if callable(search.space) else {stored[name]: name for name in search.space}
    return TuneResult(fitted, parameters, best.value, scores, trials_of(study, names), study, search.metric)


def trials_of(study: optuna.study.Study, names_in_space: Mapping[str, str]) -> pd.DataFrame:
    """A row for each trial; a parameter that it didn't choose is nan, one for which it chose None is None.

    ``names_in_space`` has the names of columns where those of the study are others.
    """
    trials = study.get_trials(deepcopy=False)
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    # the value of a pruned trial is its last loss, which is no score
    complete = [trial.state is optuna.trial.TrialState.COMPLETE for trial in trials]
    columns: dict[str, Any] = {
        "number": [trial.number for trial in trials],
        "state": [trial.state.name.lower() for trial in trials],
        "value": [trial.value if done else float("nan") for trial, done in zip(trials, complete, strict=True)],
        "epochs": [len(trial.intermediate_values) for trial in trials],
        "seconds": [trial.user_attrs.get("seconds", float("nan")) for trial in trials],
    }
    for name in names:
        values = [trial.params.get(name, float("nan")) for trial in trials]
        column = names_in_space.get(name, name)
        columns[column] = pd.Series(values, dtype=object) if None in values else values
    return pd.DataFrame(columns | {"error": [trial.user_attrs.get("error") for trial in trials]})
