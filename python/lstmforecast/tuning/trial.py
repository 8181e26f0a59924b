"""One trial of `tune`: an estimator is fitted, watched epoch by epoch, and scored on validation rows."""

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

from lstmforecast.data.dataset import Seen
from lstmforecast.data.scalers import fit_columns
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.evaluation.backtesting import backtest
from lstmforecast.evaluation.rolling import Rolling, Windows
from lstmforecast.evaluation.scoring import Array, point_scores

# The parameters that say what a validation loss counts, and on which rows.
UNITS = ("loss", "quantiles", "scaler", "transform", "normalize", "validation_fraction")
# The attribute of the trial of the estimator as it was given.
GIVEN = "as given"


@dataclass(frozen=True)
class Validation:
    """The last rows, which no fit sees, and the units in which forecasts of them are scored.

    Attributes
    ----------
    data : tuple
        y, X, X_past and static.
    size : int or float
        Validation rows, or their fraction.
    stride, horizon : int
        Rows from window to window, and steps ahead.
    n_before : int
        Rows before the validation rows, in a series of usual length.
    deviation : ndarray of shape (n_series, k)
        Of those rows: what errors are divided by, whatever a trial scales with.
    """

    data: tuple[Any, Any, Any, Any]
    size: int | float
    stride: int
    horizon: int
    n_before: int
    deviation: Array

    @classmethod
    def of(cls, seen: Seen, data: tuple[Any, Any, Any, Any], size: Any, stride: Any, horizon: int) -> Validation:
        """Check the sizes against the data that were read."""
        observations = seen.observations
        rolling = Rolling.of(observations.lengths, size, horizon, stride)
        deviation = np.ones((observations.n_series, observations.n_columns))
        begins = np.cumsum(observations.lengths) - observations.lengths
        for each, begin, n in zip(deviation, begins, rolling.first, strict=True):
            if n > 0:
                each[:] = fit_columns("standard", observations.values[begin : begin + n])[1]
        return cls(data, size, stride, horizon, int(np.median(rolling.first)), deviation)

    def scores(self, forecaster: LSTMForecaster) -> pd.DataFrame:
        """Fit a clone on the rows before, and score its forecasts beside naive ones."""
        result = backtest(forecaster, *self.data, test_size=self.size, stride=self.stride, horizon=self.horizon)
        windows = Windows(result.which, result.origins)
        return point_scores(result.values, result.observations, windows, result.season_length, self.deviation).overall


class Outcome(NamedTuple):
    """What became of a trial: scores, or the error that ended it, or neither where it was pruned."""

    number: int
    scores: pd.DataFrame | None
    error: Exception | None
    losses: dict[int, float]
    seconds: float


class Stop:
    """Tells fits in other threads that the search has ended."""

    now = False


def evaluate(trial: Trial, forecaster: LSTMForecaster, validation: Validation, stop: Stop) -> Outcome:
    """Run a trial, here or in another process, where it is a copy that knows the trials before."""
    losses: dict[int, float] = {}
    watch = _watch(trial, losses, stop)
    watched = forecaster.set_params(callbacks=[*(forecaster.callbacks or ()), watch])
    scores, error, begin = None, None, time.perf_counter()
    try:
        scores = validation.scores(watched)
    except TrialPruned:
        pass
    except (ValueError, TypeError, ArithmeticError) as found:
        # parameters that don't go together, or a loss that diverged
        error = found
    return Outcome(trial.number, scores, error, losses, time.perf_counter() - begin)


def _watch(trial: Trial, losses: dict[int, float], stop: Stop) -> Callable[[dict[str, Any]], None]:
    """A callback that reports validation losses and gives up what has no prospects: of an ensemble the first tells."""
    given = trial.user_attrs.get(GIVEN, False)

    def watch(record: dict[str, Any]) -> None:
        if stop.now:
            raise TrialPruned
        epoch, loss = int(record["epoch"]), float(record["val_loss"])
        if record.get("estimator", 0) or not np.isfinite(loss):
            return
        losses[epoch] = loss
        trial.report(loss, epoch)
        if not given and trial.should_prune():
            raise TrialPruned

    return watch


def units_of(forecaster: LSTMForecaster) -> str:
    """What two trials must share for their validation losses to be compared."""
    return ", ".join(f"{name}={getattr(forecaster, name)!r}" for name in UNITS)


class WithinUnits(BasePruner):
    """A pruner that compares validation losses in the same units only.

    Parameters
    ----------
    pruner : optuna.pruners.BasePruner
        Sees the trials whose attribute ``units`` is that of the trial in question.
    """

    def __init__(self, pruner: BasePruner) -> None:
        self.pruner = pruner

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to give up, as `optuna.trial.Trial.should_prune` asks."""
        alike = copy.copy(study)

        def get_trials(*args: Any, **options: Any) -> list[FrozenTrial]:
            found = study.get_trials(*args, **options)
            return [each for each in found if each.user_attrs.get("units") == trial.user_attrs["units"]]

        alike.get_trials = get_trials  # type: ignore[method-assign]
        return self.pruner.prune(alike, trial)
