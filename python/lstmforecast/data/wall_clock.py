"""Rows by the clock on the wall, on which days are alike: where clocks change, an hour is missing or there twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import Tick

from lstmforecast.data.index import Frequency, parse_frequency
from lstmforecast.data.local_time import elapsed
from lstmforecast.data.season import season_length

Array = NDArray[np.float64]
_HOUR, _DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)


def step_by_clock(index: pd.Index | None, freq: Frequency) -> Tick | None:
    """The step of rows whose day has always as many steps by the clock on the wall: whole parts of an hour, in a time
    zone. None for all others.

    Examples
    --------
    >>> step_by_clock(pd.date_range("2024-03-30", periods=3, freq="h", tz="Europe/Berlin"), "h")
    <Hour>
    >>> step_by_clock(pd.date_range("2024-03-30", periods=3, freq="3h", tz="Europe/Berlin"), "3h")
    >>> step_by_clock(pd.date_range("2024-03-30", periods=3, freq="h"), "h")
    """
    times = index.levels[-1] if isinstance(index, pd.MultiIndex) else index
    if not isinstance(times, pd.DatetimeIndex) or times.tz is None or str(times.tz) == "UTC" or freq is None:
        return None
    step = elapsed(parse_frequency(freq))
    if step is None or season_length(freq) * pd.Timedelta(step) != _DAY:
        return None
    return step if _HOUR % pd.Timedelta(step) == pd.Timedelta(0) else None


def clock_of(times: pd.Index, step: Tick) -> NDArray[np.int64]:
    """The number of the step of each time by the clock on the wall; the first of a day is a multiple of those of a day.

    Examples
    --------
    >>> hours = pd.date_range("2024-03-31 00:00", periods=4, freq="h", tz="Europe/Berlin")
    >>> (clock_of(hours, pd.offsets.Hour()) % 24).tolist()
    [0, 1, 3, 4]
    """
    wall = pd.DatetimeIndex(times).tz_localize(None)
    return np.asarray(wall.asi8 // int(pd.Timedelta(step) / pd.Timedelta(1, unit=wall.unit)), np.int64)


def has_changes(clock: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether clocks change within rows (..., n), given their steps: (...)."""
    changes: NDArray[np.bool_] = (np.diff(clock, axis=-1) != 1).any(axis=-1)
    return changes


def on_clock(rows: Array, places: NDArray[np.int64], n: int) -> Array:
    """Rows (m, c) at the places 0 to n - 1 of the clock, (n, c), given the place of each row, in time order.

    Where clocks were put back, a place has the mean of both rows; where they were put forward, the value between its
    neighbours. Before the first row values are NaN, after the last one as there. Rows at other places are left out.

    Examples
    --------
    >>> on_clock(np.array([[1.0], [2.0], [4.0], [6.0]]), np.array([1, 2, 4, 4]), 6)[:, 0]
    array([nan, 1. , 2. , 3.5, 5. , 5. ])
    """
    rows, places = rows[(places >= 0) & (places < n)], places[(places >= 0) & (places < n)]
    found = np.full((n, rows.shape[1]), np.nan)
    if not len(rows):
        return found
    there, starts = np.unique(places, return_index=True)
    known = ~np.isnan(rows)
    counts = np.add.reduceat(known, starts, dtype=np.int64)
    sums = np.add.reduceat(np.where(known, rows, 0.0), starts)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    wanted = np.arange(there[0], n)
    below = np.searchsorted(there, wanted, side="right") - 1
    above = np.minimum(below + 1, len(there) - 1)
    gap = np.maximum(there[above] - there[below], 1)
    part = ((wanted - there[below]) / gap)[:, np.newaxis]
    between = (part > 0) & (above > below)[:, np.newaxis]
    found[wanted] = np.where(between, means[below] + part * (means[above] - means[below]), means[below])
    return found
