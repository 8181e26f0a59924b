"""Quantiles, means and probabilities of predicted distributions, from their parameters, in the user's units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstmforecast.contract import core_options

# As in the configuration of a model; None: a point forecast.
Distribution = core_options.Distribution | None

N_PARAMETERS = {"normal": 2, "student_t": 3, "negative_binomial": 2}


def n_parameters(distribution: Distribution) -> int:
    """The number of parameters of each predicted value.

    Parameters
    ----------
    distribution : None, dict or str
        None for a point forecast, ``{"quantiles": [levels]}``, "normal", "student_t" or "negative_binomial".

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> n_parameters(None), n_parameters({"quantiles": [0.1, 0.5, 0.9]}), n_parameters("student_t")
    (1, 3, 3)
    """
    if distribution is None:
        return 1
    if isinstance(distribution, Mapping) and list(distribution) == ["quantiles"]:
        return len(distribution["quantiles"])
    if isinstance(distribution, str) and distribution in N_PARAMETERS:
        return N_PARAMETERS[distribution]
    names = ", ".join(map(repr, N_PARAMETERS))
    raise ValueError(f"expected a distribution of None, {{'quantiles': [levels]}}, {names}, got {distribution!r}")


def quantile(distribution: Distribution, parameters: ArrayLike, level: ArrayLike) -> NDArray[np.float64]:
    """The values below which the truth lies with a probability of `level`.

    Parameters
    ----------
    distribution : None, dict or str
        See `n_parameters`.
    parameters : array-like of shape (..., n_parameters)
        As the core predicts them: the forecast; ascending quantiles; location and standard deviation; location, scale
        and degrees of freedom; mean and dispersion.
    level : float or array-like
        Between 0 and 1; an array is broadcast with (...).

    Returns
    -------
    ndarray of shape (...)
        Between predicted quantiles by linear interpolation, beyond them the outermost one. A point forecast is the same
        for all levels.

    Examples
    --------
    >>> quantile({"quantiles": [0.1, 0.5, 0.9]}, [10.0, 20.0, 40.0], [0.05, 0.1, 0.7])
    array([10., 10., 30.])
    """
    array = _checked(distribution, parameters)
    levels = np.asarray(level, np.float64)
    if distribution is None:
        return np.broadcast_to(array[..., 0], np.broadcast_shapes(array.shape[:-1], levels.shape)).copy()
    if isinstance(distribution, Mapping):
        return _between_quantiles(levels, array, np.asarray(distribution["quantiles"], np.float64))
    quantiles = np.asarray(_frozen(distribution, array).ppf(levels), np.float64)
    # SciPy's count at a level of 0 is -1
    return np.maximum(quantiles, 0) if distribution == "negative_binomial" else quantiles


def whole(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round quantiles of counts down to whole numbers from 0, which have the same probability below them.

    Examples
    --------
    >>> whole(np.array([-1.0, 2.7, 3.0]))
    array([0., 2., 3.])
    """
    # in single precision, a whole number may come out slightly smaller
    return np.maximum(np.floor(values + 1e-3), 0)


def mean(distribution: Distribution, parameters: ArrayLike) -> NDArray[np.float64]:
    """The expected values; of quantiles, which have none, the medians.

    Parameters
    ----------
    distribution : None, dict or str
        See `n_parameters`.
    parameters : array-like of shape (..., n_parameters)
        See `quantile`.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> mean("normal", [[1.0, 0.5], [2.0, 0.5]])
    array([1., 2.])
    """
    if isinstance(distribution, Mapping):
        return quantile(distribution, parameters, 0.5)
    return _checked(distribution, parameters)[..., 0].copy()


def from_middle(
    distribution: Distribution, values: NDArray[np.float64], parameters: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Subtract the middle quantile or the location from values and parameters; counts stay as they are.

    Parameters
    ----------
    distribution : dict or str
        See `n_parameters`.
    values : ndarray of shape (...)
    parameters : ndarray of shape (..., n_parameters)
        See `quantile`.

    Examples
    --------
    >>> from_middle("normal", np.array([10.5]), np.array([[10.0, 2.0]]))
    (array([0.5]), array([[0., 2.]]))
    """
    if distribution == "negative_binomial":
        return values, parameters
    moved = parameters.copy()
    if isinstance(distribution, Mapping):
        middle = parameters[..., parameters.shape[-1] // 2]
        moved -= middle[..., np.newaxis]
    else:
        middle = parameters[..., 0]
        moved[..., 0] = 0.0
    return values - middle, moved


def probability(distribution: Distribution, parameters: ArrayLike, value: ArrayLike) -> NDArray[np.float64]:
    """The probability that the truth lies below `value`: uniform over truths if the distribution is right.

    Parameters
    ----------
    distribution : dict or str
        See `n_parameters`.
    parameters : array-like of shape (..., n_parameters)
        See `quantile`.
    value : float or array-like
        In the units of the parameters; an array is broadcast with (...).

    Returns
    -------
    ndarray of shape (...)
        Between predicted quantiles by linear interpolation, beyond them the outermost level; for counts, with half the
        probability of the value itself (the mid-distribution function: Parzen 2004).

    Raises
    ------
    ValueError
        If the distribution is None: a point forecast has no probabilities.

    Examples
    --------
    >>> probability("normal", [10.0, 2.0], [10.0, 12.0])
    array([0.5  , 0.841])
    """
    if distribution is None:
        raise ValueError("expected a distribution for the probability of a value, got a point forecast")
    array = _checked(distribution, parameters)
    values = np.asarray(value, np.float64)
    if isinstance(distribution, Mapping):
        return _between_levels(values, array, np.asarray(distribution["quantiles"], np.float64))
    frozen = _frozen(distribution, array)
    if distribution == "negative_binomial":
        return np.asarray((frozen.cdf(values) + frozen.cdf(np.ceil(values) - 1)) / 2, np.float64)
    return np.asarray(frozen.cdf(values), np.float64)


def _checked(distribution: Distribution, parameters: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(parameters, np.float64)
    n = n_parameters(distribution)
    if array.ndim == 0 or array.shape[-1] != n:
        raise ValueError(f"expected parameters of shape (..., {n}) for {distribution!r}, got {array.shape}")
    return array


def _frozen(name: str, parameters: NDArray[np.float64]) -> Any:
    """SciPy's distribution with these parameters."""
    # imported here, because it takes longer than the rest of the package
    from scipy import stats

    if name == "normal":
        return stats.norm(parameters[..., 0], parameters[..., 1])
    if name == "student_t":
        return stats.t(parameters[..., 2], parameters[..., 0], parameters[..., 1])
    average, dispersion = parameters[..., 0], parameters[..., 1]
    return stats.nbinom(1 / dispersion, 1 / (1 + dispersion * average))


def _between_quantiles(
    level: NDArray[np.float64], quantiles: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    # the outermost quantiles are used up to the levels 0 and 1
    ends = np.concatenate([[0.0], levels, [1.0]])
    padded = np.concatenate([quantiles[..., :1], quantiles, quantiles[..., -1:]], axis=-1)
    at = np.clip(np.searchsorted(ends, level, side="right") - 1, 0, len(levels))
    lower, upper = _pick(padded, at), _pick(padded, at + 1)
    weight = np.clip((level - ends[at]) / (ends[at + 1] - ends[at]), 0, 1)
    # rounding must not lead beyond the next quantile
    return np.asarray(np.minimum(lower + weight * (upper - lower), upper), np.float64)


def _between_levels(
    value: NDArray[np.float64], quantiles: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    last = len(levels) - 1
    at = np.clip((quantiles <= value[..., None]).sum(axis=-1) - 1, 0, last)
    after = np.minimum(at + 1, last)
    lower, gap = _pick(quantiles, at), _pick(quantiles, after) - _pick(quantiles, at)
    # a gap of 0: the value is outside of all quantiles and gets the outermost level
    weight = np.clip((value - lower) / np.where(gap == 0, 1, gap), 0, 1)
    return np.asarray(levels[at] + weight * (levels[after] - levels[at]), np.float64)


def _pick(array: NDArray[np.float64], at: NDArray[np.intp]) -> NDArray[np.float64]:
    """One element of the last axis at each position; both arrays are broadcast."""
    shape = np.broadcast_shapes(array.shape[:-1], at.shape)
    whole = np.broadcast_to(array, (*shape, array.shape[-1]))
    return np.take_along_axis(whole, np.broadcast_to(at, shape)[..., None], axis=-1)[..., 0]
