"""The units in which errors of a panel's series are counted, so that those of all series can be pooled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A series whose values differ by less than this part of their size has no variation: what is left is rounding, some
# thousand times that of double precision, because sums and differences of values add theirs up.
ROUNDING = 1e-12
# The unit of a series without variation, as a part of its size, until its errors tell a better one.
PART_OF_SIZE = 1e-3
# A series whose errors are so many times as large in its unit as those of the others, or so small a part of them, needs
# another unit. Series that vary strongly stay in the pool: two of M4's 414 hourly ones are that far off.
TOO_LARGE, TOO_SMALL = 10.0, 0.2
# Windows from which its errors tell that. Its unit counts as one more, so that a few exact forecasts don't make it 0.
LEAST_WINDOWS = 5


class Units(NamedTuple):
    """What errors of the series of a panel are divided by (n_series, k), and which of them belong to the pool."""

    spreads: Array
    pooled: NDArray[np.bool_]

    def take(self, which: NDArray[np.int64]) -> Units:
        """Those of some series."""
        return Units(self.spreads[which], self.pooled[which])

    def are_pooled(self, which: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which windows of these series have errors, of any variable, that belong to the pool."""
        return np.asarray(self.pooled[which].any(axis=1), bool)

    def divisors(self, which: NDArray[np.int64]) -> Array:
        """By what the errors of windows of these series are divided: (n_windows, k)."""
        # a variable that never moves beside others that do: its errors count as 0 in the pool
        divisors: Array = np.where(self.spreads > 0, self.spreads, 2.0**1000)[which]
        return divisors


def has_variation(rows: Array) -> NDArray[np.bool_]:
    """Whether the known values of each column of rows (n, k) differ by more than rounding: (k,)."""
    known = ~np.isnan(rows)
    greatest = np.where(known, rows, -np.inf).max(axis=0, initial=-np.inf)
    least = np.where(known, rows, np.inf).min(axis=0, initial=np.inf)
    varies: NDArray[np.bool_] = greatest - least > ROUNDING * np.maximum(np.abs(greatest), np.abs(least))
    return varies


def spread_of(rows: Array, season: int) -> Array:
    """Mean absolute seasonal difference of each column, or of neighbours where there are too few rows or the seasons
    are alike; nan: unknown. A part of its size for a column without variation, which is 0 where all values are.
    """
    size: Array = np.where(np.isnan(rows), 0.0, np.abs(rows)).max(axis=0, initial=0.0)
    spread = np.full(rows.shape[1], np.nan)
    for lag in (season, 1):
        if len(rows) > lag:
            differences = np.abs(rows[lag:] - rows[:-lag])
            found = np.where(np.isnan(differences).all(axis=0), spread, _nanmean(differences))
            spread = np.where(spread > ROUNDING * size, spread, found)
    # two values that are alike say so, however far apart
    still = ((~np.isnan(rows)).sum(axis=0) > 1) & ~has_variation(rows) | (spread <= ROUNDING * size)
    return np.where(still, PART_OF_SIZE * size, spread)


def is_pooled(rows: Array) -> NDArray[np.bool_]:
    """Whether the errors of each column of rows (n, k) belong to those of other series: not where it has no variation.

    Of a row or none nothing can be said; those are.
    """
    unknown = (~np.isnan(rows)).sum(axis=0) < 2
    pooled: NDArray[np.bool_] = unknown | has_variation(rows)
    return pooled


def guess_spreads(spreads: Array, levels: Array, known: Units, known_levels: Array) -> Array:
    """Spreads (n_series, k), of which those that are unknown (nan) become the part of their level that is the median of
    the known series in the pool.

    Levels are mean absolute values: (n_series, k), and (m, k) of the known series.
    """
    guessed = spreads.copy()
    for column in range(spreads.shape[1]):
        told = known.pooled[:, column] & (known.spreads[:, column] > 0) & (known_levels[:, column] > 0)
        ratio, usual = PART_OF_SIZE, 1.0
        if told.any():
            ratio = float(np.median(known.spreads[told, column] / known_levels[told, column]))
            usual = float(np.median(known.spreads[told, column]))
        guess = np.where(levels[:, column] > 0, ratio * levels[:, column], usual)
        guessed[:, column] = np.where(np.isnan(spreads[:, column]), guess, spreads[:, column])
    return guessed


def units_from_errors(units: Units, sizes: Array, which: NDArray[np.int64]) -> Units:
    """Units of their own for series whose errors have nothing to do with those of the others.

    Series without variation before the rows held out, and those whose errors are far larger or smaller than those of
    the others, leave the pool: in their unit their mean error is the usual one.

    Parameters
    ----------
    units : Units
        By the variation of each series; those that don't belong to the pool stay outside.
    sizes : ndarray of shape (n_windows, k)
        Mean absolute error of each window.
    which : ndarray of shape (n_windows,)
        Their series.
    """
    n = np.bincount(which, minlength=len(units.spreads))
    sums = np.zeros_like(units.spreads)
    np.add.at(sums, which, sizes)
    spreads, pooled = units.spreads.copy(), units.pooled.copy()
    for column, (unit, of_pool) in enumerate(zip(spreads.T, pooled.T, strict=True)):
        unit[:], of_pool[:] = _own_units(unit, of_pool, sums[:, column], n)
    return Units(spreads, pooled)


def _own_units(
    unit: Array, pooled: NDArray[np.bool_], sums: Array, n: NDArray[np.int64]
) -> tuple[Array, NDArray[np.bool_]]:
    """The same for one variable: sums of the errors of ``n`` windows of each series."""
    told = pooled & (n > 0) & (sums > 0)
    if not told.any():
        # nothing to hold them against: all series are the pool
        mean = sums / np.maximum(n, 1)
        return np.where(unit > 0, unit, np.where(mean > 0, mean, 1.0)), np.ones_like(pooled)
    # of two series the calmer one: the other may be the one that is far off
    usual = np.quantile(sums[told] / n[told] / unit[told], 0.5, method="lower")
    own = (unit + sums / usual) / (1 + n)
    far_off = (n >= LEAST_WINDOWS) & ((own > TOO_LARGE * unit) | (own < TOO_SMALL * unit))
    pooled = pooled & ~far_off
    return np.where(pooled, unit, own), pooled


def _nanmean(differences: Array) -> Array:
    known = ~np.isnan(differences)
    mean_of: Array = np.where(known, differences, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return mean_of
