"""Augmentation: random changes of training windows, new each time a window is read.

Give a list of names or objects to an estimator, ``augment=["jitter", "time_warp"]`` or
``augment=[augment.jitter(sigma=0.05), augment.time_warp(knots=3)]``. They are applied one after the other; each changes
a share of the training windows, its ``probability``, chosen again in each step. Held-out windows and forecasts are not
changed, nor the scalers and the ridge regression that a forecaster starts from. Training works on scaled windows, so
``sigma`` is in units of the scaler: with the default one, in standard deviations of a column.

To see the effect of a method, call it on an array of windows, or on windows and the horizons after them.

| method           | window alone     | window and horizon (the forecaster)                             |
|------------------|------------------|-----------------------------------------------------------------|
| `jitter`         | all numbers      | all inputs, covariates included; the target stays               |
| `scale`          | each feature     | targets, before and after the origin by the same factor         |
| `magnitude_warp` | each feature     | targets, by one curve over window and horizon                   |
| `time_warp`      | all rows         | all rows; the window's last row and the ends stay as they are   |
| `window_slice`   | a part anywhere  | the part around the window's last row                           |

For a forecaster, `scale` and `magnitude_warp` multiply the normalised values: with ``normalize="last"``, the distance
from the window's last value. `time_warp` and `window_slice` also move covariates in time, with unchanged values. The
window's last row stays in place, so that no row of the window is computed from the horizon. The centre and scale of the
normalisation don't change. After a warp, a target next to a missing one is missing; indicators of missing values are
those of the nearest row.

The definitions are those of Um et al. (2017), "Data augmentation of wearable sensor data for Parkinson's disease
monitoring using convolutional neural networks", and Le Guennec et al. (2016), "Data augmentation for time series
classification using convolutional neural networks", the defaults those of the survey by Iwana and Uchida (2021), "An
empirical survey of data augmentation for time series classification with neural networks". There, training uses each
window and one changed copy; here, with ``probability=0.5``, half of the windows are changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeAlias, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstmforecast.contract.core_options import AugmentOptions
from lstmforecast.contract.plain import plain
from lstmforecast.contract.rules import Number

__all__ = ["Augmentation", "jitter", "magnitude_warp", "scale", "time_warp", "window_slice"]


def __dir__() -> list[str]:
    return __all__


_RULES = {
    "sigma": Number(Real, 0),
    "knots": Number(Integral, 1, 1000, high_included=True),
    "size": Number(Real, 0, 1, low_included=False, high_included=True),
    "probability": Number(Real, 0, 1, high_included=True),
}
Array: TypeAlias = NDArray[Any]


class Augmentation:
    """What all methods have in common; not for use on its own. Objects are equal if their parameters are."""

    def __post_init__(self) -> None:
        for name, given in self._parameters().items():
            # Python numbers in place of NumPy's, for a repr that is valid code
            value = plain(given)
            _RULES[name].check(name, value)
            object.__setattr__(self, name, int(value) if name == "knots" else float(value))

    def __repr__(self) -> str:
        parameters = ", ".join(f"{name}={value!r}" for name, value in self._parameters().items())
        return f"augment.{type(self).__name__}({parameters})"

    @overload
    def __call__(self, X: ArrayLike, y: None = None, *, random_state: Any = None) -> Array: ...
    @overload
    def __call__(self, X: ArrayLike, y: ArrayLike, *, random_state: Any = None) -> tuple[Array, Array]: ...
    def __call__(
        self, X: ArrayLike, y: ArrayLike | None = None, *, random_state: Any = None
    ) -> Array | tuple[Array, Array]:
        """Change windows.

        Parameters
        ----------
        X : array-like of shape (n, window, features)
            Windows, scaled as the parameters expect.
        y : array-like of shape (n, horizon, targets) or None, default=None
            The horizon after each window. Targets are the first features of ``X``; other features are past only.
        random_state : int, RandomState, Generator or None, default=None
            Same seed, same windows.

        Returns
        -------
        X : ndarray of shape (n, window, features)
            float32 if ``X`` is, else float64.
        y : ndarray of shape (n, horizon, targets)
            If it was given; of the type of ``X``.

        Raises
        ------
        TypeError
            If ``X`` or ``y`` aren't numeric.
        ValueError
            For other shapes.
        """
        from lstmforecast import _core
        from lstmforecast.contract.seeds import draw_seed

        windows = _read_numbers("X", X, np.float32 if np.asarray(X).dtype == np.float32 else np.float64)
        if windows.ndim != 3 or 0 in windows.shape[1:]:
            raise ValueError(f"expected X of shape (n, window, features), got {windows.shape}")
        horizons = None if y is None else _read_horizons(y, windows)
        X_, y_ = _core.augment_windows(windows, horizons, as_options([self]), draw_seed(random_state))
        return X_ if y_ is None else (X_, y_)

    def _parameters(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True, repr=False)
class jitter(Augmentation):
    """Normal noise on each number of the window, like that of a sensor.

    Parameters
    ----------
    sigma : float, default=0.03
        Standard deviation of the noise.
    probability : float, default=0.5
        Share of the windows that are changed.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import augment
    >>> method = augment.jitter(sigma=0.1, probability=1)
    >>> method
    augment.jitter(sigma=0.1, probability=1.0)
    >>> noisy = method(np.zeros((100, 24, 1)), random_state=0)
    >>> noisy.shape, round(float(noisy.std()), 1)
    ((100, 24, 1), 0.1)
    """

    sigma: float = 0.03
    probability: float = 0.5


@dataclass(frozen=True, repr=False)
class scale(Augmentation):
    """One random factor for each target, over window and horizon; for each feature of a window alone.

    Parameters
    ----------
    sigma : float, default=0.1
        Standard deviation of the factor, whose mean is 1.
    probability : float, default=0.5
        Share of the windows that are changed.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import augment
    >>> X, y = augment.scale(probability=1)(np.ones((1, 3, 1)), np.ones((1, 2, 1)), random_state=0)
    >>> bool((X == X[0, 0, 0]).all() and (y == X[0, 0, 0]).all() and X[0, 0, 0] != 1)
    True
    """

    sigma: float = 0.1
    probability: float = 0.5


@dataclass(frozen=True, repr=False)
class magnitude_warp(Augmentation):
    """A smooth random curve for each target multiplies window and horizon, or each feature of a window alone.

    The curve is a cubic spline (SciPy's `CubicSpline`) through random values at equidistant knots.

    Parameters
    ----------
    knots : int, default=4
        Knots between the first row and the last, which have one each.
    sigma : float, default=0.2
        Standard deviation of the values at the knots, whose mean is 1.
    probability : float, default=0.5
        Share of the windows that are changed.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import augment
    >>> curve = augment.magnitude_warp(probability=1)(np.ones((1, 48, 1)), random_state=0)[0, :, 0]
    >>> bool(0 < np.abs(np.diff(curve)).max() < 0.1)
    True
    """

    knots: int = 4
    sigma: float = 0.2
    probability: float = 0.5


@dataclass(frozen=True, repr=False)
class time_warp(Augmentation):
    """A smooth random distortion of the time axis, the same for all columns.

    The speed of time is a random curve as in `magnitude_warp`, at least 0.1. The new time of a row is the sum of speeds
    up to it, scaled so that the first and last row, and the window's last row before a horizon, stay in place.

    Parameters
    ----------
    knots : int, default=4
        Knots of the curve between the first row and the last, which have one each.
    sigma : float, default=0.2
        Standard deviation of the values at the knots, whose mean is 1.
    probability : float, default=0.5
        Share of the windows that are changed.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import augment
    >>> rows = np.arange(10.0).reshape(1, 10, 1)
    >>> times = augment.time_warp(probability=1)(rows, random_state=0)[0, :, 0]
    >>> float(times[0]), float(times[-1]), bool((np.diff(times) > 0).all())
    (0.0, 9.0, True)
    """

    knots: int = 4
    sigma: float = 0.2
    probability: float = 0.5


@dataclass(frozen=True, repr=False)
class window_slice(Augmentation):
    """A part of the rows, stretched to the length of all rows.

    In a window alone, the part begins at a random row. With a horizon, it is the part around the window's last row, of
    a random size between ``size`` and 1, so that the horizon still follows the window.

    Parameters
    ----------
    size : float, default=0.9
        Length of the part, as a fraction of the rows.
    probability : float, default=0.5
        Share of the windows that are changed.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmforecast import augment
    >>> rows = np.arange(11.0).reshape(1, 11, 1)
    >>> part = augment.window_slice(size=0.8, probability=1)(rows, random_state=0)[0, :, 0]
    >>> round(float(part[-1] - part[0]), 6)
    8.0
    """

    size: float = 0.9
    probability: float = 0.5


_METHODS: dict[str, type[Augmentation]] = {
    method.__name__: method for method in (jitter, scale, magnitude_warp, time_warp, window_slice)
}


def resolve(augment: Any) -> list[Augmentation]:
    """Make objects of an estimator's ``augment``: a list of names and objects, or None.

    Raises
    ------
    TypeError
        If it is no list, or a member is neither a name nor an object.
    ValueError
        If a name is unknown.
    """
    if augment is None:
        return []
    if isinstance(augment, str) or not isinstance(augment, Sequence):
        raise TypeError(f"expected augment to be a list of names and objects or None, got {augment!r}")
    return [_resolve_one(item) for item in augment]


def _resolve_one(item: Any) -> Augmentation:
    if isinstance(item, Augmentation):
        return item
    if not isinstance(item, str):
        raise TypeError(f"expected augment to hold names and objects such as augment.jitter(), got {item!r}")
    if item not in _METHODS:
        raise ValueError(f"expected augment to hold names of {', '.join(map(repr, _METHODS))}, got {item!r}")
    return _METHODS[item]()


def as_options(augment: Any) -> list[AugmentOptions]:
    """The core's options for a list of names and objects, or None."""
    options = [{"method": type(item).__name__, **item._parameters()} for item in resolve(augment)]
    return cast("list[AugmentOptions]", options)


def pack(augment: Any) -> list[str | AugmentOptions] | None:
    """An estimator's ``augment`` as values for JSON; names stay names."""
    return None if augment is None else [item if isinstance(item, str) else as_options([item])[0] for item in augment]


def unpack(packed: list[str | Mapping[str, Any]] | None) -> list[str | Augmentation] | None:
    """The inverse of `pack`.

    Raises
    ------
    KeyError, TypeError, ValueError
        For anything that `pack` doesn't return.
    """
    if packed is None:
        return None
    return [item if isinstance(item, str) else _unpack_one(**item) for item in packed]


def _unpack_one(method: str, **parameters: Any) -> Augmentation:
    return _METHODS[method](**parameters)


def _read_numbers(name: str, values: ArrayLike, dtype: Any) -> Array:
    try:
        return np.asarray(values, dtype)
    except (TypeError, ValueError) as error:
        raise TypeError(f"expected {name} to hold numbers, got others ({error})") from error


def _read_horizons(y: ArrayLike, windows: Array) -> Array:
    horizons = _read_numbers("y", y, windows.dtype)
    n, _, n_features = windows.shape
    fits = horizons.ndim == 3 and len(horizons) == n and 0 not in horizons.shape[1:]
    if not fits or horizons.shape[2] > n_features:
        raise ValueError(
            f"expected y of shape ({n}, horizon, targets) with at most {n_features} targets, got {horizons.shape}"
        )
    return horizons
