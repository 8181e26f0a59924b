"""The study of `tune`: create or continue it, and run its trials, several at a time."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from joblib.parallel import get_active_backend
from optuna.trial import Trial, TrialState
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from lstmforecast import _core
from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.data.dataset import Dataset
from lstmforecast.estimators.forecaster import LSTMForecaster
from lstmforecast.export.persistence import as_in_0_1
from lstmforecast.tuning.search_space import Space, distribution, stored_names, suggest, values_inside
from lstmforecast.tuning.trial import GIVEN, Outcome, SameUnitsPruner, Stop, Validation, evaluate, units_of

# Parameters that may differ between two calls that continue one study: they change scores by chance only, or
# say whether there is one.
NOT_COMPARED = ("n_threads", "verbose", "callbacks", "checkpoint", "random_state", "strict", "calibration")
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def open_study(
    storage: Any, study_name: str, sampler: Any, pruner: Any, seed: int | None, task: str
) -> optuna.study.Study:
    """Create a study, or continue the one of the same name in a storage.

    Raises
    ------
    ValueError
        If it was made for another ``task``.
    """
    if isinstance(storage, str | Path) and "://" not in str(storage):
        storage = f"sqlite:///{Path(storage)}"
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=3) if pruner is None else pruner
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(
            storage=storage, study_name=study_name, load_if_exists=True, pruner=SameUnitsPruner(pruner)
        )
    finally:
        optuna.logging.set_verbosity(verbosity)
    if study.user_attrs.setdefault("task", task) != task:
        raise ValueError(
            f"expected study {study_name!r} of the storage to be one of the same data, estimator, folds and metric, "
            f"got one of others; give another study_name"
        )
    study.set_user_attr("task", task)
    # a study that is continued must not draw its first numbers again
    seed = None if seed is None else (seed + len(study.get_trials(deepcopy=False))) % 2**32
    study.sampler = _sampler(seed) if sampler is None else sampler
    return study


def _sampler(seed: int | None) -> optuna.samplers.BaseSampler:
    """Models parameters jointly, linear forecasts and networks separately, and avoids points of running trials."""
    with warnings.catch_warnings():
        # these options are experimental in Optuna 4
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def task_of(forecaster: LSTMForecaster, dataset: Dataset, *details: Any) -> str:
    """A hash that differs if scores can't be compared: for other data, another estimator or other details."""
    flat = as_in_0_1(flat_parameters(forecaster))
    # studies of before continue
    if flat.get("non_negative") == "auto":
        del flat["non_negative"]
    if flat["normalize"] == "auto":
        flat["normalize"] = "last"
    parameters = {name: value for name, value in flat.items() if name not in NOT_COMPARED}
    digest = hashlib.blake2b(repr((sorted(parameters.items()), details)).encode(), digest_size=16)
    weights = dataset.weights
    # only ratios matter; single precision has no rounding of the division
    weights = None if weights is None else (weights / weights.max()).astype(np.float32)
    for values in (dataset.observations.values, dataset.features, weights):
        digest.update(b"" if values is None else np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


@dataclass
class Search:
    """Runs the trials of a forecaster in a space.

    Attributes
    ----------
    study : optuna.study.Study
    forecaster : LSTMForecaster
        The estimator as given, whose parameters the trials change.
    space : dict or function
    validation : Validation
    metric : str
        The score that is minimised.
    """

    study: optuna.study.Study
    forecaster: LSTMForecaster
    space: Space
    validation: Validation
    metric: str
    _stop: Stop = field(default_factory=Stop)
    _running: dict[int, Trial] = field(default_factory=dict)

    def run(self, n_trials: int | None, timeout: float | None, n_jobs: int | None) -> None:
        """Run trials until there are ``n_trials``, or until ``timeout``; trials that are running then are finished.

        Whatever ends the search, the storage keeps a state of each trial that has begun.
        """
        self._check_choices()
        self._enqueue_given()
        n_jobs = trials_at_once(n_jobs)
        jobs = self._jobs(n_trials, timeout, n_jobs)
        try:
            for outcome in _run(jobs, n_jobs):
                self._tell(outcome)
                _free_memory()
        finally:
            self._stop.now = True
            for trial in self._running.values():
                self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def _check_choices(self) -> None:
        """Raise a ValueError for a space that lacks parameters of earlier trials, or has other lists for them."""
        if callable(self.space):
            return
        before: dict[str, Any] = {}
        for trial in self.study.get_trials(deepcopy=False):
            before |= trial.distributions
        stored = stored_names(self.forecaster)
        left = before.keys() - {stored[name] for name in self.space}
        if left:
            raise ValueError(
                f"expected space to have all parameters of the study in the storage, got none for {sorted(left)}; give "
                "another study_name"
            )
        for name, values in self.space.items():
            now = distribution(name, values)
            known = before.get(stored[name], now)
            try:
                optuna.distributions.check_distribution_compatibility(known, now)
            except ValueError as error:
                raise ValueError(
                    f"expected {name} in space to be {known} as in the study of the storage, got {now}; give another "
                    "study_name"
                ) from error

    def _enqueue_given(self) -> None:
        """Make the estimator as given the first trial."""
        trials = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.WAITING))
        if not any(trial.user_attrs.get(GIVEN) for trial in trials):
            point = values_inside(self.space, self.forecaster)
            self.study.enqueue_trial(point, user_attrs={GIVEN: True})

    def _jobs(self, n_trials: int | None, timeout: float | None, n_jobs: int) -> Iterator[Any]:
        end = None if timeout is None else time.monotonic() + timeout
        n_left = None
        if n_trials is not None:
            n_left = max(0, n_trials - len(self.study.get_trials(deepcopy=False, states=FINISHED)))
        n_threads = self.forecaster.n_threads or max(1, _core.n_threads(None) // n_jobs)
        n_begun = 0
        while (n_left is None or n_begun < n_left) and (end is None or time.monotonic() < end):
            trial = self.study.ask()
            self._running[trial.number] = trial
            candidate = clone(self.forecaster).set_params(**self.parameters(trial), n_threads=n_threads)
            trial.set_user_attr("units", units_of(candidate))
            n_begun += 1
            yield delayed(evaluate)(trial, candidate, self.validation, self._stop)

    def parameters(self, trial: Any) -> dict[str, Any]:
        """The parameters that a trial chooses, or has chosen."""
        own = values_inside(self.space, self.forecaster)
        return suggest(trial, self.space, self.forecaster, own if trial.user_attrs.get(GIVEN) else None)

    def _tell(self, outcome: Outcome) -> None:
        trial = self._running[outcome.number]
        if outcome.error is not None and trial.user_attrs.get(GIVEN):
            raise outcome.error
        known = self.study.get_trials(deepcopy=False)[outcome.number].intermediate_values
        for epoch, loss in outcome.losses.items():
            # a process reports to its copy of the trial
            if epoch not in known:
                trial.report(loss, epoch)
        trial.set_user_attr("seconds", outcome.seconds)
        if outcome.scores is not None:
            model, *naive = (outcome.scores.loc[name].to_dict() for name in outcome.scores.index)
            trial.set_user_attr("scores", model)
            self.study.set_user_attr("naive", dict(zip(outcome.scores.index[1:], naive, strict=True)))
            self.study.tell(trial, model[self.metric])
        elif outcome.error is not None:
            trial.set_user_attr("error", str(outcome.error))
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, state=TrialState.PRUNED)
        del self._running[outcome.number]


def _free_memory() -> None:
    """Free the memory of a trial: estimators in reference cycles, and free blocks that the C library keeps."""
    gc.collect()
    if sys.platform == "linux":
        # glibc only; fits in several threads leave free blocks in several arenas
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def trials_at_once(n_jobs: int | None) -> int:
    """The number of trials at a time: None is 1, or what `joblib.parallel_config` says."""
    backend, configured = get_active_backend(prefer="threads")
    if n_jobs is None:
        n_jobs = backend.default_n_jobs if configured is None else configured
    return int(backend.effective_n_jobs(n_jobs))


def _run(jobs: Iterator[Any], n_jobs: int) -> Iterator[Outcome]:
    """Outcomes in the order in which trials end; a trial chooses its parameters when it can run at once."""
    how: dict[str, Any] = {"n_jobs": n_jobs, "prefer": "threads", "batch_size": 1}
    if get_active_backend(prefer="threads")[0].supports_return_generator:
        yield from Parallel(**how, return_as="generator_unordered", pre_dispatch="n_jobs")(jobs)
        return
    while batch := list(islice(jobs, n_jobs)):
        yield from Parallel(**how)(batch)
