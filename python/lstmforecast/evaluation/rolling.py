"""Rolling origins: from which rows a backtest forecasts, and which rows each of its fits sees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstmforecast.contract.plain import plain
from lstmforecast.data.observations import Observations
from lstmforecast.data.panel import ranges
from lstmforecast.fitting.parameters import check_count

WINDOWS = ("expanding", "sliding")

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """Where forecasts begin.

    Attributes
    ----------
    which : ndarray of int of shape (n_windows,)
        The number of the series; 0 where there is one.
    origins : ndarray of int of shape (n_windows,)
        The row of the first step, counted from the beginning of its series.
    """

    which: Integers
    origins: Integers

    def __len__(self) -> int:
        return len(self.origins)

    def take(self, numbers: Integers | slice) -> Windows:
        """Some of them."""
        return Windows(self.which[numbers], self.origins[numbers])

    def first_rows(self, observations: Observations) -> Integers:
        """The rows of the first steps, counted over all series: (n_windows,)."""
        return observations.row_of(self.which, self.origins)

    def rows(self, observations: Observations, horizon: int) -> Integers:
        """The rows that are forecast, counted over all series: (n_windows, horizon)."""
        rows: Integers = self.first_rows(observations)[:, np.newaxis] + np.arange(horizon)
        return rows


class Fold(NamedTuple):
    """One fit and the forecasts made with it.

    Parameters
    ----------
    start, stop : ndarray of int of shape (n_series,)
        The rows of each series that are fitted on, from ``start`` to before ``stop``.
    windows : ndarray of int
        The numbers of the windows forecast.
    """

    start: Integers
    stop: Integers
    windows: Integers

    def rows(self, observations: Observations) -> Integers:
        """The rows fitted on, counted over all series."""
        return ranges(observations.row_of(np.arange(len(self.start)), self.start), self.stop - self.start)


@dataclass(frozen=True)
class Rolling:
    """The test part of each series, at its end, and the origins in it.

    Attributes
    ----------
    lengths, n_test : ndarray of int of shape (n_series,)
        Rows of each series, and of its test part.
    horizon, stride, gap : int
        As in `lstmforecast.backtest`.

    Examples
    --------
    >>> rolling = Rolling.of([100, 14], test_size=10, horizon=4, stride=3)
    >>> rolling.windows.which, rolling.windows.origins
    (array([0, 0, 0, 1, 1, 1]), array([90, 93, 96,  4,  7, 10]))
    >>> for fold in rolling.folds(refit=2):
    ...     print(fold.stop, fold.windows)
    [90  4] [0 1 3 4]
    [96 10] [2 5]
    """

    lengths: Integers
    n_test: Integers
    horizon: int
    stride: int
    gap: int = 0

    @classmethod
    def of(cls, lengths: Any, test_size: Any, horizon: int, stride: Any, gap: Any = 0) -> Rolling:
        """Check the options against series of these lengths.

        Raises
        ------
        TypeError, ValueError
            If one is out of range, or no series is long enough.
        """
        lengths = np.asarray(lengths, np.int64)
        n_test = _test_rows(lengths, test_size)
        longest = int(lengths.argmax())
        if n_test[longest] < horizon:
            raise ValueError(
                f"expected a test part of at least {horizon} rows for horizon={horizon}, got {n_test[longest]}"
            )
        rolling = cls(lengths, n_test, horizon, check_count("stride", stride), check_count("gap", gap, least=0))
        if rolling.first[longest] <= rolling.gap:
            raise ValueError(
                f"expected gap to be below the {rolling.first[longest]} rows before the test part, got {rolling.gap}"
            )
        return rolling

    @property
    def first(self) -> Integers:
        """The first row of each test part: (n_series,)."""
        return self.lengths - self.n_test

    @cached_property
    def n_origins(self) -> Integers:
        """How many windows of each series fit into its test part; none where no row before it is fitted on."""
        enough = (self.n_test >= self.horizon) & (self.first > self.gap)
        return np.where(enough, (self.n_test - self.horizon) // self.stride + 1, 0)

    @cached_property
    def windows(self) -> Windows:
        """All windows, series after series; the first begins with the test part, none goes beyond the last row."""
        which = np.repeat(np.arange(len(self.lengths)), self.n_origins)
        return Windows(which, self.first[which] + self._numbers * self.stride)

    @property
    def _numbers(self) -> Integers:
        """The number of each window in its series."""
        return ranges(np.zeros_like(self.n_origins), self.n_origins)

    def folds(self, refit: Any = False, window: str = "expanding", train_size: Any = None) -> list[Fold]:
        """Say what each fit sees: all rows before its first origin, or the last of them, less a gap.

        Series that have no windows are cut as many rows before their end as the others.

        Parameters
        ----------
        refit, window, train_size
            As in `lstmforecast.backtest`.

        Raises
        ------
        TypeError, ValueError
            If one of them is out of range, or ``train_size`` comes without ``window="sliding"``.
        """
        most = int(self.n_origins.max())
        refit = plain(refit)
        every = int(refit) if isinstance(refit, bool) else check_count("refit", refit)
        every = every or most
        before = np.maximum(self.first - self.gap, 0)
        size = _train_size(window, train_size, before)
        # a fraction makes test parts of several lengths: where one is through, its last origin stays
        last = np.maximum(self.lengths - np.minimum(self.n_test, self.horizon) - self.gap, 0)
        number = self._numbers // every
        folds = []
        for i in range(-(-most // every)):
            stop = np.clip(self.first - self.gap + i * every * self.stride, 0, last)
            start = np.zeros_like(stop) if size is None else np.maximum(stop - size, 0)
            folds.append(Fold(start, stop, np.flatnonzero(number == i)))
        return folds


def _test_rows(lengths: Integers, test_size: Any) -> Integers:
    """The rows of each test part, of which ``test_size`` is the number or the fraction."""
    test_size = plain(test_size)
    if isinstance(test_size, bool) or not isinstance(test_size, int | float):
        raise TypeError(f"expected test_size to be a number of rows or a fraction, got {test_size!r}")
    whole, longest = isinstance(test_size, int), int(lengths.max())
    if not 0 < test_size < (longest if whole else 1):
        of_which = "" if len(lengths) == 1 else ", one less than the longest series has,"
        raise ValueError(
            f"expected test_size to be a number of rows from 1 to {longest - 1}{of_which} or a fraction between 0 and "
            f"1, got {test_size!r}"
        )
    return np.full_like(lengths, test_size) if whole else np.round(lengths * float(test_size)).astype(np.int64)


def _train_size(window: str, train_size: Any, before: Integers) -> Integers | int | None:
    """How many rows each fit sees of ``before`` (n_series,), those before the first; None: all."""
    if not isinstance(window, str) or window not in WINDOWS:
        raise ValueError(f"expected window to be 'expanding' or 'sliding', got {window!r}")
    if window == "expanding":
        if train_size is not None:
            raise ValueError(f"expected train_size=None for window='expanding', got {train_size!r}")
        return None
    if train_size is None:
        return before
    size = check_count("train_size", train_size)
    if size > before.max():
        raise ValueError(
            f"expected train_size of at most {before.max()}, the rows before the first origin and its gap, got {size}"
        )
    return size
