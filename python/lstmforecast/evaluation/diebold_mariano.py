"""The test of Diebold and Mariano: is the mean of loss differences zero?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstmforecast.evaluation.bootstrap import autocovariances

Array = NDArray[np.float64]


class MeanTest(NamedTuple):
    """A statistic, the degrees of freedom of its t distribution, and its p-value.

    Parameters
    ----------
    statistic, freedom, p_value : float
        The statistic is nan where all differences are zero (p 1), infinite where all are the same otherwise (p 0).
    """

    statistic: float
    freedom: float
    p_value: float


def diebold_mariano(differences: Array, horizon: int, alternative: str) -> MeanTest:
    """The test with the correction for small samples of Harvey, Leybourne and Newbold (1997), on n - 1 degrees.

    The variance sums ``horizon - 1`` autocovariances with full weight, as errors of forecasts ``horizon`` steps ahead
    are correlated that long. If that sum is negative, it takes Bartlett's weights, with which it can't be.
    """
    n = len(differences)
    covariances = autocovariances(differences, horizon - 1)
    variance = covariances[0] + 2 * covariances[1:].sum()
    if not variance > 0:
        variance = covariances[0] + 2 * (1 - np.arange(1, horizon) / horizon) @ covariances[1:]
    correction = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    return _judge(differences, np.sqrt(max(variance, 0) / n / correction), n - 1, alternative)


def cosine_test(differences: Array, horizon: int, alternative: str) -> MeanTest:
    """A test for differences that are autocorrelated for an unknown time.

    The long-run variance is the mean square of ``0.4 n^(2/3)`` cosine coefficients, which are nearly independent
    for any autocorrelation: Lazarus, Lewis, Stock and Watson (2018), HAR inference: recommendations for practice.
    Cosines are at least eight horizons long: shorter ones underestimate the variance of the mean.
    """
    n = len(differences)
    n_cosines = max(2, int(min(0.4 * n ** (2 / 3), n / (4 * horizon))))
    steps, waves = np.arange(n) + 0.5, np.arange(1, n_cosines + 1)
    coefficients = np.sqrt(2 / n) * np.array([np.cos(np.pi * wave * steps / n) @ differences for wave in waves])
    return _judge(differences, np.sqrt(np.mean(coefficients**2) / n), n_cosines, alternative)


def _judge(differences: Array, deviation: float, freedom: int, alternative: str) -> MeanTest:
    from scipy import stats

    mean = float(differences.mean())
    # if all differences are equal, the deviation is a rounding error
    if deviation <= 1e-14 * np.abs(differences).max(initial=0):
        statistic = np.nan if mean == 0 else np.copysign(np.inf, mean)
    else:
        statistic = mean / deviation
    if np.isnan(statistic):
        return MeanTest(statistic, freedom, 1.0)
    tails = {
        "two-sided": 2 * stats.t.sf(abs(statistic), freedom),
        "less": stats.t.cdf(statistic, freedom),
        "greater": stats.t.sf(statistic, freedom),
    }
    return MeanTest(float(statistic), freedom, float(tails[alternative]))
