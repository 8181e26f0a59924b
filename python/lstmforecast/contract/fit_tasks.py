"""scikit-learn's callbacks (1.9 and newer): a fit and its epochs as the tasks that they are told of.

Before 1.9 there are none, and everything here does nothing.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from lstmforecast import _core
    from lstmforecast.fitting.ensemble import Ensemble

try:
    from sklearn import callback as _callback
except ImportError:
    _callback = None

__all__ = ["CallbackSupportMixin", "FitTasks", "fit_with_pauses", "with_callbacks"]

Outcome = dict[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])
OnEpoch = Callable[[dict[str, Any]], bool | list[str]]


class _NoCallbacks:
    """In place of scikit-learn's mixin."""


CallbackSupportMixin: Any = _NoCallbacks if _callback is None else _callback.CallbackSupportMixin


def with_callbacks(method: Method) -> Method:
    """scikit-learn's decorator of `fit`, which takes callbacks down whatever happens."""
    return method if _callback is None else cast("Method", _callback.with_callbacks(method))


class FitTasks:
    """A fit, and the epochs in it, as scikit-learn's callbacks hear of them.

    Parameters
    ----------
    estimator : estimator with `CallbackSupportMixin`
        What is fitted, by a method under `with_callbacks`.
    X, y, sample_weight
        The data, as callbacks get them.
    n_epochs : int, default=0
        The most that there will be.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None, *, n_epochs: int = 0) -> None:
        self._context = None
        if _callback is None:
            return
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._told = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context = estimator._init_callback_context(max_subtasks=n_epochs)
        self._context.call_on_fit_task_begin(**self._told)

    @property
    def are_heard(self) -> bool:
        """Whether there is a callback."""
        return self._context is not None and bool(self._context._callbacks)

    @property
    def ask_for_estimators(self) -> bool:
        """Whether a callback wants to see what an epoch has made of the estimator."""
        callbacks = [] if self._context is None else self._context._callbacks
        return any("fitted_estimator" in inspect.signature(each.on_fit_task_end).parameters for each in callbacks)

    def epoch(self, learned: dict[str, Any] | None = None) -> bool:
        """Tell that an epoch is over, and the attributes that a fit would have left which ended with it.

        Returns
        -------
        bool
            Whether a callback wants the training to end.
        """
        if self._context is None:
            return False
        task = self._context.subcontext(task_name="epoch")
        task.call_on_fit_task_begin(**self._told)
        return bool(task.call_on_fit_task_end(**self._told, reconstruction_attributes=learned))

    def end(self) -> None:
        """Tell that the estimator is fitted."""
        if self._context is not None:
            self._context.call_on_fit_task_end(**self._told, reconstruction_attributes={})


def fit_with_pauses(
    model: _core.Model | Ensemble,
    training: dict[str, Any],
    fit: Callable[[dict[str, Any], OnEpoch, None], Outcome],
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
        checkpoint = {"folder": folder, "keep": 1, "resume": True} | (training["checkpoint"] or {})
        checkpoint |= {"every_n_epochs": 1, "every_n_minutes": None}
        while True:
            answers: list[bool | list[str]] = []

            def stop(record: dict[str, Any], answers: list[bool | list[str]] = answers) -> bool | list[str]:
                answers.append(on_epoch(record))
                return answers[-1] or True

            outcome = fit(training | {"checkpoint": checkpoint}, stop, None)
            if outcome["stop_reason"] != "callback" or outcome["error"] is not None:
                return outcome
            try:
                ends = pause(outcome) or answers[-1] is True
            except BaseException as error:
                # as what callbacks of our own raise
                reason = "interrupted" if isinstance(error, KeyboardInterrupt) else "callback"
                return outcome | {"error": error, "stop_reason": reason}
            if ends:
                return outcome
            model.load_parameters(weights)
            model.load_scalers(scalers)
            checkpoint["resume"] = True


def fitted_attributes(
    estimator: Any, learn: Callable[[Any, Any, Outcome], None], model: _core.Model | Ensemble, outcome: Outcome
) -> dict[str, Any]:
    """The attributes of an estimator that has learned a model, which goes on being trained."""
    fitted = copy.copy(estimator)
    learn(fitted, copy.deepcopy(model), outcome)
    return dict(vars(fitted))
