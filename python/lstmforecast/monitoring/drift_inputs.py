"""Whether inputs are distributed as they were: a window of new rows against a reference, feature by feature."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

N_CELLS = 50
CELLS_PER_BIN = 5
# How often a window is tested while it is filled anew.
CHECKS = 4


class Distances(NamedTuple):
    """How far windows are from the reference, of each feature: arrays of shape (..., k).

    Parameters
    ----------
    ks : ndarray
        Kolmogorov and Smirnov's: the greatest difference of the distribution functions, at the reference's quantiles.
    psi : ndarray
        The population stability index of ten bins of equal size in the reference, and one for missing values.
    square : ndarray
        The mean square of the difference (Cramér and von Mises').
    """

    ks: Array
    psi: Array
    square: Array


class Reference:
    """What inputs were like, as shares of cells between quantiles; the newest window of rows is held against it.

    How autocorrelation is treated: windows of the reference itself are as far from the whole as their rows resemble
    each other. From their distances follows how many independent rows a window is worth (`n_ks`), by which the
    distributions of both statistics are scaled. Seasons that fit into a window make it worth more than its rows, which
    isn't believed.

    Parameters
    ----------
    values : ndarray of shape (n, k)
        In time order; NaN where missing, which is a cell of its own.
    window : int
        Rows that are held against it.
    """

    def __init__(self, values: Array, window: int) -> None:
        n, k = values.shape
        self.window = window
        self.edges, self.bins = _edges(values)
        cells = self.cells(values)
        self.shares = np.array([np.bincount(column, minlength=N_CELLS + 1) for column in cells.T]) / n
        self._bin_shares = self._binned(self.shares * n + 0.5 / CELLS_PER_BIN)
        self._bin_shares /= self._bin_shares.sum(axis=1, keepdims=True)
        self._calibrate(cells)
        self._ring = np.zeros((window, k), np.uint8)
        self._counts = np.zeros((k, N_CELLS + 1))
        self.n_seen = 0

    def cells(self, values: Array) -> NDArray[np.uint8]:
        """The cell of each value: (n, k)."""
        columns = [np.searchsorted(edges, column) for edges, column in zip(self.edges, values.T, strict=True)]
        found = np.stack(columns, axis=1)
        return np.where(np.isnan(values), N_CELLS, found).astype(np.uint8)

    def push(self, row: NDArray[np.uint8]) -> None:
        """Take in the cells (k,) of one row, in place of the oldest."""
        place, features = self.n_seen % self.window, np.arange(len(row))
        if self.n_seen >= self.window:
            self._counts[features, self._ring[place]] -= 1
        self._counts[features, row] += 1
        self._ring[place] = row
        self.n_seen += 1

    @property
    def is_due(self) -> bool:
        """Whether the window is full, and a quarter of it new since the last test."""
        return self.n_seen >= self.window and self.n_seen % max(self.window // CHECKS, 1) == 0

    def distances(self, counts: Array | None = None) -> Distances:
        """Those of a window's counts (k, cells); of the newest rows, if none are given."""
        counts = self._counts if counts is None else counts
        difference = np.cumsum(counts / self.window - self.shares, axis=1)
        share = self._binned(counts + 0.5 / CELLS_PER_BIN)
        share /= share.sum(axis=1, keepdims=True)
        psi = ((share - self._bin_shares) * np.log(share / self._bin_shares)).sum(axis=1)
        return Distances(np.abs(difference).max(axis=1), psi, (self.shares * difference**2).sum(axis=1))

    def thresholds(self, chance: float) -> tuple[Array, Array]:
        """What both statistics exceed with that chance where nothing has changed: two of shape (k,)."""
        from scipy import stats

        root = np.sqrt(self.n_ks)
        # Stephens' correction (1970) for a finite number of rows
        ks = stats.kstwobign.isf(chance) / (root + 0.12 + 0.11 / root)
        return np.minimum(ks, 1.0), self._psi_scale * stats.chi2.isf(chance, self._psi_freedom)

    def _binned(self, cells: Array) -> Array:
        """Sums over the cells of each bin: (k, bins)."""
        return np.add.reduceat(cells, self.bins, axis=1)

    def _calibrate(self, cells: NDArray[np.uint8]) -> None:
        """Learn from windows of the reference how far windows are from it by chance."""
        (n, _), window = cells.shape, self.window
        starts = range(0, n - window + 1, max(window // CHECKS, 1))
        counts = (
            np.array([np.bincount(column, minlength=N_CELLS + 1) for column in cells[start : start + window].T], float)
            for start in starts
        )
        _, psi, square = (np.array(column) for column in zip(*map(self.distances, counts), strict=True))
        # windows of the reference are nearer to it than others: they are part of it
        nearness = (1 - window / n) / (1 + window / n)
        below = np.cumsum(self.shares, axis=1)
        expected = (self.shares * below * (1 - below)).sum(axis=1)
        # the mean of few windows is uncertain, by about its own size over the root of their number
        caution = 1 + np.sqrt(window / n)
        with np.errstate(divide="ignore", invalid="ignore"):
            worth = expected / (caution * square.mean(axis=0)) * nearness
        self.n_ks = np.clip(np.nan_to_num(worth, nan=window), 1, window / (1 + window / n))
        filled = np.maximum((self._binned(self.shares) > 0).sum(axis=1) - 1, 1)
        mean = np.maximum(caution * psi.mean(axis=0) / nearness, filled * (1 / window + 1 / n))
        spread = 2 * psi.mean(axis=0) ** 2 / np.maximum(psi.var(axis=0), 1e-300)
        # windows that overlap vary less than those to come
        self._psi_freedom = np.clip(0.7 * spread, 1, filled)
        self._psi_scale = mean / self._psi_freedom


def _edges(values: Array) -> tuple[list[Array], NDArray[np.int64]]:
    """Quantiles between the cells of each feature, and the first cell of each bin."""
    levels = np.arange(1, N_CELLS) / N_CELLS
    edges = [np.quantile(column[~np.isnan(column)], levels) for column in values.T]
    return edges, np.r_[np.arange(0, N_CELLS, CELLS_PER_BIN), N_CELLS]
