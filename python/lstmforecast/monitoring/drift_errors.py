"""Tests whether errors have risen: batch means of ranks among the errors of the reference, by two tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstmforecast.evaluation.bootstrap import block_length
from lstmforecast.monitoring.change import Adwin, PageHinkley

Array = NDArray[np.float64]

# In standard deviations of a batch; rises of twice this size are found soonest.
ALLOWANCE = 0.25
LEAST_BATCHES = 20


class ErrorTests:
    """Page-Hinkley and ADWIN on absolute errors.

    An error is replaced by its rank among the errors of the reference, from 0 to 1, so that the tests don't depend on
    the distribution of errors. Ranks are averaged over batches, 1.5 times as long as the block length of Politis and
    White, so that the means of batches are nearly independent although errors are autocorrelated.

    Parameters
    ----------
    errors : ndarray of shape (m,)
        Absolute errors of the reference, in time order.
    window : int
        Rows for which ``chance`` holds.
    chance : float
        Expected false alarms of both tests in a window.
    """

    def __init__(self, errors: Array, window: int, chance: float) -> None:
        self._sorted = np.sort(errors)
        if len(errors) > 1000:  # quantiles need constant memory
            self._sorted = np.quantile(errors, (np.arange(1000) + 0.5) / 1000)
        ranks = self.ranks(errors)
        # 1.5 times, as the tests sum up the remaining autocorrelation
        self.length = max(min(block_length(ranks) * 3 // 2, len(errors) // LEAST_BATCHES), 1)
        n_batches = len(errors) // self.length
        batches = ranks[: n_batches * self.length].reshape(n_batches, self.length).mean(axis=1)
        self._mean, self._deviation = float(batches.mean()), float(max(batches.std(ddof=1), 1e-9))
        checks = max(window / self.length, 1.0)
        # the standard error of the mean of the reference is added
        allowance = ALLOWANCE + 1 / np.sqrt(n_batches)
        self.page_hinkley = PageHinkley.of_run_length(2 * checks / chance, allowance)
        self.adwin = Adwin(chance / 2 / checks, clock=1)
        for batch in batches:
            self.adwin.update(batch)
        self.adwin.change = 0.0
        self._sum, self._count = 0.0, 0
        # an alarm of ADWIN lasts for the batches of a window
        self._hold, self._left = int(np.ceil(checks)), 0

    def ranks(self, errors: Array) -> Array:
        """The share of the errors of the reference that are smaller; equal ones count half."""
        below, upto = (np.searchsorted(self._sorted, errors, side) for side in ("left", "right"))
        ranks: Array = (below + upto) / (2 * len(self._sorted))
        return ranks

    def push(self, error: float) -> bool:
        """Learn one error; returns whether a batch is full and was tested."""
        self._sum += float(self.ranks(np.array([error]))[0])
        self._count += 1
        if self._count < self.length:
            return False
        mean = self._sum / self.length
        self._sum, self._count = 0.0, 0
        self.page_hinkley.update((mean - self._mean) / self._deviation)
        risen = self.adwin.update(mean) and self.adwin.change > 0
        self._left = self._hold if risen else max(self._left - 1, 0)
        return True

    @property
    def has_risen(self) -> bool:
        """Whether ADWIN has found a rise less than a window ago."""
        return self._left > 0
