"""Probabilities and quantiles of Tweedie's distribution, a sum of a Poisson number of gamma variables."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# Values whose terms are in memory at once.
_AT_ONCE = 2048
# The last step towards the logarithm of a quantile: the error after it is some square of it.
_LAST_STEP = 1e-5


class CompoundGamma:
    """Tweedie's distribution of a power between 1 and 2 (Jørgensen 1987), whose variance is dispersion * mean**power.

    Where hundreds of gamma variables are summed, it is the gamma distribution, moved, of the same mean, variance and
    skewness: quantiles between 0.001 and 0.999 are then within 0.005 standard deviations.

    Parameters
    ----------
    power : float
    mean, dispersion : array-like
        Above 0; they are broadcast together.

    Examples
    --------
    >>> CompoundGamma(1.5, 2.0, 1.0).cdf(0.0).round(3)  # exp(-sqrt(2) / 0.5)
    np.float64(0.059)
    """

    def __init__(self, power: float, mean: ArrayLike, dispersion: ArrayLike) -> None:
        self.power = power
        self.mean, self.dispersion = np.asarray(mean, np.float64), np.asarray(dispersion, np.float64)

    def cdf(self, value: ArrayLike) -> Array:
        """The probability of at most this value."""
        values, mean, dispersion = np.broadcast_arrays(np.asarray(value, np.float64), self.mean, self.dispersion)
        unknown = np.isnan(values + mean + dispersion)
        found = np.where(unknown, np.nan, np.where(values < 0, 0.0, 1.0))
        at = ~unknown & (values >= 0) & (values < np.inf)
        found[at] = self._cdf(values[at], mean[at], dispersion[at])
        return found[()]

    def ppf(self, level: ArrayLike) -> Array:
        """The least value that has at least this probability at or below it."""
        levels, mean, dispersion = np.broadcast_arrays(np.asarray(level, np.float64), self.mean, self.dispersion)
        unknown = np.isnan(levels + mean + dispersion)
        found = np.where(unknown, np.nan, np.where(levels == 1, np.inf, 0.0))
        at = ~unknown & (levels > np.exp(-self._rate(mean, dispersion))) & (levels < 1)
        found[at] = self._ppf(levels[at], mean[at], dispersion[at])
        return found[()]

    def _rate(self, mean: Array, dispersion: Array) -> Array:
        """The mean number of gamma variables."""
        rate: Array = mean ** (2 - self.power) / (dispersion * (2 - self.power))
        return rate

    def _are_many(self, mean: Array, dispersion: Array) -> NDArray[np.bool_]:
        many: NDArray[np.bool_] = self._rate(mean, dispersion) * (2 - self.power) > max(50, 100 * (2 - self.power))
        return many

    def _cdf(self, values: Array, mean: Array, dispersion: Array) -> Array:
        from scipy.special import gammainc

        many = self._are_many(mean, dispersion)
        found = np.empty_like(values)
        shape, scale, shift = self._moved_gamma(mean[many], dispersion[many])
        found[many] = gammainc(shape, np.maximum(values[many] - shift, 0) / scale)
        few = ~many
        rate, unit = self._rate(mean[few], dispersion[few]), self._unit(mean[few], dispersion[few])
        found[few] = np.exp(-rate) + self._above_zero(rate, values[few] / unit)[0]
        # rounding of many terms
        return np.minimum(found, 1)

    def _ppf(self, levels: Array, mean: Array, dispersion: Array) -> Array:
        from scipy.special import gammaincinv

        shape, scale, shift = self._moved_gamma(mean, dispersion)
        found: Array = np.maximum(shift + scale * gammaincinv(shape, levels), 0)
        few = ~self._are_many(mean, dispersion)
        rate, unit = self._rate(mean[few], dispersion[few]), self._unit(mean[few], dispersion[few])
        found[few] = unit * self._inverted(levels[few], rate, found[few] / unit)
        return found

    def _moved_gamma(self, mean: Array, dispersion: Array) -> tuple[Array, Array, Array]:
        """Shape, scale and shift of a gamma distribution with the same first three moments."""
        shape = 4 / self.power**2 * mean ** (2 - self.power) / dispersion
        return shape, self.power / 2 * dispersion * mean ** (self.power - 1), mean * (1 - 2 / self.power)

    def _unit(self, mean: Array, dispersion: Array) -> Array:
        """The scale of the gamma variables."""
        unit: Array = dispersion * (self.power - 1) * mean ** (self.power - 1)
        return unit

    def _above_zero(self, rate: Array, x: Array) -> tuple[Array, Array]:
        """The probability of values above 0 and at most ``x``, in units, and ``x`` times the density there."""
        from scipy.special import gammainc, gammaln, xlogy

        shape = (2 - self.power) / (self.power - 1)
        probability, density = np.empty_like(x), np.empty_like(x)
        # neighbours have about as many terms
        order = np.argsort(rate)
        for start in range(0, len(x), _AT_ONCE):
            at = order[start : start + _AT_ONCE]
            r, y = rate[at, np.newaxis], x[at, np.newaxis]
            # other numbers of gamma variables have a probability of 1e-14
            reach = 8 * np.sqrt(r) + 10
            first = np.maximum(np.floor(r - reach), 1)
            n = first + np.arange(int((r + reach - first).max()) + 1)
            weight = np.exp(xlogy(n, r) - r - gammaln(n + 1))
            a = n * shape
            probability[at] = (weight * gammainc(a, y)).sum(axis=1)
            density[at] = (weight * np.exp(xlogy(a, y) - y - gammaln(a))).sum(axis=1)
        return probability, density

    def _inverted(self, levels: Array, rate: Array, guess: Array) -> Array:
        """Quantiles above 0, in units: Newton's method on log-odds over the logarithm, within bounds."""
        lowest = np.exp(-rate)
        wanted = np.log(levels - lowest) - np.log1p(-levels)
        found = np.log(np.maximum(guess, 1e-3))
        # a quantile below this is 0 for double precision
        low, high = np.full_like(found, -700.0), np.full_like(found, 700.0)
        left = np.arange(len(found))
        for _ in range(200):
            s, x = found[left], np.exp(found[left])
            probability, density = self._above_zero(rate[left], x)
            above = np.maximum(1 - lowest[left] - probability, 0)
            with np.errstate(divide="ignore", invalid="ignore"):
                error = np.log(probability) - np.log(above) - wanted[left]
                step = error / (density / probability + density / above)
            low[left], high[left] = np.where(error < 0, s, low[left]), np.where(error < 0, high[left], s)
            moved = s - step
            inside = (moved > low[left]) & (moved < high[left])
            moved = np.where(inside, moved, (low[left] + high[left]) / 2)
            found[left] = moved
            left = left[~inside | (np.abs(moved - s) > _LAST_STEP)]
            if not len(left):
                break
        return np.exp(found)
