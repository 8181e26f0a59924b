"""Reports a fit and its epochs to scikit-learn's callbacks, which exist since scikit-learn 1.9.

With older versions nothing here has an effect.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

try:
    from sklearn import callback as _callback
except ImportError:
    _callback = None

__all__ = ["CallbackSupportMixin", "FitTasks", "with_callbacks"]

Method = TypeVar("Method", bound=Callable[..., Any])


class _NoCallbacks:
    """Replaces scikit-learn's mixin where there are no callbacks."""


CallbackSupportMixin: Any = _NoCallbacks if _callback is None else _callback.CallbackSupportMixin


def with_callbacks(method: Method) -> Method:
    """scikit-learn's decorator of `fit`, which ends callbacks after errors too."""
    return method if _callback is None else cast("Method", _callback.with_callbacks(method))


class FitTasks:
    """A fit and its epochs, as tasks of scikit-learn's callbacks.

    Parameters
    ----------
    estimator : estimator with `CallbackSupportMixin`
        The estimator, whose method is decorated with `with_callbacks`.
    X, y, sample_weight
        The data that callbacks are given.
    n_epochs : int, default=0
        The largest number of epochs.
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
    def has_callbacks(self) -> bool:
        """Whether there is a callback."""
        return self._context is not None and bool(self._context._callbacks)

    @property
    def asks_for_estimators(self) -> bool:
        """Whether a callback asks for the fitted estimator after each epoch."""
        callbacks = [] if self._context is None else self._context._callbacks
        return any("fitted_estimator" in inspect.signature(each.on_fit_task_end).parameters for each in callbacks)

    def epoch(self, learned: dict[str, Any] | None = None) -> bool:
        """Report the end of an epoch, with the attributes that the estimator would have if the fit ended there.

        Returns
        -------
        bool
            Whether a callback asks to end the training.
        """
        if self._context is None:
            return False
        task = self._context.subcontext(task_name="epoch")
        task.call_on_fit_task_begin(**self._told)
        return bool(task.call_on_fit_task_end(**self._told, reconstruction_attributes=learned))

    def end(self) -> None:
        """Report that the estimator is fitted."""
        if self._context is not None:
            self._context.call_on_fit_task_end(**self._told, reconstruction_attributes={})
