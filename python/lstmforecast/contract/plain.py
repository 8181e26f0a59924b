"""Converts parameters that are scalars or arrays of NumPy or pandas to plain Python values."""

from __future__ import annotations

import inspect
import numbers
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from typing_extensions import Self

_PLAIN = frozenset((int, float, bool, str, bytes, type(None)))


def plain(value: Any) -> Any:
    """Convert scalars, arrays and lists of NumPy or pandas to Python values; other objects are returned unchanged.

    Parameters
    ----------
    value : object
        Searches and data frames often give ``np.int64(3)``, ``np.bool_(True)`` or arrays without dimensions.

    Returns
    -------
    object
        An int, float, bool, str or bytes for a scalar, a list for an array, a Series or an Index. Lists, tuples and
        dicts are copied only if an element changes. Arrays in dicts, which are weights, are not converted.

    Examples
    --------
    >>> plain(np.int64(3)), plain(np.array(0.5)), plain(np.array([1, 2])), plain({"lstm.*": np.float32(0.5)})
    (3, 0.5, [1, 2], {'lstm.*': 0.5})
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.ndarray | pd.Series | pd.Index):
        return plain(value.tolist())
    if type(value) in (list, tuple):
        turned = [plain(each) for each in value]
        return type(value)(turned) if any(new is not old for new, old in zip(turned, value, strict=True)) else value
    if type(value) is dict:
        items = [(_scalar(key), _scalar(each)) for key, each in value.items()]
        same = all(new[0] is old[0] and new[1] is old[1] for new, old in zip(items, value.items(), strict=True))
        return value if same else dict(items)
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.ndarray):
        return _scalar(value.item()) if value.ndim == 0 else value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, str):
        # not str(), which gives the name of a member of an enumeration
        return str.__str__(value)
    return bytes(value) if isinstance(value, bytes) else value


class PlainParameters:
    """An estimator whose parameters are stored as given, for `get_params` and clones, and read as plain values.

    Every parameter of the constructor of a subclass becomes such an attribute.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for each in list(inspect.signature(cls.__init__).parameters.values())[1:]:
            if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD) and each.name not in vars(cls):
                setattr(cls, each.name, _Parameter(each.name))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters as they were given.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of parameters that are estimators.

        Returns
        -------
        dict of str to object
        """
        parameters: dict[str, Any] = super().get_params(deep)  # type: ignore[misc]
        return {name: vars(self).get(name, value) for name, value in parameters.items()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the estimator, and with ``__`` in the name those of a parameter that is an estimator.

        Parameters
        ----------
        **params
            By name.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a name that is no parameter, or a parameter of a value that has none.
        """
        own = self.get_params(deep=False)
        for key in params:
            name, nested, _ = key.partition("__")
            value = params.get(name, own.get(name))
            if name in own and nested and not hasattr(value, "set_params"):
                raise ValueError(f"expected {name} to be an object with parameters for {key}, got {value!r}")
        estimator: Self = super().set_params(**params)  # type: ignore[misc]
        return estimator

    def __getstate__(self) -> dict[str, Any]:
        # a copy: a fit in another thread may add attributes while these are pickled
        state = super().__getstate__()
        assert isinstance(state, dict)
        return state.copy()


def plain_parameters(estimator: PlainParameters) -> dict[str, Any]:
    """The parameters of an estimator of this package as plain values; without those that a subclass adds."""
    return {name: getattr(estimator, name) for name in own_kind(estimator)._get_param_names()}


def own_kind(estimator: Any) -> Any:
    """The class of this package that an estimator is an instance of, or that a user's subclass extends."""
    return next(kind for kind in type(estimator).__mro__ if kind.__module__.partition(".")[0] == "lstmforecast")


class _Parameter:
    """An attribute that is stored as given and read as a plain value."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, estimator: Any, kind: type | None = None) -> Any:
        if estimator is None:
            return self
        try:
            value = estimator.__dict__[self.name]
        except KeyError:
            raise AttributeError(f"{type(estimator).__name__!r} object has no attribute {self.name!r}") from None
        return value if type(value) in _PLAIN else plain(value)

    def __set__(self, estimator: Any, value: Any) -> None:
        vars(estimator)[self.name] = value

    def __delete__(self, estimator: Any) -> None:
        del vars(estimator)[self.name]
