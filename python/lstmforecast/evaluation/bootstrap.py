"""The circular block bootstrap of a mean, for autocorrelated values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Starts of blocks that are drawn at a time, to limit memory.
_MOST_STARTS = 2**20


def autocovariances(values: Array, n_lags: int) -> Array:
    """Autocovariances of lag 0 to ``n_lags``, each a sum divided by n: (n_lags + 1,)."""
    centred, n = values - values.mean(), len(values)
    return np.array([centred[lag:] @ centred[: n - lag] / n for lag in range(n_lags + 1)])


def block_length(values: Array) -> int:
    """The block length that estimates the variance of the mean of ``values`` (n,) with the smallest error.

    The rule of Politis and White (2004), Automatic block-length selection for the dependent bootstrap, as corrected by
    Patton, Politis and White (2009): 1 for white noise, greater for a longer autocorrelation.
    """
    n = len(values)
    most = int(np.ceil(min(3 * np.sqrt(n), n / 3)))
    run = max(5, int(np.ceil(np.sqrt(np.log10(n)))))
    n_lags = min(int(np.ceil(np.sqrt(n))) + run, n - 1)
    covariances = autocovariances(values, n_lags)
    if not covariances[0] > 0:
        return 1
    insignificant = np.abs(covariances[1:] / covariances[0]) < 1.96 * np.sqrt(np.log10(n) / n)
    bandwidth = min(2 * max(_last_before_run(insignificant, run), 1), n_lags)
    lags = np.arange(1, bandwidth + 1)
    # a lag window that is flat up to its middle, then falls to zero
    weights = np.minimum(1.0, 2 * (1 - lags / bandwidth)) * covariances[1 : bandwidth + 1]
    slope, variance = 2 * (weights @ lags), covariances[0] + 2 * weights.sum()
    if not variance > 0:
        return 1
    best = (1.5 * slope**2 / variance**2 * n) ** (1 / 3)
    return int(np.clip(np.ceil(best), 1, most))


def resampled_means(values: Array, length: int, n_resamples: int, generator: np.random.Generator) -> Array:
    """Means of ``n_resamples`` series of random blocks of ``values`` (n,), whose end continues at its beginning."""
    n = len(values)
    n_blocks = -(-n // length)
    # the last block fills up the n values
    whole, last = (_block_sums(values, size) for size in (length, n - (n_blocks - 1) * length))
    sums: Array = np.empty(n_resamples)
    # a limited number of starts at a time, whatever the number of values
    n_rows = max(_MOST_STARTS // n_blocks, 1)
    for begin in range(0, n_resamples, n_rows):
        part = sums[begin : begin + n_rows]
        starts = generator.integers(0, n, (len(part), n_blocks))
        part[:] = whole[starts[:, :-1]].sum(axis=1) + last[starts[:, -1]]
    return sums / n


def _block_sums(values: Array, length: int) -> Array:
    """The sum of the block that begins at each value."""
    sums = np.concatenate([[0.0], np.cumsum(np.concatenate([values, values[:length]]))])
    difference: Array = sums[length : length + len(values)] - sums[: len(values)]
    return difference


def _last_before_run(insignificant: NDArray[np.bool_], run: int) -> int:
    """The lag after which ``run`` lags in a row are insignificant; without such a run, the last significant one."""
    for lag in range(len(insignificant) - run + 1):
        if insignificant[lag : lag + run].all():
            return lag
    return int(np.flatnonzero(~insignificant)[-1]) + 1
