"""`Folds` applied to series of given lengths: the origins of forecasts, and the rows of each fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstmforecast.data.observations import Observations
from lstmforecast.data.panel import ranges
from lstmforecast.evaluation.folds import Folds

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Origins:
    """Where forecasts begin.

    Attributes
    ----------
    series : ndarray of int of shape (n_origins,)
        The number of the series of each origin; 0 where there is one.
    rows : ndarray of int of shape (n_origins,)
        The row of the first step, counted from the beginning of its series.
    """

    series: Integers
    rows: Integers

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, numbers: Integers | slice) -> Origins:
        """Select some origins."""
        return Origins(self.series[numbers], self.rows[numbers])

    def first_rows(self, observations: Observations) -> Integers:
        """The rows of the first steps, counted over all series: (n_origins,)."""
        return observations.row_of(self.series, self.rows)

    def rows_forecast(self, observations: Observations, horizon: int) -> Integers:
        """The rows that are forecast, counted over all series: (n_origins, horizon)."""
        rows: Integers = self.first_rows(observations)[:, np.newaxis] + np.arange(horizon)
        return rows


class Fold(NamedTuple):
    """One fit and the forecasts made with it.

    Parameters
    ----------
    start, stop : ndarray of int of shape (n_series,)
        The rows of each series that are fitted on, from ``start`` to before ``stop``.
    origins : ndarray of int
        The indices of the origins of its forecasts.
    """

    start: Integers
    stop: Integers
    origins: Integers

    def rows(self, observations: Observations) -> Integers:
        """The rows fitted on, counted over all series."""
        return ranges(observations.row_of(np.arange(len(self.start)), self.start), self.stop - self.start)


@dataclass(frozen=True)
class RollingOrigins:
    """The test set of each series, at its end, and the origins in it.

    Attributes
    ----------
    lengths, n_test : ndarray of int of shape (n_series,)
        Rows of each series, and of its test set.
    n_read : int
        Rows of the test set that a forecast needs from its origin on: its horizon, or more where the network reads
        covariates of more rows.
    options : Folds
        The options of the user.

    Examples
    --------
    >>> rolling = RollingOrigins.of([100, 14], Folds(10, stride=3, refit=2), 4)
    >>> rolling.origins.series, rolling.origins.rows
    (array([0, 0, 0, 1, 1, 1]), array([90, 93, 96,  4,  7, 10]))
    >>> for fold in rolling.folds():
    ...     print(fold.stop, fold.origins)
    [90  4] [0 1 3 4]
    [96 10] [2 5]
    """

    lengths: Integers
    n_test: Integers
    n_read: int
    options: Folds

    @classmethod
    def of(cls, lengths: Any, options: Folds, horizon: int, n_read: int | None = None) -> RollingOrigins:
        """Check the options against series of these lengths; None reads as many rows as are forecast.

        Raises
        ------
        ValueError
            If no series is long enough.
        """
        lengths = np.asarray(lengths, np.int64)
        n_test = _test_rows(lengths, options.test_size)
        longest = int(lengths.argmax())
        n_read = horizon if n_read is None else n_read
        if n_test[longest] < n_read:
            read = "" if n_read == horizon else f" and the {n_read} rows of X that the network reads at once"
            raise ValueError(
                f"expected a test set of at least {n_read} rows for horizon={horizon}{read}, got {n_test[longest]}"
            )
        rolling = cls(lengths, n_test, n_read, options)
        before = rolling.first[longest]
        if before <= options.gap:
            raise ValueError(f"expected gap to be below the {before} rows before the test set, got {options.gap}")
        if options.train_size is not None and options.train_size > rolling.before.max():
            raise ValueError(
                f"expected train_size of at most {rolling.before.max()}, the rows before the first origin and its gap, "
                f"got {options.train_size}"
            )
        return rolling

    @property
    def first(self) -> Integers:
        """The first row of each test set: (n_series,)."""
        return self.lengths - self.n_test

    @property
    def before(self) -> Integers:
        """Rows of each series that the first fit may use: (n_series,)."""
        return np.maximum(self.first - self.options.gap, 0)

    @cached_property
    def n_origins(self) -> Integers:
        """The number of forecasts in the test set of each series; 0 if no row before it can be fitted on."""
        enough = (self.n_test >= self.n_read) & (self.first > self.options.gap)
        return np.where(enough, (self.n_test - self.n_read) // self.options.stride + 1, 0)

    @cached_property
    def origins(self) -> Origins:
        """All origins, series by series: from the first test row to the last one with enough rows after it."""
        series = np.repeat(np.arange(len(self.lengths)), self.n_origins)
        return Origins(series, self.first[series] + self._numbers * self.options.stride)

    @property
    def _numbers(self) -> Integers:
        """The number of each origin in its series."""
        return ranges(np.zeros_like(self.n_origins), self.n_origins)

    def folds(self) -> list[Fold]:
        """Choose the rows of each fit: all rows before its first origin, or the last of them, without the gap.

        Series without an origin end as many rows before their last row as the others.
        """
        options, most = self.options, int(self.n_origins.max())
        every = int(options.refit) or most
        # with a fraction, test sets have different lengths: a series without further origins keeps its last one
        last = np.maximum(self.lengths - np.minimum(self.n_test, self.n_read) - options.gap, 0)
        number = self._numbers // every
        folds = []
        for i in range(-(-most // every)):
            stop = np.clip(self.first - options.gap + i * every * options.stride, 0, last)
            folds.append(Fold(self._start(stop), stop, np.flatnonzero(number == i)))
        return folds

    def _start(self, stop: Integers) -> Integers:
        """The first row of each series in a fit: (n_series,)."""
        if self.options.window == "expanding":
            return np.zeros_like(stop)
        size = self.before if self.options.train_size is None else self.options.train_size
        start: Integers = np.maximum(stop - size, 0)
        return start


def _test_rows(lengths: Integers, test_size: int | float) -> Integers:
    """The rows of each test set, of which ``test_size`` is the number or the fraction: (n_series,)."""
    if isinstance(test_size, float):
        return np.round(lengths * test_size).astype(np.int64)
    longest = int(lengths.max())
    if test_size >= longest:
        of_which = "" if len(lengths) == 1 else ", one less than the longest series has"
        raise ValueError(f"expected a test set of at most {longest - 1} rows{of_which}, got {test_size}")
    return np.full_like(lengths, test_size)
