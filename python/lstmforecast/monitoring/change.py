"""Tests for a change of the mean of a stream, one number at a time in constant memory."""

from __future__ import annotations

import math

import numpy as np


class PageHinkley:
    """Page and Hinkley's test for a rise of the mean above a known one.

    ``statistic`` is the greatest sum of the newest values, each minus ``allowance``. It exceeds ``threshold`` when the
    mean has risen. It never exceeds twice the threshold, so that it falls soon after the mean has fallen.

    Parameters
    ----------
    allowance : float
        How far a value may be above the known mean, in standard deviations.
    threshold : float
        The greatest sum without an alarm.

    References
    ----------
    Page (1954), Continuous inspection schemes. Hinkley (1971), Inference about the change-point from cumulative sums.

    Examples
    --------
    >>> test = PageHinkley(allowance=0.5, threshold=2.0)
    >>> [test.update(value) for value in (0.0, 1.0, 2.0, 2.0)]
    [False, False, False, True]
    """

    def __init__(self, allowance: float, threshold: float) -> None:
        self.allowance = allowance
        self.threshold = threshold
        self.statistic = 0.0

    @classmethod
    def of_run_length(cls, run_length: float, allowance: float) -> PageHinkley:
        """The test with a false alarm after ``run_length`` independent normal values on average.

        The threshold solves Siegmund's approximation (1985), ``(e^(2ab) - 2ab - 1) / 2a^2`` with the allowance a and a
        threshold of b - 1.166.
        """
        from scipy.optimize import brentq

        def excess(b: float) -> float:
            return math.log(math.expm1(2 * allowance * b) - 2 * allowance * b) - math.log(2 * allowance**2 * run_length)

        return cls(allowance, max(float(brentq(excess, 1e-3, 350 / allowance)) - 1.166, 0.1))

    def update(self, value: float) -> bool:
        """Learn one value; returns whether the mean has risen."""
        self.statistic = min(max(self.statistic + value - self.allowance, 0.0), 2 * self.threshold)
        return self.statistic > self.threshold


class Adwin:
    """Adaptive windowing (ADWIN): a window of the newest values, as long as their mean hasn't changed.

    The window is stored as counts, means and squares of buckets whose sizes double: n values take ``5 log2 n`` buckets.
    At each check the window is cut where the means of both sides differ by more than chance explains, and the values
    before the cut are dropped.

    Parameters
    ----------
    delta : float, default=0.002
        Greatest probability of a false cut at each check.
    clock : int, default=32
        Number of values from one check to the next.
    least : int, default=5
        Fewest values on each side of a cut.

    Attributes
    ----------
    n : int
        Number of values in the window.
    mean : float
        Mean of the window.
    change : float
        Mean of the newer side minus that of the older side at the last cut; 0 before the first.

    References
    ----------
    Bifet and Gavaldà (2007), Learning from time-changing data with adaptive windowing: ADWIN2, with the bound on the
    variance.

    Examples
    --------
    >>> adwin = Adwin()
    >>> [i for i in range(2000) if adwin.update(float(i >= 1000))]
    [1023, 1055]
    """

    MOST_ALIKE = 5
    MOST_BUCKETS = 120

    def __init__(self, delta: float = 0.002, clock: int = 32, least: int = 5) -> None:
        self.delta = delta
        self.clock = clock
        self.least = least
        self.change = 0.0
        self._seen = 0
        # of each bucket, the oldest first: count, mean, sum of squares about it
        self._buckets: list[tuple[int, float, float]] = []

    @property
    def n(self) -> int:  # noqa: D102
        return sum(count for count, _, _ in self._buckets)

    @property
    def mean(self) -> float:  # noqa: D102
        return sum(count * mean for count, mean, _ in self._buckets) / max(self.n, 1)

    def update(self, value: float) -> bool:
        """Learn one value; returns whether the window was cut."""
        self._seen += 1
        self._buckets.append((1, float(value), 0.0))
        self._compress()
        return self._seen % self.clock == 0 and self._cut()

    def _compress(self) -> None:
        """Join the two oldest buckets of each size that has too many."""
        end = len(self._buckets)
        while end:
            start = end
            while start and self._buckets[start - 1][0] == self._buckets[end - 1][0]:
                start -= 1
            if end - start <= self.MOST_ALIKE:
                break
            self._buckets[start : start + 2] = [_joined(*self._buckets[start : start + 2])]
            end = start + 1
        del self._buckets[: -self.MOST_BUCKETS]

    def _cut(self) -> bool:
        """Drop the oldest buckets while there is a cut between different means."""
        found = False
        while (change := self._greatest_change()) is not None:
            self.change, found = change, True
            del self._buckets[0]
        return found

    def _greatest_change(self) -> float | None:
        """The newer mean minus the older one at the most significant cut; None if no cut is significant."""
        counts, means, squares = (np.array(column) for column in zip(*self._buckets, strict=True))
        n, total = counts.sum(), counts @ means
        if n < 2 * self.least:
            return None
        older, sums = counts.cumsum()[:-1], (counts * means).cumsum()[:-1]
        newer = n - older
        wide = (older >= self.least) & (newer >= self.least)
        if not wide.any():
            return None
        rise = ((total - sums) / newer - sums / older)[wide]
        variance = (squares.sum() + counts @ (means - total / n) ** 2) / n
        inverse = (1 / older + 1 / newer)[wide]
        doubt = math.log(2 * math.log(n) / self.delta)
        bound = np.sqrt(2 * inverse * variance * doubt) + 2 / 3 * inverse * doubt
        place = int((np.abs(rise) / bound).argmax())
        return float(rise[place]) if abs(rise[place]) > bound[place] else None


def _joined(a: tuple[int, float, float], b: tuple[int, float, float]) -> tuple[int, float, float]:
    """Count, mean and squares of two buckets together."""
    count = a[0] + b[0]
    apart = b[1] - a[1]
    return count, a[1] + apart * b[0] / count, a[2] + b[2] + apart**2 * a[0] * b[0] / count
