"""The scale by which errors of each series of a panel are divided, so that errors of all series can be pooled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A series whose values differ by less than this fraction of their absolute size is constant: smaller differences are
# rounding errors. They are some thousand times those of double precision, because sums and differences add them up.
ROUNDING = 1e-12
# The error scale of a constant series, as a fraction of its absolute size, until its errors tell a better one.
PART_OF_SIZE = 1e-3
# A series whose scaled errors are so many times those of the others, or so small a fraction of them, gets another
# scale. Series that vary strongly stay in the pool: two of M4's 414 hourly series are that far off.
TOO_LARGE, TOO_SMALL = 10.0, 0.2
# Windows that are needed to decide this from errors. The scale before counts as one more window, so that a few exact
# forecasts don't make it 0.
LEAST_WINDOWS = 5
# Of errors that are so many times those of the others, a single window is enough.
OUT_OF_RANGE = 100.0


class ErrorScale(NamedTuple):
    """The divisor of errors of each series, and whether its scaled errors are pooled: (n_series, k) each."""

    scale: Array
    pooled: NDArray[np.bool_]

    def take(self, which: NDArray[np.int64]) -> ErrorScale:
        """Select some series."""
        return ErrorScale(self.scale[which], self.pooled[which])

    def are_pooled(self, which: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each window, given its series, has pooled errors of any variable: (n_windows,)."""
        return np.asarray(self.pooled[which].any(axis=1), bool)

    def divisors(self, which: NDArray[np.int64]) -> Array:
        """The divisors of errors of windows, given their series: (n_windows, k)."""
        # a variable that is always 0 beside others that vary: its errors count as 0 in the pool
        divisors: Array = np.where(self.scale > 0, self.scale, 2.0**1000)[which]
        return divisors


def has_variation(rows: Array) -> NDArray[np.bool_]:
    """Whether the known values of each column of rows (n, k) differ by more than rounding: (k,)."""
    known = ~np.isnan(rows)
    greatest = np.where(known, rows, -np.inf).max(axis=0, initial=-np.inf)
    least = np.where(known, rows, np.inf).min(axis=0, initial=np.inf)
    varies: NDArray[np.bool_] = greatest - least > ROUNDING * np.maximum(np.abs(greatest), np.abs(least))
    return varies


def seasonal_scale(rows: Array, season: int) -> Array:
    """Mean absolute seasonal difference of each column of rows (n, k), the scale of MASE: (k,).

    Differences of neighbours are taken where there are too few rows or the seasons are equal. NaN where nothing is
    known. A constant column has a fraction of its absolute size, which is 0 where all values are.
    """
    size: Array = np.where(np.isnan(rows), 0.0, np.abs(rows)).max(axis=0, initial=0.0)
    scale = np.full(rows.shape[1], np.nan)
    for lag in (season, 1):
        if len(rows) > lag:
            differences = np.abs(rows[lag:] - rows[:-lag])
            found = np.where(np.isnan(differences).all(axis=0), scale, _nanmean(differences))
            scale = np.where(scale > ROUNDING * size, scale, found)
    # two equal values are enough, however far apart they are
    constant = ((~np.isnan(rows)).sum(axis=0) > 1) & ~has_variation(rows) | (scale <= ROUNDING * size)
    return np.where(constant, PART_OF_SIZE * size, scale)


def is_pooled(rows: Array) -> NDArray[np.bool_]:
    """Whether errors of each column of rows (n, k) are pooled with those of other series: (k,).

    Those of a constant column are not. With fewer than two known values nothing can be said, and the errors are pooled.
    """
    unknown = (~np.isnan(rows)).sum(axis=0) < 2
    pooled: NDArray[np.bool_] = unknown | has_variation(rows)
    return pooled


def fill_unknown_scales(scale: Array, magnitude: Array, known: ErrorScale, known_magnitude: Array) -> Array:
    """Replace NaN in error scales (n_series, k) by the magnitude of the series times the usual ratio of the two.

    The ratio is the median over the known series in the pool. Magnitudes are mean absolute values: (n_series, k), and
    (n_known, k) of the known series.
    """
    filled = scale.copy()
    for column in range(scale.shape[1]):
        usable = known.pooled[:, column] & (known.scale[:, column] > 0) & (known_magnitude[:, column] > 0)
        ratio, usual = PART_OF_SIZE, 1.0
        if usable.any():
            ratio = float(np.median(known.scale[usable, column] / known_magnitude[usable, column]))
            usual = float(np.median(known.scale[usable, column]))
        guess = np.where(magnitude[:, column] > 0, ratio * magnitude[:, column], usual)
        filled[:, column] = np.where(np.isnan(scale[:, column]), guess, scale[:, column])
    return filled


def scale_from_errors(
    error_scale: ErrorScale, errors: Array, which: NDArray[np.int64], least: int = LEAST_WINDOWS
) -> ErrorScale:
    """Correct the error scale of series whose errors are not comparable with those of the others.

    Series that were constant before the held-out rows, and series whose scaled errors are far larger or smaller than
    those of the others, leave the pool. Their new scale makes their mean error the usual one.

    Parameters
    ----------
    error_scale : ErrorScale
        From the variation of each series; series outside the pool stay outside.
    errors : ndarray of shape (n_windows, k)
        Mean absolute error of each window.
    which : ndarray of shape (n_windows,)
        The series of each window.
    least : int
        Windows that are needed to decide, unless errors are out of all range.
    """
    n = np.bincount(which, minlength=len(error_scale.scale))
    sums = np.zeros_like(error_scale.scale)
    np.add.at(sums, which, errors)
    scale, pooled = error_scale.scale.copy(), error_scale.pooled.copy()
    for column, (of_scale, of_pooled) in enumerate(zip(scale.T, pooled.T, strict=True)):
        of_scale[:], of_pooled[:] = _corrected(of_scale, of_pooled, sums[:, column], n, least)
    return ErrorScale(scale, pooled)


def _corrected(
    scale: Array, pooled: NDArray[np.bool_], sums: Array, n: NDArray[np.int64], least: int
) -> tuple[Array, NDArray[np.bool_]]:
    """`scale_from_errors` of one variable: ``sums`` are those of the errors of ``n`` windows of each series."""
    usable = pooled & (n > 0) & (sums > 0)
    if not usable.any():
        # no errors to compare with: all series are pooled
        mean = sums / np.maximum(n, 1)
        return np.where(scale > 0, scale, np.where(mean > 0, mean, 1.0)), np.ones_like(pooled)
    # of two series the one with the smaller errors: the other one may be far off
    usual = np.quantile(sums[usable] / n[usable] / scale[usable], 0.5, method="lower")
    # where most series have errors out of range, the scale of one that hasn't is that of its own errors all the same
    before = scale * min(1.0, TOO_LARGE / usual)
    own = (before + sums / usual) / (1 + n)
    far_off = (n >= least) & ((own > TOO_LARGE * scale) | (own < TOO_SMALL * scale))
    pooled = pooled & ~far_off & ~(own > OUT_OF_RANGE * scale)
    return np.where(pooled, scale, own), pooled


def _nanmean(differences: Array) -> Array:
    known = ~np.isnan(differences)
    mean_of: Array = np.where(known, differences, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return mean_of
