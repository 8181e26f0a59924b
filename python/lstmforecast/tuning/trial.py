"""One trial of `tune`: fit a candidate, report its losses epoch by epoch, and score it on the validation rows."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from optuna import TrialPruned
from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.data.dataset import Dataset
from lstmforecast.data.scalers import fit_columns
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.evaluation.backtesting import backtest
from lstmforecast.evaluation.folds import Folds
from lstmforecast.evaluation.rolling import Origins, RollingOrigins
from lstmforecast.evaluation.scoring import Array, point_scores
from lstmforecast.export.persistence import as_in_0_1

# The parameters that define the unit of the losses which training reports, and the rows they are computed on.
UNITS = ("loss", "quantiles", "tweedie_power", "scaler", "transform", "normalize", "validation_fraction")
# The user attribute of the first trial, which has the parameters of the estimator as given.
GIVEN = "as given"


@dataclass(frozen=True)
class Validation:
    """The data of all trials, and the units in which forecasts of the validation rows are scored.

    Attributes
    ----------
    data : tuple
        y, X, X_past, static and weights.
    folds : Folds
        Their test set is the validation rows.
    horizon : int
        Steps ahead.
    n_before : int
        Rows that a trial fits on, in a series of median length.
    deviation : ndarray of shape (n_series, k)
        Standard deviation of the rows before the validation rows, by which errors are divided whatever scaler a trial
        uses.
    """

    data: tuple[Any, Any, Any, Any, Any]
    folds: Folds
    horizon: int
    n_before: int
    deviation: Array

    @classmethod
    def of(cls, dataset: Dataset, data: tuple[Any, Any, Any, Any, Any], folds: Folds, horizon: int) -> Validation:
        """Check the folds against the data that were read."""
        observations = dataset.observations
        rolling = RollingOrigins.of(observations.lengths, folds, horizon)
        deviation = np.ones((observations.n_series, observations.n_columns))
        begins = np.cumsum(observations.lengths) - observations.lengths
        for each, begin, n in zip(deviation, begins, rolling.first, strict=True):
            if n > 0:
                each[:] = fit_columns("standard", observations.values[begin : begin + n])[1]
        n_before = int(np.median(rolling.first)) - folds.gap
        return cls(data, folds, horizon, min(n_before, folds.train_size or n_before), deviation)

    def scores(self, forecaster: LSTMForecaster) -> pd.DataFrame:
        """Fit a clone on the rows before the validation rows, and score its forecasts beside naive ones."""
        *data, weights = self.data
        result = backtest(forecaster, *data, weights=weights, folds=self.folds, horizon=self.horizon)
        origins = Origins(result.which, result.origins)
        return point_scores(result.values, result.observations, origins, result.season_length, self.deviation).overall


class Outcome(NamedTuple):
    """The result of a trial: scores, or the error that ended it, or neither if it was pruned."""

    number: int
    scores: pd.DataFrame | None
    error: Exception | None
    losses: dict[int, float]
    seconds: float


class Stop:
    """A flag that ends the fits of other threads when the search ends."""

    now = False


def evaluate(trial: Trial, forecaster: LSTMForecaster, validation: Validation, stop: Stop) -> Outcome:
    """Run a trial, in this process or in another one, which has a copy of the trial."""
    losses: dict[int, float] = {}
    report = _reporter(trial, losses, stop)
    candidate = forecaster.set_params(callbacks=[*(forecaster.callbacks or ()), report])
    scores, error, begin = None, None, time.perf_counter()
    try:
        scores = validation.scores(candidate)
    except TrialPruned:
        pass
    except (ValueError, TypeError, ArithmeticError, ImportError) as found:
        # parameters that exclude each other, a loss that diverged, or what a function chose and this core can't compute
        error = found
    return Outcome(trial.number, scores, error, losses, time.perf_counter() - begin)


def _reporter(trial: Trial, losses: dict[int, float], stop: Stop) -> Callable[[dict[str, Any]], None]:
    """A callback that reports the loss after each epoch and prunes the trial; of an ensemble, the first network's."""
    given = trial.user_attrs.get(GIVEN, False)

    def report(record: dict[str, Any]) -> None:
        if stop.now:
            raise TrialPruned
        epoch, loss = int(record["epoch"]), float(record["val_loss"])
        if record.get("estimator", 0) or not np.isfinite(loss):
            return
        losses[epoch] = loss
        trial.report(loss, epoch)
        if not given and trial.should_prune():
            raise TrialPruned

    return report


def units_of(forecaster: LSTMForecaster) -> str:
    """A text that is the same for two trials if their losses during training can be compared."""
    flat = as_in_0_1(flat_parameters(forecaster))
    return ", ".join(f"{name}={flat[name]!r}" for name in UNITS if name in flat)


class SameUnitsPruner(BasePruner):
    """A pruner that compares losses in the same units only.

    Parameters
    ----------
    pruner : optuna.pruners.BasePruner
        Is shown the trials whose user attribute ``units`` equals that of the trial in question.
    """

    def __init__(self, pruner: BasePruner) -> None:
        self.pruner = pruner

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to end the trial, as `optuna.trial.Trial.should_prune` asks."""
        comparable = copy.copy(study)

        def get_trials(*args: Any, **options: Any) -> list[FrozenTrial]:
            found = study.get_trials(*args, **options)
            return [each for each in found if each.user_attrs.get("units") == trial.user_attrs["units"]]

        comparable.get_trials = get_trials  # type: ignore[method-assign]
        return self.pruner.prune(comparable, trial)
