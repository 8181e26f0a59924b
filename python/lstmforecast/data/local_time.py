"""Steps of days and longer in a time zone, where local times may not exist on some days, or exist twice."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset, BusinessDay, CustomBusinessDay, Day, Tick

_ELAPSED = {"hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"}
# More than any offset from UTC differs from any other.
_FARTHEST = 36 * 3600
# Times of day among which that of days and longer steps is looked for.
_MOST_TIMES = 3


def elapsed(offset: BaseOffset) -> Tick | None:
    """The step as elapsed time, for hours and what is shorter; None for days and longer, which keep the local time."""
    if isinstance(offset, Tick) and not isinstance(offset, Day):
        return offset
    if type(offset) is pd.DateOffset and offset.kwds and set(offset.kwds) <= _ELAPSED:
        return cast(Tick, to_offset(pd.Timedelta(**offset.kwds) * offset.n))
    return None


def local_grid(index: pd.DatetimeIndex, offset: BaseOffset) -> pd.DatetimeIndex:
    """All labels from the first to the last of an index; those of ``index`` where they mean the same step.

    Days and longer frequencies keep the local time. Where that doesn't exist, the label is the first instant after it,
    where it exists twice, the first of the two; ``index`` may have the second, or go on by the clock of before.
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
    """The labels of the ``steps`` after the end of an index, as `local_grid` would make them."""
    step = elapsed(offset)
    if index.tz is None or step is not None:
        later = pd.date_range(index[-1], periods=steps + 1, freq=step or offset, name=index.name)[1:]
        return later.as_unit(index.unit)
    # one more, for a day that is left out
    wall = pd.date_range(nominal(index)[-1], periods=steps + 2, freq=offset, name=index.name)[1:]
    return _labels(wall, index, offset)[1][:steps]


def _labels(
    wall: pd.DatetimeIndex, like: pd.DatetimeIndex, offset: BaseOffset
) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Local times, and the labels that they are in the zone of ``like``; without days that the zone left out."""
    wall = wall.as_unit(like.unit)
    labels = localize(wall, like.tz)
    if isinstance(offset, Day | BusinessDay | CustomBusinessDay) and offset.n == 1:
        exists = labels.tz_localize(None).normalize() == wall.normalize()
        return wall[exists], labels[exists]
    return wall, labels


def nominal(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The local times (n,) that labels stand for, without a zone.

    The time of day that most of them can stand for is taken for theirs: 01:00 stands for midnight where a day begins at
    01:00, and the others at midnight.
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
    """The instants of local times.

    Parameters
    ----------
    wall : DatetimeIndex of shape (n,)
        Without a zone.
    zone : tzinfo
    second : bool
        Of a time that exists twice, the second; of one that doesn't exist, what it is by the clock of before. False:
        the first; the first instant that exists.

    Returns
    -------
    DatetimeIndex of shape (n,)
    """
    local = wall.tz_localize(zone, ambiguous=np.full(len(wall), not second), nonexistent="NaT")
    gone = local.isna()
    if not gone.any():
        return local
    # pandas moves times on by the wrong span where it isn't an hour
    change, before = _change(wall[gone], zone)
    utc = local.tz_convert("UTC").tz_localize(None).to_numpy().copy()
    utc[gone] = wall[gone].to_numpy() - before if second else change
    return pd.DatetimeIndex(utc, name=wall.name).tz_localize("UTC").tz_convert(zone)


def _change(wall: pd.DatetimeIndex, zone: Any) -> tuple[NDArray[np.datetime64], NDArray[np.timedelta64]]:
    """When clocks skipped times, in UTC, and the offset from UTC before: found by halving the span around it."""

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
