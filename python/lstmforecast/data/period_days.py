"""The first and the last day of steps of weeks, months, quarters and years."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import BaseOffset

from lstmforecast.data.index import Frequency, parse_frequency
from lstmforecast.data.local_time import elapsed

Days = NDArray[np.datetime64]
# The number of months in a step, and whether its label is at its end.
_MONTHS = {
    **dict.fromkeys(("ME", "BME", "CBME"), (1, True)),
    **dict.fromkeys(("MS", "BMS", "CBMS", "WOM", "LWOM"), (1, False)),
    **dict.fromkeys(("QE", "BQE"), (3, True)),
    **dict.fromkeys(("QS", "BQS"), (3, False)),
    **dict.fromkeys(("YE", "BYE"), (12, True)),
    **dict.fromkeys(("YS", "BYS"), (12, False)),
}
_WITHIN_A_DAY = ("B", "C", "bh", "cbh")
# Steps that end with their label: fiscal years and their quarters, half months that end on the 15th and the last day.
_ENDS = ("SME", "RE", "REQ")


def period_days(index: pd.DatetimeIndex | pd.PeriodIndex, freq: Frequency) -> tuple[Days, Days]:
    """The first and the last day of the step of each label: (n,) each, the same day for steps up to a day.

    Parameters
    ----------
    index : DatetimeIndex or PeriodIndex of shape (n,)
        With a time zone, days are local. Weeks, and frequencies that pandas calls month, quarter or year ends, end with
        their label. Month, quarter and year starts, several days and all other frequencies begin with it. Months,
        quarters and years are whole, also if the label is their first or last business day. Periods are as they are.
    freq : str, int or offset
        As found by `lstmforecast.data.index.regular_grid`.

    Examples
    --------
    >>> first, last = period_days(pd.DatetimeIndex(["2024-12-29"]), "W-SUN")
    >>> print(first[0], last[0])
    2024-12-23 2024-12-29
    """
    if isinstance(index, pd.PeriodIndex):
        starts, ends = (index.to_timestamp(how=side) for side in ("start", "end"))
        return _days(starts), _days(ends.where(ends - starts >= pd.Timedelta(hours=23), starts))
    times, offset = index.tz_localize(None), parse_frequency(freq)
    day = _days(times)
    # not `rule_code`, which fails for a DateOffset
    code = re.sub(r"^\d*([A-Za-z]*).*", r"\1", offset.freqstr)
    step = elapsed(offset)
    if (code in _WITHIN_A_DAY and offset.n == 1) or (step is not None and pd.Timedelta(step) <= pd.Timedelta(days=1)):
        return day, day
    if code in _MONTHS:
        return _months(day, *_MONTHS[code], offset.n)
    if code == "W" and getattr(offset, "weekday", None) is not None:
        return day - (7 * offset.n - 1), day
    if code in _ENDS:
        return np.minimum(_days(_moved(times, -offset)) + 1, day), day
    return day, np.maximum(_days(_moved(times, offset)) - 1, day)


def _days(times: pd.DatetimeIndex) -> Days:
    days: Days = times.to_numpy().astype("datetime64[D]")
    return days


def _months(day: Days, length: int, is_end: bool, n: int) -> tuple[Days, Days]:
    month, months = day.astype("datetime64[M]"), length * n
    begin = month - (months - 1) if is_end else month
    return begin.astype("datetime64[D]"), (begin + months).astype("datetime64[D]") - 1


def _moved(times: pd.DatetimeIndex, offset: BaseOffset) -> Any:
    with warnings.catch_warnings():
        # pandas adds some offsets one by one, and warns that this is slow
        warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
        return times + offset


def share_of_days(first: Days, last: Days, days: Days) -> NDArray[np.float64]:
    """The share of the days from ``first`` to ``last`` (n,) that are in the sorted ``days``: (n,)."""
    among = np.searchsorted(days, last, "right") - np.searchsorted(days, first, "left")
    share: NDArray[np.float64] = among / (last - first + 1).astype(np.int64)
    return share


def share_of_weekends(first: Days, last: Days) -> NDArray[np.float64]:
    """The share of Saturdays and Sundays in the days from ``first`` to ``last`` (n,): (n,)."""
    weekends = np.busday_count(first, last + 1, weekmask="0000011")
    share: NDArray[np.float64] = weekends / (last - first + 1).astype(np.int64)
    return share
