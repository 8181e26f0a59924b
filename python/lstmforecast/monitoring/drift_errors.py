"""Whether errors are as small as they were: ranks among those of the reference, in batches, through two detectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstmforecast.evaluation.bootstrap import block_length
from lstmforecast.monitoring.change import Adwin, PageHinkley

Array = NDArray[np.float64]

# Rises of twice so many deviations of a batch are found the soonest.
ALLOWANCE = 0.25
LEAST_BATCHES = 20


class ErrorTests:
    """Page-Hinkley and ADWIN on absolute errors.

    An error counts as its rank among the reference's, from 0 to 1, so that neither detector depends on how errors are
    distributed. How autocorrelation is treated: ranks are averaged over batches, half as long again as the rule of
    Politis and White says that ranks resemble each other; means of batches are nearly independent.

    Parameters
    ----------
    errors : ndarray of shape (m,)
        Absolute errors of the reference, in time order.
    window : int
        Rows for which ``chance`` holds.
    chance : float
        Expected false alarms of both detectors in a window.
    """

    def __init__(self, errors: Array, window: int, chance: float) -> None:
        self._sorted = np.sort(errors)
        if len(errors) > 1000:  # quantiles are enough, and constant
            self._sorted = np.quantile(errors, (np.arange(1000) + 0.5) / 1000)
        ranks = self.ranks(errors)
        # half as long again: detectors add up what little is left of the resemblance
        self.length = max(min(block_length(ranks) * 3 // 2, len(errors) // LEAST_BATCHES), 1)
        n_batches = len(errors) // self.length
        batches = ranks[: n_batches * self.length].reshape(n_batches, self.length).mean(axis=1)
        self._mean, self._deviation = float(batches.mean()), float(max(batches.std(ddof=1), 1e-9))
        checks = max(window / self.length, 1.0)
        # the mean that they are held against isn't known better than this
        allowance = ALLOWANCE + 1 / np.sqrt(n_batches)
        self.page_hinkley = PageHinkley.of_run_length(2 * checks / chance, allowance)
        self.adwin = Adwin(chance / 2 / checks, clock=1)
        for batch in batches:
            self.adwin.update(batch)
        self.adwin.change = 0.0
        self._sum, self._count = 0.0, 0
        # windows are full of batches when an alarm of ADWIN's is over
        self._hold, self._left = int(np.ceil(checks)), 0

    def ranks(self, errors: Array) -> Array:
        """The part of the reference's errors that are smaller, ties by half."""
        below, upto = (np.searchsorted(self._sorted, errors, side) for side in ("left", "right"))
        ranks: Array = (below + upto) / (2 * len(self._sorted))
        return ranks

    def push(self, error: float) -> bool:
        """Take in one error; whether a batch is full, and both have judged it."""
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
