"""Defaults that depend on the size and season of the data: window, segment, held-out rows, steps, loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstmforecast import _core

# Seasons in a window.
SEASONS = 14
LONGEST = 336
# Longer windows get longer segments: an LSTM's time grows with its number of steps.
STEPS = 24
VALIDATION_FRACTION = 0.2
# Windows held out of all series of a panel: enough to choose an epoch and to calibrate intervals of 99 % with.
HELD_OUT_WINDOWS = 500
STEPS_PER_EPOCH = 20
MOST_STEPS_PER_EPOCH = 200
MOST_STEPS_OF_SERIES = 40
# The default window doesn't grow beyond so many rows: if some number of rows suffices there, every larger one does.
_TRIED = 8 * LONGEST
# Windows of a panel may be longer than its series, which are padded, but only up to so many rows.
_MOST_PADDED = 10_000
# More than any series has.
_MOST_ROWS = 2**60
# The longest horizons for which Huber's loss is the default: in seasons, and in steps where no season is known.
NEAR_SEASONS = 4
NEAR = 96


def default_window_size(n_rows: int, horizon: int, season: int = 1) -> int:
    """Choose the rows that the network reads: 14 seasons, or else four horizons, but at most a quarter of the data.

    Parameters
    ----------
    n_rows : int
        Rows to train on.
    horizon : int
        Steps to forecast.
    season : int, default=1
        Steps of a season; 1: none is known.

    Returns
    -------
    int
        At least 1; whole seasons where there is room for two.

    Examples
    --------
    >>> default_window_size(8640, horizon=24, season=24), default_window_size(40, horizon=24, season=24)
    (336, 10)
    """
    wanted = min(max(SEASONS * season if season > 1 else 4 * horizon, 48), LONGEST)
    size = max(1, min(wanted, n_rows // 4))
    return size - size % season if size >= 2 * season else size


def default_segment_length(window_size: int, season: int = 1) -> int:
    """Choose the rows of a step: a season if the window has several whole ones, else so many that it has 4 to 24 steps.

    Examples
    --------
    >>> default_segment_length(336, season=24), default_segment_length(48), default_segment_length(10)
    (24, 2, 1)
    """
    if season > 1 and window_size >= 2 * season and window_size % season == 0:
        return season
    least = -(-window_size // STEPS)
    lengths = (length for length in range(least, window_size // 4 + 1) if window_size % length == 0)
    return next(lengths, 1)


def default_steps(n_windows: int, batch_size: int) -> int:
    """Choose the steps of an epoch for so many windows of a panel: 20 epochs are about 15 passes, within bounds.

    Examples
    --------
    >>> default_steps(300_000, batch_size=512), default_steps(1000, batch_size=512)
    (200, 20)
    """
    return min(max(STEPS_PER_EPOCH, n_windows * 3 // (4 * batch_size)), MOST_STEPS_PER_EPOCH)


def default_steps_of_series(n_rows: int, batch_size: int) -> int:
    """Choose the steps of an epoch for one series: 20 epochs are ten passes over its rows, within 20 to 40 steps.

    Variables of one series count once: their windows are of the same times.

    Examples
    --------
    >>> default_steps_of_series(52_000, batch_size=512), default_steps_of_series(17_000, batch_size=512)
    (40, 20)
    """
    return min(max(STEPS_PER_EPOCH, n_rows // (2 * batch_size)), MOST_STEPS_OF_SERIES)


def default_loss(horizon: int, season: int = 1) -> str:
    """Choose the loss for one series: Huber's up to four seasons ahead, where large errors are outliers; beyond, where
    the distribution of errors is wide and skewed, the squared error, whose minimum is the mean.

    Examples
    --------
    >>> default_loss(96, season=24), default_loss(336, season=24), default_loss(12)
    ('huber', 'mse', 'huber')
    """
    near = NEAR_SEASONS * season if season > 1 else NEAR
    return "huber" if horizon <= near else "mse"


def held_out_of_series(n_rows: int, horizon: int, window_size: int | None = None) -> float:
    """Choose the fraction of one series that is held out: a fifth, but of a short series two horizons, if they are at
    most a third of it; nothing where that, or what is left for a window and its horizon, is less than a horizon.

    Examples
    --------
    >>> held_out_of_series(1000, horizon=24), held_out_of_series(60, horizon=8), held_out_of_series(60, horizon=30)
    (0.2, 0.26666666666666666, 0.0)
    """
    fifth = round(VALIDATION_FRACTION * n_rows)
    least_left = horizon + (1 if window_size is None else window_size)
    rows = min(max(fifth, min(2 * horizon, n_rows // 3)), n_rows - least_left)
    if rows < horizon:
        return 0.0
    return VALIDATION_FRACTION if rows == fifth else rows / n_rows


def held_out_of_panel(lengths: NDArray[np.int64], horizon: int) -> float:
    """Choose the fraction of each series that is held out: two horizons for many series, more for few.

    Examples
    --------
    >>> held_out_of_panel(np.array([480] * 500), horizon=24), held_out_of_panel(np.array([480, 480]), horizon=24)
    (0.1, 0.2)
    """
    # windows of many series at one hour say little about other hours: at least a horizon of different origins
    wanted = horizon + max(horizon, -(-HELD_OUT_WINDOWS // len(lengths)))
    return min(VALIDATION_FRACTION, wanted / max(float(np.median(lengths)), 1.0))


def training_rows(n_rows: int, validation_fraction: float) -> int:
    """Count the rows that are trained on; those after them are held out.

    Examples
    --------
    >>> training_rows(11520, validation_fraction=0.25), training_rows(11520, validation_fraction=0.0)
    (8640, 11520)
    """
    try:
        return _core.time_split(n_rows, validation_fraction)[0]
    except ValueError:
        return 0


def _fewest(suffice: Callable[[int], bool], start: int) -> int:
    """The smallest number from ``start`` on that suffices: the first ones are tried in turn, then by bisection."""
    low = start + _TRIED
    for n in range(start, low):
        if suffice(n):
            return n
    high = low
    while high < _MOST_ROWS and not suffice(high):
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if suffice(middle) else (middle + 1, high)
    return low


class Sizes(NamedTuple):
    """The parameters on which window and segment depend.

    Parameters
    ----------
    horizon : int
        Steps to forecast.
    window_size, segment_length : int or None
        As given by the user; None: by default.
    season : int
        Steps of a season; 1: none is known.
    """

    horizon: int
    window_size: int | None = None
    segment_length: int | None = None
    season: int = 1

    def window(self, n_train: int) -> int:
        """The window for so many training rows."""
        if self.window_size is not None:
            return self.window_size
        size = default_window_size(n_train, self.horizon, self.season)
        length = self.segment_length or 1
        return max(size - size % length, length)

    def segment(self, window_size: int) -> int:
        """The segment of a window.

        Raises
        ------
        ValueError
            If the window is no multiple of it.
        """
        length = self.segment_length or default_segment_length(window_size, self.season)
        if window_size % length:
            raise ValueError(f"expected window_size to be a multiple of segment_length={length}, got {window_size}")
        return length

    def resolve(self, n_rows: int, validation_fraction: float) -> tuple[int, int]:
        """Choose window and segment, unless they are given, and check that the rows suffice to train with them.

        Parameters
        ----------
        n_rows : int
            Rows of the series.
        validation_fraction : float
            Part of the rows that is held out; 0: none.

        Raises
        ------
        ValueError
            If the training rows are fewer than a window and its horizon, or the held-out rows fewer than a horizon; the
            message has the number of rows that is needed.
        """

        def window_of(n: int) -> int:
            return self.window(training_rows(n, validation_fraction))

        def suffice(n: int) -> bool:
            train = training_rows(n, validation_fraction)
            return train >= window_of(n) + self.horizon and (train == n or n - train >= self.horizon)

        if suffice(n_rows):
            return window_of(n_rows), self.segment(window_of(n_rows))
        needed = _fewest(suffice, n_rows + 1)
        sizes = f"window_size={window_of(needed)}, horizon={self.horizon}"
        if validation_fraction == 0:
            raise ValueError(f"expected at least {needed} rows for {sizes}, got {n_rows}")
        raise ValueError(
            f"expected at least {needed} rows for {sizes} and validation_fraction={validation_fraction}, got {n_rows}; "
            f"early_stopping=None holds nothing out"
        )

    def of_panel(self, lengths: NDArray[np.int64], validation_fraction: float) -> tuple[int, int]:
        """Choose window and segment for series of these lengths: as for one of median length.

        Raises
        ------
        ValueError
            If no series has more rows than the horizon, or the window would be almost all padding.
        """
        longest = int(lengths.max())
        if longest <= self.horizon:
            raise ValueError(
                f"expected a series of more than {self.horizon} rows for horizon={self.horizon}, got {longest} at most"
            )
        train, _ = _core.panel_split(int(np.median(lengths)), validation_fraction, self.horizon)
        window_size = self.window(max(train, 1))
        most = max(longest, _MOST_PADDED)
        if window_size > most:
            raise ValueError(
                f"expected window_size to be at most {most} for a longest series of {longest} rows, got {window_size}"
            )
        return window_size, self.segment(window_size)
