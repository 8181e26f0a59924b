"""scikit-learn's callbacks (1.9 and newer): a fit and its epochs as the tasks that they are told of.

Before 1.9 there are none, and everything here does nothing.
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
