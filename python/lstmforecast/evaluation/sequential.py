"""A confidence sequence for the mean of autocorrelated values: bounds that hold at all times at once.

The mean of the first n values is divided by their long-run standard deviation, which is estimated from the means of
batches. A batch has as many values as the rule of Politis and White gives, at least ``horizon``. The length is chosen
from the values so far, again each time that their number has doubled, so that a decision after n values stays when
more values come. The covariance of neighbouring batches is added where it is positive. For independent normal values
the mixture of the t-statistic over effects is a martingale, which ever exceeds ``1 / alpha`` with a probability of at
most alpha. For batch means this holds approximately; `python -m tests.accuracy compare` measures how well.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstmforecast.evaluation.bootstrap import block_length

Array = NDArray[np.float64]

# Batches before the first bounds: the standard deviation of fewer is too uncertain.
LEAST_BATCHES = 10
# Number of values after which the bounds are about as narrow as a confidence sequence of this level can be.
TARGET = 200


class ConfidenceSequence(NamedTuple):
    """Bounds of the mean of the first n values, for several n; all hold at once with the probability of the level.

    Parameters
    ----------
    n : ndarray of int of shape (m,)
        Numbers of values.
    mean, lower, upper : ndarray of shape (m,)
        Of the first n values. Bounds can be infinite after few values.
    """

    n: NDArray[np.int64]
    mean: Array
    lower: Array
    upper: Array

    @property
    def decided(self) -> int | None:
        """The index of the first bounds that exclude zero; None if there are none."""
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
        # the rule is unreliable for few values: a batch has at least the cube root of their number, its rate of growth
        length = max(horizon, block_length(values[:start]), int(np.ceil(start ** (1 / 3))))
        parts.append(_bounds(values[: 2 * start - 1], length, start, 1 - level))
        start *= 2
    empty = ConfidenceSequence(np.zeros(0, np.int64), *np.zeros((3, 0)))
    return ConfidenceSequence(*(np.concatenate(columns) for columns in zip(empty, *parts, strict=True)))


def _bounds(values: Array, length: int, start: int, alpha: float) -> ConfidenceSequence:
    """Bounds after each batch that ends at ``start`` values or later, from `LEAST_BATCHES` batches on."""
    n_batches = len(values) // length
    batches = values[: n_batches * length].reshape(n_batches, length).mean(axis=1)
    count = np.arange(1, n_batches + 1)
    means = np.cumsum(batches) / count
    kept = (count >= LEAST_BATCHES) & (count * length >= start)
    # sums of squares about a constant near the mean, to keep rounding errors small
    shifted = batches - batches.mean() if n_batches else batches
    squares = np.cumsum(shifted**2) - count * (np.cumsum(shifted) / count) ** 2
    # overlapping errors reach into the next batch: add the covariance of neighbours where it is positive
    products = _cumulated_products(shifted, np.cumsum(shifted) / count)
    count, mean = count[kept], means[kept]
    total = np.maximum(squares[kept], 0) + 2 * np.maximum(products[kept], 0)
    deviation = np.sqrt(total / (count - 1))
    radius = deviation / np.sqrt(count) * t_boundary(count, length, alpha)
    return ConfidenceSequence(count * length, mean, mean - radius, mean + radius)


def _cumulated_products(batches: Array, means: Array) -> Array:
    """After each batch, the sum over neighbouring batches of the products of their deviations from the mean so far."""
    if not len(batches):
        return batches
    sums = np.cumsum(batches)
    products = np.concatenate([[0.0], np.cumsum(batches[1:] * batches[:-1])])
    ends: Array = 2 * sums - batches[0] - batches
    count = np.arange(len(batches))
    return products - means * ends + count * means**2


def t_boundary(count: NDArray[np.int64], length: int, alpha: float) -> Array:
    """The bound that the t-statistic of the first ``count`` batches must exceed, for each count.

    With effects ~ N(0, g) and G = 1 + count g, the mixed likelihood ratio is
    ``G^(-1/2) ((1 + t^2 / v) / (1 + t^2 / (G v)))^(count / 2)``, v = count - 1; set to ``1 / alpha`` and solved for t.
    """
    doubled = 2 * np.log(1 / alpha)
    # g of a batch grows with the number of its values
    growth = 1 + count * length * (doubled + np.log1p(doubled)) / TARGET
    ratio = (growth / alpha**2) ** (1 / count)
    room = np.maximum(1 - ratio / growth, 0)
    with np.errstate(divide="ignore"):
        boundary: Array = np.sqrt((count - 1) * (ratio - 1) / room)
    return boundary
