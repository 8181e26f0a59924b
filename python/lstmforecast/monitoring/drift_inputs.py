"""Tests whether the distribution of inputs has changed: a window of new rows against a reference, by feature."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

N_CELLS = 50
CELLS_PER_BIN = 5
# Tests in the rows of a window.
CHECKS = 4


class Distances(NamedTuple):
    """Distances between windows and the reference, of each feature: arrays of shape (..., k).

    Parameters
    ----------
    ks : ndarray
        Kolmogorov-Smirnov: the greatest difference of the distribution functions, at quantiles of the reference.
    psi : ndarray
        Population stability index of ten bins, equally full in the reference, and one for missing values.
    square : ndarray
        Cramér-von Mises: the mean squared difference of the distribution functions.
    """

    ks: Array
    psi: Array
    square: Array


class Reference:
    """The distribution of inputs, as shares of cells between quantiles, and the newest window of rows.

    Autocorrelation makes windows differ more from the reference than independent rows would. Distances of windows of
    the reference itself give the number of independent rows with the same variation (`n_ks`), which scales the
    distributions of both statistics. Seasons can make it larger than the rows of a window, whose number is then used.

    Parameters
    ----------
    values : ndarray of shape (n, k)
        In time order, NaN where missing; missing values have a cell of their own.
    window : int
        Number of rows compared with the reference.
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
        """Replace the oldest row by the cells (k,) of a new one."""
        place, features = self.n_seen % self.window, np.arange(len(row))
        if self.n_seen >= self.window:
            self._counts[features, self._ring[place]] -= 1
        self._counts[features, row] += 1
        self._ring[place] = row
        self.n_seen += 1

    @property
    def is_due(self) -> bool:
        """Whether the window is full, and a quarter of it is new since the last test."""
        return self.n_seen >= self.window and self.n_seen % max(self.window // CHECKS, 1) == 0

    def distances(self, counts: Array | None = None) -> Distances:
        """Distances of the counts (k, cells) of a window, by default of the newest rows."""
        counts = self._counts if counts is None else counts
        difference = np.cumsum(counts / self.window - self.shares, axis=1)
        share = self._binned(counts + 0.5 / CELLS_PER_BIN)
        share /= share.sum(axis=1, keepdims=True)
        psi = ((share - self._bin_shares) * np.log(share / self._bin_shares)).sum(axis=1)
        return Distances(np.abs(difference).max(axis=1), psi, (self.shares * difference**2).sum(axis=1))

    def thresholds(self, chance: float) -> tuple[Array, Array]:
        """Thresholds that KS and PSI exceed with probability ``chance`` without drift: two arrays of shape (k,)."""
        from scipy import stats

        root = np.sqrt(self.n_ks)
        # Stephens' correction (1970) for a finite number of rows
        ks = stats.kstwobign.isf(chance) / (root + 0.12 + 0.11 / root)
        return np.minimum(ks, 1.0), self._psi_scale * stats.chi2.isf(chance, self._psi_freedom)

    def _binned(self, cells: Array) -> Array:
        """Sums over the cells of each bin: (k, bins)."""
        return np.add.reduceat(cells, self.bins, axis=1)

    def _calibrate(self, cells: NDArray[np.uint8]) -> None:
        """Estimate from windows of the reference how much windows differ from it by chance."""
        (n, _), window = cells.shape, self.window
        starts = range(0, n - window + 1, max(window // CHECKS, 1))
        counts = (
            np.array([np.bincount(column, minlength=N_CELLS + 1) for column in cells[start : start + window].T], float)
            for start in starts
        )
        _, psi, square = (np.array(column) for column in zip(*map(self.distances, counts), strict=True))
        # windows of the reference are closer to it than new ones, as they are a part of it
        nearness = (1 - window / n) / (1 + window / n)
        below = np.cumsum(self.shares, axis=1)
        expected = (self.shares * below * (1 - below)).sum(axis=1)
        # relative standard error of a mean over few windows
        caution = 1 + np.sqrt(window / n)
        with np.errstate(divide="ignore", invalid="ignore"):
            worth = expected / (caution * square.mean(axis=0)) * nearness
        self.n_ks = np.clip(np.nan_to_num(worth, nan=window), 1, window / (1 + window / n))
        filled = np.maximum((self._binned(self.shares) > 0).sum(axis=1) - 1, 1)
        mean = np.maximum(caution * psi.mean(axis=0) / nearness, filled * (1 / window + 1 / n))
        freedom = 2 * psi.mean(axis=0) ** 2 / np.maximum(psi.var(axis=0), 1e-300)
        # overlapping windows vary less than new ones
        self._psi_freedom = np.clip(0.7 * freedom, 1, filled)
        self._psi_scale = mean / self._psi_freedom


def _edges(values: Array) -> tuple[list[Array], NDArray[np.int64]]:
    """Quantiles between the cells of each feature, and the first cell of each bin."""
    levels = np.arange(1, N_CELLS) / N_CELLS
    edges = [np.quantile(column[~np.isnan(column)], levels) for column in values.T]
    return edges, np.r_[np.arange(0, N_CELLS, CELLS_PER_BIN), N_CELLS]
