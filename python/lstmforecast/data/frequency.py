"""Infers the frequency of times, also with gaps, on a day of the month, or twice a month."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset, Day, LastWeekOfMonth, SemiMonthBegin, SemiMonthEnd, WeekOfMonth

from lstmforecast.data.local_time import elapsed, local_grid, nominal

# With more missing rows than this for each row there is, the times have no frequency.
_MOST_MISSING = 20
# The days at which half months may begin in pandas.
_HALVES = range(2, 28)


def inferred(index: pd.DatetimeIndex) -> BaseOffset | None:
    """Find the frequency of an index without gaps; None if there is none, or fewer than three rows."""
    if len(index) < 3:
        return None
    offset = _inferred_by_pandas(index)
    if index.tz is not None and (offset is None or elapsed(offset)) and _steps_of_days(index):
        # days with a change of clocks, some of which begin later
        days = _inferred_by_pandas(nominal(index))
        return offset if days is None or elapsed(days) else days
    return offset


def _inferred_by_pandas(index: pd.DatetimeIndex) -> BaseOffset | None:
    with warnings.catch_warnings():
        # pandas 3.1 warns that it will return an offset in the future: to_offset takes both
        warnings.simplefilter("ignore")
        offset = to_offset(pd.infer_freq(index))
    # pandas takes the fourth week of a month for its last week too
    if isinstance(offset, WeekOfMonth) and not all(map(offset.is_on_offset, index)):
        return _last_week(index)
    return offset


def _last_week(wall: pd.DatetimeIndex) -> BaseOffset | None:
    """The frequency of times on the last Friday, for example, of each month; None for other times."""
    if (wall.day_of_week == wall.day_of_week[0]).all() and (wall.day > wall.days_in_month - 7).all():
        weekday: Any = int(wall.day_of_week[0])
        return LastWeekOfMonth(weekday=weekday)
    return None


def dominant(index: pd.DatetimeIndex) -> tuple[BaseOffset, bool]:
    """The frequency of times with gaps (n >= 3), and whether all times lie on its grid."""
    first = None
    for offset in _candidates(index):
        first = first or offset
        fine = is_too_fine(rows_of(index, offset), len(index))
        if not fine and (local_grid(index, offset).get_indexer(index) >= 0).all():
            return offset, True
    assert first is not None
    return first, False


def _candidates(index: pd.DatetimeIndex) -> Iterator[BaseOffset]:
    steps = np.diff(index.asi8)
    values, counts = np.unique(steps, return_counts=True)
    step = int(values[counts.argmax()])
    usual = pd.Timedelta(step, unit=index.unit)
    # a day of 23 or 25 hours is one step as well
    times = nominal(index) if _steps_of_days(index) else index
    steps = np.diff(times.asi8)
    offset = inferred(_longest_run(times, steps <= 1.5 * step))
    if isinstance(offset, Day) and offset.n == 1 and len(index) > 5 and (index.day_of_week < 5).all():
        offset = to_offset("B")
    if offset is not None:
        yield offset
    if _steps_of_days(index) and len((times - times.normalize()).unique()) == 1:
        if (months := by_day_of_month(times)) is not None:
            yield months
        if (weeks := _last_week(times)) is not None:
            yield weeks
        yield from _half_months(times)
    yield to_offset(usual)


def _steps_of_days(index: pd.DatetimeIndex) -> bool:
    """Whether all steps are at least a day, which a change of clocks may shorten."""
    return bool(np.diff(index.asi8).min() >= pd.Timedelta(hours=20) // pd.Timedelta(1, unit=index.unit))


def _longest_run(index: pd.DatetimeIndex, joined: NDArray[np.bool_]) -> pd.DatetimeIndex:
    """The longest run of labels whose steps are all ``joined`` (n - 1,)."""
    breaks = np.concatenate([[-1], np.flatnonzero(~joined), [len(joined)]])
    longest = int(np.diff(breaks).argmax())
    return index[breaks[longest] + 1 : breaks[longest + 1] + 1]


def by_day_of_month(wall: pd.DatetimeIndex) -> BaseOffset | None:
    """The frequency of local times on the same day of the month, or on the last day of shorter months."""
    day = int(wall.day.max())
    steps = np.diff(wall.year * 12 + wall.month)
    if (steps < 1).any() or not (wall.day == np.minimum(day, wall.days_in_month)).all():
        return None
    values, counts = np.unique(steps, return_counts=True)
    months = int(values[counts.argmax()])
    if wall.is_month_end.all():
        return to_offset(f"{months}ME")
    return pd.DateOffset(months=months, day=day)


def _half_months(wall: pd.DatetimeIndex) -> Iterator[BaseOffset]:
    days = [day for day in wall.day.unique() if day in _HALVES]
    # 1 and 15; 15 and the last day
    if len(days) == 1 and len(wall.day.unique()) <= 5:
        yield SemiMonthBegin(day_of_month=days[0])
        yield SemiMonthEnd(day_of_month=days[0])


def with_day(offset: BaseOffset, index: pd.DatetimeIndex) -> BaseOffset:
    """Let months and years keep the day of ``index``, as after 28 February pandas continues on the 28th."""
    if type(offset) is not pd.DateOffset or not set(offset.kwds) <= {"months", "years"}:
        return offset
    wall = nominal(index)
    day = int(wall.day.max())
    if day <= 28 or not (wall.day == np.minimum(day, wall.days_in_month)).all():
        return offset
    months = offset.kwds.get("months", 0) + 12 * offset.kwds.get("years", 0)
    return pd.DateOffset(months=months * offset.n, day=day)


def rows_of(index: pd.DatetimeIndex, offset: BaseOffset) -> float:
    """The approximate number of labels of a frequency from the first to the last label of an index."""
    first, last = index[[0, -1]].tz_localize(None)
    return float((last - first) / max((first + offset) - first, pd.Timedelta(1, unit="ns")))


def is_too_fine(expected: float, n_rows: int) -> bool:
    """Whether ``expected``, the number of rows at a frequency, is far larger than ``n_rows``."""
    return expected > _MOST_MISSING * (n_rows + 50)
