"""A fit that pauses after each epoch, for callbacks that ask for the fitted estimator."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from lstmforecast.contract.core_options import CheckpointOptions, EpochRecord, Outcome, StopReason, TrainingOptions

if TYPE_CHECKING:
    from lstmforecast import _core
    from lstmforecast.fitting.ensemble import Ensemble

OnEpoch = Callable[[EpochRecord], bool | list[str]]


def fit_with_pauses(
    model: _core.Model | Ensemble,
    training: TrainingOptions,
    fit: Callable[[TrainingOptions, OnEpoch, None], Outcome],
    on_epoch: OnEpoch,
    pause: Callable[[Outcome], bool],
) -> Outcome:
    """Fit a model, and pause after each epoch with what the fit would have given if it had ended there.

    The training ends at each pause and goes on from a checkpoint, so that the bits are those of a fit without pauses.

    Parameters
    ----------
    model : _core.Model
        What ``fit`` trains.
    training : dict
        The core's options.
    fit : callable
        Trains the model with options and a function for each epoch, alone.
    on_epoch : callable
        As the core calls it. There is no pause after epochs for which it names parameters to train from now on.
    pause : callable
        Called with the outcome so far; to return true ends the training.

    Returns
    -------
    dict
        The outcome.
    """
    weights, scalers = model.parameters(), model.scalers()
    with TemporaryDirectory() as folder:
        defaults: CheckpointOptions = {
            "folder": folder,
            "keep": 1,
            "resume": True,
            "every_n_epochs": 1,
            "every_n_minutes": None,
        }
        checkpoint: CheckpointOptions = {
            **(training["checkpoint"] or defaults),
            "every_n_epochs": 1,
            "every_n_minutes": None,
        }
        while True:
            answers: list[bool | list[str]] = []

            def stop(record: EpochRecord, answers: list[bool | list[str]] = answers) -> bool | list[str]:
                answers.append(on_epoch(record))
                return answers[-1] or True

            outcome = fit({**training, "checkpoint": checkpoint}, stop, None)
            if outcome["stop_reason"] != "callback" or outcome["error"] is not None:
                return outcome
            try:
                ends = pause(outcome) or answers[-1] is True
            except BaseException as error:
                # as what callbacks of our own raise
                reason: StopReason = "interrupted" if isinstance(error, KeyboardInterrupt) else "callback"
                return {**outcome, "error": error, "stop_reason": reason}
            if ends:
                return outcome
            model.load_parameters(weights)
            model.load_scalers(scalers)
            checkpoint["resume"] = True


def fitted_attributes(
    estimator: Any,
    learn: Callable[[Any, Any, Mapping[str, Any]], None],
    model: _core.Model | Ensemble,
    outcome: Mapping[str, Any],
) -> dict[str, Any]:
    """The attributes of an estimator that has learned a model, which goes on being trained."""
    fitted = copy.copy(estimator)
    learn(fitted, copy.deepcopy(model), outcome)
    return dict(vars(fitted))
