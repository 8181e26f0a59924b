"""Steps of days and longer in a time zone, where some local times don't exist and others are repeated."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset, BusinessDay, CustomBusinessDay, Day, Tick

_ELAPSED = {"hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"}
# Seconds; more than the difference of any two offsets from UTC.
_FARTHEST = 36 * 3600
# The number of times of day that are tried, for days and longer steps.
_MOST_TIMES = 3


def elapsed(offset: BaseOffset) -> Tick | None:
    """The duration of steps of hours and less; None for days and longer steps, which keep the local time."""
    if isinstance(offset, Tick) and not isinstance(offset, Day):
        return offset
    if type(offset) is pd.DateOffset and offset.kwds and set(offset.kwds) <= _ELAPSED:
        return cast(Tick, to_offset(pd.Timedelta(**offset.kwds) * offset.n))
    return None


def local_grid(index: pd.DatetimeIndex, offset: BaseOffset) -> pd.DatetimeIndex:
    """All labels at a frequency from the first to the last of an index; equivalent labels of ``index`` are kept.

    Days and longer steps keep the local time. A local time that doesn't exist is replaced by the first time after it,
    of one that is repeated the first is taken. ``index`` may have the second, or the time by the offset before the
    change, instead.
    """
    step = elapsed(offset)
    if index.tz is None or step is not None:
        return pd.date_range(index[0], index[-1], freq=step or offset, name=index.name).as_unit(index.unit)
    wall = nominal(index)
    wall, labels = _labels(pd.date_range(wall[0], wall[-1], freq=offset, name=index.name), index, offset)
    if index.isin(labels).all():
        return labels
    others = localize(wall, index.tz, second=True)
    return labels.where(~others.isin(index) | labels.isin(index), others)


def local_continuation(index: pd.DatetimeIndex, offset: BaseOffset, steps: int) -> pd.DatetimeIndex:
    """The ``steps`` labels after the end of an index, by the rules of `local_grid`."""
    step = elapsed(offset)
    if index.tz is None or step is not None:
        later = pd.date_range(index[-1], periods=steps + 1, freq=step or offset, name=index.name)[1:]
        return later.as_unit(index.unit)
    # one more, in case the zone left out a day
    wall = pd.date_range(nominal(index)[-1], periods=steps + 2, freq=offset, name=index.name)[1:]
    return _labels(wall, index, offset)[1][:steps]


def _labels(
    wall: pd.DatetimeIndex, like: pd.DatetimeIndex, offset: BaseOffset
) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Local times and their labels in the zone of ``like``, without days that the zone left out."""
    wall = wall.as_unit(like.unit)
    labels = localize(wall, like.tz)
    if isinstance(offset, Day | BusinessDay | CustomBusinessDay) and offset.n == 1:
        exists = labels.tz_localize(None).normalize() == wall.normalize()
        return wall[exists], labels[exists]
    return wall, labels


def nominal(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The nominal local times (n,) of labels, without a zone.

    The time of day that fits most labels is taken for all of them. On a day that begins at 01:00, for example, 01:00
    stands for midnight if the other labels are at midnight.
    """
    wall = index.tz_localize(None)
    if index.tz is None or not len(index) or wall.is_normalized:
        return wall
    days = wall.normalize()
    times, counts = np.unique((wall - days).to_numpy(), return_counts=True)
    if len(times) == 1 and localize(days[:1], index.tz)[0] != index[0]:
        return wall
    common = times[np.argsort(-counts, kind="stable")[:_MOST_TIMES]]
    best, most = wall, 0
    for time in np.unique(np.append(common, np.timedelta64(0, "s"))):
        expected = (days + pd.Timedelta(time)).as_unit(index.unit)
        same = (localize(expected, index.tz) == index) | (localize(expected, index.tz, second=True) == index)
        if same.sum() > most:
            best, most = expected.where(same, wall), same.sum()
    return best


def localize(wall: pd.DatetimeIndex, zone: Any, *, second: bool = False) -> pd.DatetimeIndex:
    """Give local times a zone.

    Parameters
    ----------
    wall : DatetimeIndex of shape (n,)
        Without a zone.
    zone : tzinfo
    second : bool
        For a repeated time, take the second; for one that doesn't exist, use the offset before the change. False: take
        the first one; take the first time that exists.

    Returns
    -------
    DatetimeIndex of shape (n,)
    """
    local = wall.tz_localize(zone, ambiguous=np.full(len(wall), not second), nonexistent="NaT")
    gone = local.isna()
    if not gone.any():
        return local
    # pandas shifts times by a wrong span where a change is not an hour
    change, before = _change(wall[gone], zone)
    utc = local.tz_convert("UTC").tz_localize(None).to_numpy().copy()
    utc[gone] = wall[gone].to_numpy() - before if second else change
    return pd.DatetimeIndex(utc, name=wall.name).tz_localize("UTC").tz_convert(zone)


def _change(wall: pd.DatetimeIndex, zone: Any) -> tuple[NDArray[np.datetime64], NDArray[np.timedelta64]]:
    """The change of clocks, in UTC, that skipped each local time, and the offset before it, found by bisection."""

    def offsets(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
        utc = pd.DatetimeIndex(seconds.astype("datetime64[s]")).tz_localize("UTC")
        return np.asarray(utc.tz_convert(zone).tz_localize(None).asi8) - seconds

    sought = wall.to_numpy().astype("datetime64[s]").astype(np.int64)
    low, high = sought - _FARTHEST, sought + _FARTHEST
    while (high - low > 1).any():
        middle = (low + high) // 2
        is_before = middle + offsets(middle) < sought
        low, high = np.where(is_before, middle, low), np.where(is_before, high, middle)
    return high.astype("datetime64[s]"), offsets(low).astype("timedelta64[s]")
