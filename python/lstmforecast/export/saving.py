"""``save`` and ``load``: one safetensors file for a fitted estimator of any class, without pickled objects."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.utils.validation import check_is_fitted

import lstmforecast
from lstmforecast import _core
from lstmforecast.export.persistence import ModelFile

if TYPE_CHECKING:
    from typing_extensions import Self

# Exceptions of Python, pandas and NumPy for invalid values.
_WRONG = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    pd.errors.InvalidIndexError,
)
# Characters of an error that a message repeats, and of one word in it.
_MOST_REPEATED, _LONGEST_WORD = 200, 60


class Saved:
    """`save` and `load` for an estimator with `_pack` and `_unpack`."""

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to one safetensors file: weights, scalers, parameters and what `predict` needs.

        The file is written under a temporary name first, then renamed. A ``scaler`` or ``forecaster`` given as an
        object is kept as what it has learned. ``callbacks``, ``checkpoint``, ``pretrained`` and a ``random_state`` that
        is not an integer are not kept.

        Parameters
        ----------
        path : str or Path
            Where to; a file that is there is replaced, also through a link, and a pipe or device is written to.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ValueError
            If parameters were changed since `fit` so that they no longer go with what was fitted.
        OSError
            If the file can't be written; a file that was there before is left as it was.
        """
        check_is_fitted(self)
        file = self._pack()
        try:
            _estimator_of(file)
        except _WRONG as error:
            raise ValueError(
                f"expected parameters that go with what was fitted, got others, changed since ({_brief(error)}): "
                "fit again before save"
            ) from error
        _core.write_file(path, file.tensors, file.metadata)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an estimator that `save` wrote.

        Parameters
        ----------
        path : str or Path
            The file.

        Returns
        -------
        estimator
            Fitted, of the class that `load` is called on.

        Raises
        ------
        FormatError
            If the file is damaged, foreign, newer than this version, or holds another kind of estimator.
        ImportError
            If its network needs libtorch, and `lstmforecast` has none.
        OSError
            If it can't be read.

        Warns
        -----
        UserWarning
            If the estimator was trained by libtorch, and `lstmforecast` has none: the kernel computes its forecasts.
        """
        estimator = _read(path)
        if not isinstance(estimator, cls):
            raise _core.FormatError(f"{path}: expected a file of {cls.__name__}, got one of {type(estimator).__name__}")
        return estimator

    def _pack(self) -> ModelFile:
        """The file of this estimator."""
        raise NotImplementedError

    @classmethod
    def _unpack(cls, file: ModelFile) -> Self:
        """Build an estimator from its file; a ValueError, or another of `_WRONG`, for what makes no estimator."""
        raise NotImplementedError


def load(path: str | Path) -> Any:
    """Read the estimator of any kind that a file holds.

    Parameters
    ----------
    path : str or Path
        A file that an estimator's ``save`` wrote.

    Returns
    -------
    LSTMForecaster, LSTMRegressor, LSTMClassifier, LSTMAnomalyDetector or CharLSTM
        Fitted, and ready to predict.

    Raises
    ------
    FormatError
        If the file is damaged, foreign, or newer than this version.
    ImportError
        If its network needs libtorch, and `lstmforecast` has none.
    OSError
        If it can't be read.

    Warns
    -----
    UserWarning
        If the estimator was trained by libtorch, and `lstmforecast` has none: the kernel computes its forecasts.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import lstmforecast
    >>> y = np.sin(np.arange(200) / 5)
    >>> forecaster = lstmforecast.LSTMForecaster(3, window_size=20, hidden_size=8, max_epochs=1, random_state=0).fit(y)
    >>> path = tempfile.mkdtemp() + "/model.safetensors"
    >>> forecaster.save(path)
    >>> bool((lstmforecast.load(path).predict() == forecaster.predict()).all())
    True
    """
    return _read(path)


def _read(path: str | Path) -> Any:
    file = ModelFile(*_core.read_file(path))
    try:
        estimator = _estimator_of(file)
    except ImportError as error:
        # a sound file, of a network that this core doesn't have
        raise ImportError(f"{path}: {error}") from None
    except _WRONG as error:
        raise _core.FormatError(f"{path}: expected the contents of a fitted estimator, got {_brief(error)}") from error
    # the caller of load
    warn_of_kernel(estimator, stacklevel=4)
    return estimator


def warn_of_kernel(estimator: Any, *, stacklevel: int) -> None:
    """Warn if the kernel computes what libtorch trained, as there is no libtorch."""
    forecaster = getattr(estimator, "forecaster_", estimator)
    refusal = getattr(getattr(forecaster, "model_", None), "refusal", None)
    if refusal is not None:
        warnings.warn(f"the kernel computes this model's forecasts, as {refusal}", UserWarning, stacklevel=stacklevel)


def _estimator_of(file: ModelFile) -> Any:
    """The estimator that a file holds, built by the class of that public name."""
    name = file.estimator
    kind = getattr(lstmforecast, name) if name in lstmforecast.__all__ else None
    if not isinstance(kind, type) or not issubclass(kind, Saved):
        raise ValueError(f"an estimator named {name!r}")
    return kind._unpack(file)


def _brief(error: BaseException) -> str:
    """The error in one line of limited length."""
    words = [word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}..." for word in str(error).split()]
    text = " ".join([f"{type(error).__name__}:", *words])
    return text if len(text) <= _MOST_REPEATED else f"{text[:_MOST_REPEATED]}..."
