"""A confidence sequence for the mean of values that resemble their neighbours: valid at all times at once.

How it copes with dependence. The mean of the first n values is held against their long-run deviation, which is
estimated from the means of batches: of as many values as the rule of Politis and White asks for, ``horizon`` at least.
The length is chosen from the values so far, anew each time that their number has doubled, so that what was decided
after n values stays decided when more come. The covariance of neighbouring batches is added, where it is positive. For
independent normal values the t-statistic mixed over effects is a martingale in its own history, which exceeds ``1 /
alpha`` ever with probability alpha at most; batch means come near to that, and `python -m tests.accuracy compare`
measures how near.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstmforecast.evaluation.bootstrap import block_length

Array = NDArray[np.float64]

# Batches before anything is said: the deviation of fewer is a guess.
LEAST_BATCHES = 10
# The bounds are narrowest, for their level, after about so many values.
TARGET = 200


class ConfidenceSequence(NamedTuple):
    """Bounds of the mean after each of some numbers of values, all of which hold together with the level's probability.

    Parameters
    ----------
    n : ndarray of int of shape (m,)
        Numbers of values.
    mean, lower, upper : ndarray of shape (m,)
        Of the first n values. Bounds are infinite where little is known.
    """

    n: NDArray[np.int64]
    mean: Array
    lower: Array
    upper: Array

    @property
    def decided(self) -> int | None:
        """The place of the first bounds that leave out zero; None if there are none."""
        away = np.flatnonzero((self.lower > 0) | (self.upper < 0))
        return int(away[0]) if len(away) else None


def confidence_sequence(values: Array, horizon: int, level: float) -> ConfidenceSequence:
    """Bounds for the mean of ``values`` (n,), after each whole batch.

    The mixture of the t-statistic over normal effects: Wang and Ramdas (2025), Anytime-valid t-tests and confidence
    sequences for Gaussian means with unknown variance; for many values the asymptotic confidence sequence of
    Waudby-Smith et al. (2024), Time-uniform central limit theory.
    """
    parts, n, start = [], len(values), LEAST_BATCHES
    while start <= n:
        # the rule sees little in few values: a batch has the cube root of their number, as its answer would grow
        length = max(horizon, block_length(values[:start]), int(np.ceil(start ** (1 / 3))))
        parts.append(_bounds(values[: 2 * start - 1], length, start, 1 - level))
        start *= 2
    empty = ConfidenceSequence(np.zeros(0, np.int64), *np.zeros((3, 0)))
    return ConfidenceSequence(*(np.concatenate(columns) for columns in zip(empty, *parts, strict=True)))


def _bounds(values: Array, length: int, start: int, alpha: float) -> ConfidenceSequence:
    """Bounds after each batch that ends at ``start`` values or later, and of which there are enough."""
    n_batches = len(values) // length
    batches = values[: n_batches * length].reshape(n_batches, length).mean(axis=1)
    count = np.arange(1, n_batches + 1)
    means = np.cumsum(batches) / count
    kept = (count >= LEAST_BATCHES) & (count * length >= start)
    # sums of squares about a constant near the mean, which rounding can't make negative by much
    shifted = batches - batches.mean() if n_batches else batches
    squares = np.cumsum(shifted**2) - count * (np.cumsum(shifted) / count) ** 2
    # errors that overlap reach into the next batch: neighbours' covariance counts, where it is positive
    products = _cumulated_products(shifted, np.cumsum(shifted) / count)
    count, mean = count[kept], means[kept]
    total = np.maximum(squares[kept], 0) + 2 * np.maximum(products[kept], 0)
    deviation = np.sqrt(total / (count - 1))
    radius = deviation / np.sqrt(count) * t_boundary(count, length, alpha)
    return ConfidenceSequence(count * length, mean, mean - radius, mean + radius)


def _cumulated_products(batches: Array, means: Array) -> Array:
    """Sums over neighbouring batches of the products of their deviations from the mean so far, after each batch."""
    if not len(batches):
        return batches
    sums = np.cumsum(batches)
    products = np.concatenate([[0.0], np.cumsum(batches[1:] * batches[:-1])])
    ends: Array = 2 * sums - batches[0] - batches
    count = np.arange(len(batches))
    return products - means * ends + count * means**2


def t_boundary(count: NDArray[np.int64], length: int, alpha: float) -> Array:
    """What the t-statistic of the first ``count`` batches must exceed, for each count.

    With effects ~ N(0, g) and G = 1 + count g, the mixed likelihood ratio is
    ``G^(-1/2) ((1 + t^2 / v) / (1 + t^2 / (G v)))^(count / 2)``, v = count - 1; set to ``1 / alpha`` and solved for t.
    """
    spread = 2 * np.log(1 / alpha)
    # g of a batch: the more values in it, the greater the effect
    growth = 1 + count * length * (spread + np.log1p(spread)) / TARGET
    ratio = (growth / alpha**2) ** (1 / count)
    room = np.maximum(1 - ratio / growth, 0)
    with np.errstate(divide="ignore"):
        boundary: Array = np.sqrt((count - 1) * (ratio - 1) / room)
    return boundary
