"""Quantiles, means and probabilities of predicted distributions, from their parameters, in the user's units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstmforecast.contract import core_options
from lstmforecast.fitting.tweedie import CompoundGamma

# As in the configuration of a model; None: a point forecast.
Distribution = core_options.Distribution | None

N_PARAMETERS = {
    "normal": 2,
    "student_t": 3,
    "negative_binomial": 2,
    "poisson": 1,
    "zero_inflated_negative_binomial": 3,
    "lognormal": 2,
    "tweedie": 2,
}
COUNTS = ("negative_binomial", "poisson", "zero_inflated_negative_binomial")
# Their first parameter is the mean, and the others are of no use without it.
FROM_ZERO = (*COUNTS, "lognormal", "tweedie")


def name_of(distribution: Distribution) -> str | None:
    """The name of a distribution: "quantiles" or one of `N_PARAMETERS`; None for a point forecast.

    Examples
    --------
    >>> name_of("normal"), name_of({"quantiles": [0.5]}), name_of({"tweedie": 1.5}), name_of(None)
    ('normal', 'quantiles', 'tweedie', None)
    """
    if isinstance(distribution, Mapping):
        return str(next(iter(distribution), None))
    return distribution


def n_parameters(distribution: Distribution) -> int:
    """The number of parameters of each predicted value.

    Parameters
    ----------
    distribution : None, dict or str
        None for a point forecast, ``{"quantiles": [levels]}``, ``{"tweedie": power}``, "normal", "student_t",
        "negative_binomial", "poisson", "zero_inflated_negative_binomial" or "lognormal".

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
    if isinstance(distribution, Mapping) and len(distribution) == 1:
        if "quantiles" in distribution:
            return len(distribution["quantiles"])
        if "tweedie" in distribution:
            return N_PARAMETERS["tweedie"]
    words = [name for name in N_PARAMETERS if name != "tweedie"]
    if isinstance(distribution, str) and distribution in words:
        return N_PARAMETERS[distribution]
    names = ", ".join(map(repr, words))
    raise ValueError(
        f"expected a distribution of None, {{'quantiles': [levels]}}, {{'tweedie': power}}, {names}, "
        f"got {distribution!r}"
    )


def quantile(distribution: Distribution, parameters: ArrayLike, level: ArrayLike) -> NDArray[np.float64]:
    """The values below which the truth lies with a probability of `level`.

    Parameters
    ----------
    distribution : None, dict or str
        See `n_parameters`.
    parameters : array-like of shape (..., n_parameters)
        As the core predicts them: the forecast; ascending quantiles; location and standard deviation (normal);
        location, scale and degrees of freedom (Student's t); mean and dispersion (negative binomial, Tweedie); mean
        (Poisson); mean of all counts, dispersion and probability of an additional zero (zero-inflated); mean, and
        standard deviation of the logarithm (lognormal).
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
    if isinstance(distribution, Mapping) and "quantiles" in distribution:
        return _between_quantiles(levels, array, np.asarray(distribution["quantiles"], np.float64))
    quantiles = np.asarray(_frozen(distribution, array).ppf(levels), np.float64)
    # SciPy's count at a level of 0 is -1
    return np.maximum(quantiles, 0) if distribution in COUNTS else quantiles


def possible(distribution: Distribution, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make corrected quantiles such as the distribution can have: counts are rounded down, few values are negative.

    A whole number has the same probability at or below it as the values up to the next one.

    Examples
    --------
    >>> possible("poisson", np.array([-1.0, 2.7, 3.0])), possible("lognormal", np.array([-1.0, 2.7, 3.0]))
    (array([0., 2., 3.]), array([0. , 2.7, 3. ]))
    """
    name = name_of(distribution)
    if name in COUNTS:
        # in single precision, a whole number may come out slightly smaller
        values = np.floor(values + 1e-3)
    return np.maximum(values, 0) if name in FROM_ZERO else values


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
    if name_of(distribution) == "quantiles":
        return quantile(distribution, parameters, 0.5)
    return _checked(distribution, parameters)[..., 0].copy()


def from_middle(
    distribution: Distribution, values: NDArray[np.float64], parameters: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Subtract the middle quantile or the location from values and parameters; counts, and values from 0 on, stay.

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
    if name_of(distribution) in FROM_ZERO:
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
        Between predicted quantiles by linear interpolation, beyond them the outermost level; with half the
        probability of the value itself, which counts and the 0 of Tweedie's distribution have (the mid-distribution
        function: Parzen 2004).

    Raises
    ------
    ValueError
        If the distribution is None: a point forecast has no probabilities.

    Examples
    --------
    >>> probability("normal", [10.0, 2.0], [10.0, 12.0])
    array([0.5  , 0.841])
    """
    below, up_to = probabilities(distribution, parameters, value)
    return below if up_to is below else (up_to + below) / 2


def probabilities(
    distribution: Distribution, parameters: ArrayLike, value: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The probabilities that the truth lies below `value`, and at or below it; see `probability`.

    Examples
    --------
    >>> probabilities("poisson", [1.0], [0.0, 1.0])
    (array([0.   , 0.368]), array([0.368, 0.736]))
    """
    if distribution is None:
        raise ValueError("expected a distribution for the probability of a value, got a point forecast")
    array = _checked(distribution, parameters)
    values = np.asarray(value, np.float64)
    if isinstance(distribution, Mapping) and "quantiles" in distribution:
        between = _between_levels(values, array, np.asarray(distribution["quantiles"], np.float64))
        return between, between
    frozen = _frozen(distribution, array)
    up_to = np.asarray(frozen.cdf(values), np.float64)
    if distribution in COUNTS:
        return np.asarray(frozen.cdf(np.ceil(values) - 1), np.float64), up_to
    if isinstance(distribution, Mapping):
        return np.where(values <= 0, 0.0, up_to), up_to
    return up_to, up_to


def _checked(distribution: Distribution, parameters: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(parameters, np.float64)
    n = n_parameters(distribution)
    if array.ndim == 0 or array.shape[-1] != n:
        raise ValueError(f"expected parameters of shape (..., {n}) for {distribution!r}, got {array.shape}")
    return array


def _frozen(distribution: Distribution, parameters: NDArray[np.float64]) -> Any:
    """A distribution with these parameters, in the way of SciPy's."""
    # imported here, because it takes longer than the rest of the package
    from scipy import stats

    first, *others = np.moveaxis(parameters, -1, 0)
    if isinstance(distribution, Mapping) and "tweedie" in distribution:
        return CompoundGamma(distribution["tweedie"], first, *others)
    if distribution == "normal":
        return stats.norm(first, *others)
    if distribution == "student_t":
        return stats.t(others[1], first, others[0])
    if distribution == "poisson":
        return stats.poisson(first)
    if distribution == "lognormal":
        sigma = others[0]
        return stats.lognorm(sigma, scale=first * np.exp(-0.5 * sigma**2))
    if distribution == "zero_inflated_negative_binomial":
        return _ZeroInflated(first, *others)
    return _negative_binomial(first, *others)


def _negative_binomial(average: NDArray[np.float64], dispersion: NDArray[np.float64]) -> Any:
    from scipy import stats

    return stats.nbinom(1 / dispersion, 1 / (1 + dispersion * average))


class _ZeroInflated:
    """Counts, some of which are replaced by 0."""

    def __init__(
        self, average: NDArray[np.float64], dispersion: NDArray[np.float64], extra: NDArray[np.float64]
    ) -> None:
        self.extra, self.counted = extra, _negative_binomial(average / (1 - extra), dispersion)

    def cdf(self, value: NDArray[np.float64]) -> Any:
        return np.where(value < 0, 0.0, self.extra + (1 - self.extra) * self.counted.cdf(value))

    def ppf(self, level: NDArray[np.float64]) -> Any:
        return self.counted.ppf(np.maximum((level - self.extra) / (1 - self.extra), 0))


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
