"""How large errors are at each phase of the season: a load is harder to forecast at eight than at four at night."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Phases of the first season count where their mean errors differ by so many times what chance explains. With errors
# that don't depend on the phase this happens in no simulated series, and intervals are then what they were.
LEAST_EVIDENCE = 2.0
# Times of windows that are needed for each phase, on average: one alone has no spread.
LEAST_TIMES = 2
# No phase has a smaller factor: where all of its few errors were 0, the next one may not be.
LEAST_FACTOR = 0.1


class PhaseSpread(NamedTuple):
    """The size of errors by step ahead and phase, in that of all phases: 1 on average.

    Attributes
    ----------
    table : ndarray of shape (horizon, season, k)
        By the phase, of the longest season, of the row that is forecast.
    of_windows : ndarray of shape (n_windows, horizon, k)
        Of each window's steps, from the errors of the windows of other times: with its own error among them, a large
        error would enlarge its own divisor, and intervals would be too narrow.
    """

    table: Array
    of_windows: Array

    def at(self, when: NDArray[np.int64], steps: int) -> Array:
        """The factors (n, steps, k) of so many steps from those of the numbers ``when`` (n,) on."""
        ahead = np.arange(steps)
        factors: Array = self.table[ahead, (when[:, np.newaxis] + ahead) % self.table.shape[1]]
        return factors


def spread_by_phase(sizes: Array, when: NDArray[np.int64], seasons: Sequence[int]) -> PhaseSpread | None:
    """Estimate the size of errors at each phase; None where phases don't differ by more than chance explains.

    The mean size of each step and phase of the first season is shrunk towards that of the step (empirical Bayes, as
    James and Stein 1961): by what chance explains of its difference, given its number of windows, and the variance
    between phases, which is that of all steps. Windows of a panel that begin at one time count as one, whose size is
    their mean: a storm in all shops on a Tuesday says nothing of Tuesdays.

    What a longer season adds is estimated from what is left, over all steps ahead: first of each of its parts that are
    as long as the season before (the days of a week), then of each phase (the hours of a week). All errors at one row,
    or in one part, count as one.

    Parameters
    ----------
    sizes : ndarray of shape (n_windows, horizon, k)
        Absolute errors.
    when : ndarray of shape (n_windows,)
        The first row of each window, as the number of its step.
    seasons : sequence of int
        The numbers of phases, the shortest season first; each is a multiple of the one before.
    """
    times, of_time = np.unique(when, return_inverse=True)
    if len(times) < LEAST_TIMES * seasons[0]:
        return None
    mean = sizes.mean(axis=0)
    # errors that are all 0 are all alike
    relative = np.divide(sizes, mean, out=np.ones(sizes.shape), where=mean > 0)
    if len(times) < len(when):
        sums = np.zeros((len(times), *sizes.shape[1:]))
        np.add.at(sums, of_time, relative)
        relative = sums / np.bincount(of_time)[:, np.newaxis, np.newaxis]
    ahead = np.arange(sizes.shape[1])
    rows = times[:, np.newaxis] + ahead
    cells, n_cells = ahead * seasons[0] + rows % seasons[0], len(ahead) * seasons[0]
    table, of_rows = _factors(relative, cells, n_cells, len(ahead), LEAST_EVIDENCE)
    table = table.reshape(len(ahead), seasons[0], -1)
    for shorter, season in itertools.pairwise(seasons):
        phases = np.arange(season)
        table = table[:, phases % shorter]
        for length in (shorter, 1):
            by_part, of_parts = _factors_of_parts(relative / of_rows, rows // length, season // length)
            table, of_rows = table * by_part[phases // length], of_rows * of_parts
    if (table == 1).all():
        return None
    return PhaseSpread(table, of_rows[of_time])


def _factors(
    relative: Array, cells: NDArray[np.int64], n_cells: int, n_kinds: int, evidence: float
) -> tuple[Array, Array]:
    """The shrunken mean of each cell (n_cells, k), and of each value (..., k) that of the others in its cell.

    Cells are of ``n_kinds``, one after the other, with a variance each; ``evidence`` is how many times what chance
    explains their means must differ by.
    """
    powers = (np.ones(relative.shape), relative, relative**2)
    n, sums, squares = (_by_cell(each, cells, n_cells) for each in powers)
    weights = _weights(n, sums, squares, n_kinds, evidence)
    table = np.maximum(1 + weights * (sums / np.maximum(n, 1) - 1), LEAST_FACTOR)
    of_others = (sums[cells] - relative) / np.maximum(n[cells] - 1, 1)
    return table, np.maximum(1 + np.where(n > 1, weights, 0.0)[cells] * (of_others - 1), LEAST_FACTOR)


def _factors_of_parts(relative: Array, parts: NDArray[np.int64], n_phases: int) -> tuple[Array, Array]:
    """The same by phase of the parts of time (n_times, horizon) that values are in; those of a part count as one."""
    numbers, of_part = np.unique(parts, return_inverse=True)
    if len(numbers) < LEAST_TIMES * n_phases:
        return np.ones((n_phases, relative.shape[2])), np.ones(relative.shape)
    of_part = of_part.reshape(parts.shape)
    n = np.bincount(of_part.ravel(), minlength=len(numbers))
    means = _by_cell(relative, of_part, len(numbers)) / n[:, np.newaxis]
    # two standard deviations above what chance explains, which is 1 on average (a chi-squared variable)
    evidence = 1 + 2 * np.sqrt(2 / n_phases)
    table, found = _factors(means[:, np.newaxis], numbers[:, np.newaxis] % n_phases, n_phases, 1, evidence)
    return table, found[of_part, 0]


def _weights(n: Array, sums: Array, squares: Array, n_kinds: int, least_evidence: float) -> Array:
    """How much the mean of each cell (n_cells, k) counts against that of its kind, from 0 to 1."""
    means, several = sums / np.maximum(n, 1), n > 1
    noise = _noise(n, means, squares, n_kinds)
    differences = np.where(several, (means - 1) ** 2, 0.0).sum(axis=0)
    chance = np.where(several, noise, 0.0).sum(axis=0)
    evident = differences > least_evidence * chance
    between = np.where(evident, (differences - chance) / np.maximum(several.sum(axis=0), 1), 0.0)
    weights: Array = np.divide(between, between + noise, out=np.zeros(noise.shape), where=(n > 0) & (between > 0))
    return weights


def _by_cell(values: Array, cells: NDArray[np.int64], n_cells: int) -> Array:
    """Sums of values (n_times, horizon, k) of each cell: (n_cells, k)."""
    columns = [np.bincount(cells.ravel(), values[..., i].ravel(), n_cells) for i in range(values.shape[2])]
    return np.stack(columns, axis=1)


def _noise(n: Array, means: Array, squares: Array, n_kinds: int) -> Array:
    """The variance of the mean of each step and phase that chance explains: that within phases, divided by ``n``."""
    within = (squares - n * means**2).reshape(n_kinds, -1, n.shape[1]).sum(axis=1)
    freedom = np.maximum(n - 1, 0).reshape(n_kinds, -1, n.shape[1]).sum(axis=1)
    variances = np.maximum(within, 0) / np.maximum(freedom, 1)
    noise: Array = variances.repeat(len(n) // n_kinds, axis=0) / np.maximum(n, 1)
    return noise
