"""The days of a step that is longer than a day: of a week, a month, a quarter, a year."""

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
# Months of a step, and whether its label stands at its end.
_MONTHS = {
    **dict.fromkeys(("ME", "BME", "CBME"), (1, True)),
    **dict.fromkeys(("MS", "BMS", "CBMS", "WOM", "LWOM"), (1, False)),
    **dict.fromkeys(("QE", "BQE"), (3, True)),
    **dict.fromkeys(("QS", "BQS"), (3, False)),
    **dict.fromkeys(("YE", "BYE"), (12, True)),
    **dict.fromkeys(("YS", "BYS"), (12, False)),
}
_WITHIN_A_DAY = ("B", "C", "bh", "cbh")
# Fiscal years and their quarters end with their label, as half months do that end at 15 and at the month's end.
_ENDS = ("SME", "RE", "REQ")


def period_days(index: pd.DatetimeIndex | pd.PeriodIndex, freq: Frequency) -> tuple[Days, Days]:
    """The first and the last day of the step of each label: (n,) each, the same day for days and shorter steps.

    Parameters
    ----------
    index : DatetimeIndex or PeriodIndex of shape (n,)
        With a time zone, local days count. Weeks, and what pandas calls an end of month, quarter or year, end with
        their label; a start of month, quarter or year begins with it, as do several days and what else there is.
        Months, quarters and years are whole, also where the label is a business day of theirs. Periods are their own.
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
    # not `rule_code`, which fails on a DateOffset
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
        # pandas adds some offsets one by one, and says that this takes time
        warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
        return times + offset


def share_of_days(first: Days, last: Days, days: Days) -> NDArray[np.float64]:
    """The part of the days from ``first`` to ``last`` (n,) that are among sorted ``days``: (n,)."""
    among = np.searchsorted(days, last, "right") - np.searchsorted(days, first, "left")
    share: NDArray[np.float64] = among / (last - first + 1).astype(np.int64)
    return share


def share_of_weekends(first: Days, last: Days) -> NDArray[np.float64]:
    """The part of the days from ``first`` to ``last`` (n,) that are Saturdays and Sundays: (n,)."""
    weekends = np.busday_count(first, last + 1, weekmask="0000011")
    share: NDArray[np.float64] = weekends / (last - first + 1).astype(np.int64)
    return share
