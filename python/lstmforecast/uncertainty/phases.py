"""How large errors are at each phase of the season: a load is harder to forecast at eight than at four at night."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Phases count where their mean errors differ by so many times what chance explains. With errors that don't depend on
# the phase this happens in no simulated series, and intervals are then what they were.
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
        By the phase of the row that is forecast.
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


def spread_by_phase(sizes: Array, when: NDArray[np.int64], season: int) -> PhaseSpread | None:
    """Estimate the size of errors at each phase; None where phases don't differ by more than chance explains.

    The mean size of each step and phase is shrunk towards that of the step (empirical Bayes, as James and Stein 1961):
    by what chance explains of its difference, given its number of windows, and the variance between phases, which is
    that of all steps. Windows of a panel that begin at one time count as one, whose size is their mean: a storm in all
    shops on a Tuesday says nothing of Tuesdays.

    Parameters
    ----------
    sizes : ndarray of shape (n_windows, horizon, k)
        Absolute errors.
    when : ndarray of shape (n_windows,)
        The first row of each window, as the number of its step.
    season : int
        The number of phases.
    """
    horizon = sizes.shape[1]
    times, of_time = np.unique(when, return_inverse=True)
    if len(times) < LEAST_TIMES * season:
        return None
    mean = sizes.mean(axis=0)
    # errors that are all 0 are all alike
    relative = np.divide(sizes, mean, out=np.ones(sizes.shape), where=mean > 0)
    if len(times) < len(when):
        sums = np.zeros((len(times), *sizes.shape[1:]))
        np.add.at(sums, of_time, relative)
        relative = sums / np.bincount(of_time)[:, np.newaxis, np.newaxis]
    ahead = np.arange(horizon)
    cells = ahead * season + (times[:, np.newaxis] + ahead) % season
    powers = (np.ones(relative.shape), relative, relative**2)
    n, sums, squares = (_by_cell(each, cells, horizon * season) for each in powers)
    weights = _weights(n, sums, squares, horizon)
    if not weights.any():
        return None
    table = np.maximum(1 + weights * (sums / np.maximum(n, 1) - 1), LEAST_FACTOR)
    of_others = (sums[cells] - relative) / np.maximum(n[cells] - 1, 1)
    of_times = np.maximum(1 + np.where(n > 1, weights, 0.0)[cells] * (of_others - 1), LEAST_FACTOR)
    return PhaseSpread(table.reshape(horizon, season, -1), of_times[of_time])


def _weights(n: Array, sums: Array, squares: Array, horizon: int) -> Array:
    """How much the mean of each step and phase (n_cells, k) counts against that of the step, from 0 to 1."""
    means, several = sums / np.maximum(n, 1), n > 1
    noise = _noise(n, means, squares, horizon)
    differences = np.where(several, (means - 1) ** 2, 0.0).sum(axis=0)
    chance = np.where(several, noise, 0.0).sum(axis=0)
    evident = differences > LEAST_EVIDENCE * chance
    between = np.where(evident, (differences - chance) / np.maximum(several.sum(axis=0), 1), 0.0)
    weights: Array = np.divide(between, between + noise, out=np.zeros(noise.shape), where=(n > 0) & (between > 0))
    return weights


def _by_cell(values: Array, cells: NDArray[np.int64], n_cells: int) -> Array:
    """Sums of values (n_times, horizon, k) of each step and phase: (n_cells, k)."""
    columns = [np.bincount(cells.ravel(), values[..., i].ravel(), n_cells) for i in range(values.shape[2])]
    return np.stack(columns, axis=1)


def _noise(n: Array, means: Array, squares: Array, horizon: int) -> Array:
    """The variance of the mean of each step and phase that chance explains: that within phases, divided by ``n``."""
    within = (squares - n * means**2).reshape(horizon, -1, n.shape[1]).sum(axis=1)
    freedom = np.maximum(n - 1, 0).reshape(horizon, -1, n.shape[1]).sum(axis=1)
    variances = np.maximum(within, 0) / np.maximum(freedom, 1)
    noise: Array = variances.repeat(len(n) // horizon, axis=0) / np.maximum(n, 1)
    return noise
