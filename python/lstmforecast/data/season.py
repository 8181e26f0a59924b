"""The usual season length of a frequency."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import BaseOffset, Day, Tick

from lstmforecast.data.index import Frequency, parse_frequency

_DAY = pd.Timedelta(days=1)
_SEASONS = {
    "D": 7, "B": 5, "C": 5, "W": 52, "SME": 24, "SMS": 24, "ME": 12, "MS": 12, "BME": 12, "BMS": 12, "CBME": 12,
    "CBMS": 12, "WOM": 12, "LWOM": 12, "QE": 4, "QS": 4, "BQE": 4, "BQS": 4,
}  # fmt: skip


def season_length(freq: Frequency) -> int:
    """The usual number of steps in a season of a frequency.

    Parameters
    ----------
    freq : str, int, offset or None
        As found by `regular_grid`.

    Returns
    -------
    int
        The steps of a day for steps below a day (24 for hours), 60 for seconds, 7 for days, 5 for business days, 52 for
        weeks, 12 for months, 4 for quarters, and 1 for years, integers and all other frequencies.

    Examples
    --------
    >>> season_length("30min"), season_length("ME"), season_length(None)
    (48, 12, 1)
    """
    if freq is None or isinstance(freq, int):
        return 1
    offset = parse_frequency(freq)
    if isinstance(offset, Tick) and not isinstance(offset, Day):
        step = pd.Timedelta(offset)
        return _fits_into(pd.Timedelta(days=1) if step >= pd.Timedelta(minutes=1) else pd.Timedelta(minutes=1), step)
    if isinstance(offset, Day) and offset.n == 7:
        return 52
    if type(offset) is pd.DateOffset:
        simple = of_one_word(offset)
        return 1 if simple is None else season_length(simple)
    try:
        season = _SEASONS.get(offset.rule_code.split("-")[0], 1)
    except NotImplementedError:  # Easter has no code
        return 1
    return season // offset.n if season % offset.n == 0 else 1


def seasons(freq: Frequency) -> tuple[int, ...]:
    """The steps of all usual seasons of a frequency, the shortest first; each is a multiple of the one before.

    Steps below a day have a day and a week; others have `season_length` alone.

    Examples
    --------
    >>> seasons("30min"), seasons("D"), seasons(None)
    ((48, 336), (7,), (1,))
    """
    day = season_length(freq)
    offset = None if freq is None or isinstance(freq, int) else parse_frequency(freq)
    if type(offset) is pd.DateOffset and (simple := of_one_word(offset)) is not None:
        offset = parse_frequency(simple)
    is_of_day = isinstance(offset, Tick) and not isinstance(offset, Day) and day * pd.Timedelta(offset) == _DAY
    return (day, 7 * day) if is_of_day and day > 1 else (day,)


def steps_of(times: pd.Index, freq: Frequency) -> NDArray[np.int64] | None:
    """Times as numbers of steps, whose rest by ``season_length(freq)`` is their phase, their place in the season.

    Those of a day and of a minute go by the clock on the wall. None without a season, and for seasons of weeks, half
    months and custom business days.

    Examples
    --------
    >>> steps_of(pd.date_range("1970-01-02 22:00", periods=4, freq="h"), "h")
    array([46, 47, 48, 49])
    >>> steps_of(pd.date_range("2026-01-31", periods=3, freq="ME"), "ME") % 12
    array([0, 1, 2])
    """
    if season_length(freq) == 1 or freq is None or not isinstance(times, pd.DatetimeIndex | pd.PeriodIndex):
        return None
    offset = parse_frequency(freq)
    if type(offset) is pd.DateOffset:
        offset = parse_frequency(of_one_word(offset))
    code = offset.rule_code.split("-")[0]
    if code == "D" or isinstance(offset, Tick):
        return _steps_of_clock(times, offset)
    if code == "B":
        days = times.to_timestamp() if isinstance(times, pd.PeriodIndex) else times.tz_localize(None)
        return np.asarray(np.busday_count("1970-01-01", days.to_numpy().astype("datetime64[D]")), np.int64)
    if code in _MONTHS:
        return np.asarray((12 * times.year + times.month - 1).to_numpy() // (_MONTHS[code] * offset.n), np.int64)
    return None


def _steps_of_clock(times: pd.DatetimeIndex | pd.PeriodIndex, offset: BaseOffset) -> NDArray[np.int64]:
    """Steps from 1970 on, by the clock on the wall."""
    if isinstance(times, pd.PeriodIndex):
        return np.asarray(times.asi8 // offset.n)
    step = pd.Timedelta(offset) if isinstance(offset, Tick) else pd.Timedelta(days=offset.n)
    return np.asarray(times.tz_localize(None).asi8 // int(step / pd.Timedelta(1, unit=times.unit)))


# Months in a step.
_MONTHS = {code: 3 if "Q" in code else 1 for code in _SEASONS if code[-2:] in ("ME", "MS", "QE", "QS", "OM")}


def of_one_word(offset: BaseOffset) -> str | None:
    """The alias of a `pandas.DateOffset` of one unit, such as months=1; ``day`` is ignored. None for others."""
    aliases = {"years": "YE", "months": "ME", "weeks": "W", "days": "D", "hours": "h", "minutes": "min", "seconds": "s"}
    lengths = {word: n for word, n in offset.kwds.items() if word != "day"}
    if len(lengths) != 1 or not set(lengths) <= set(aliases):
        return None
    ((word, n),) = lengths.items()
    return f"{n * offset.n}{aliases[word]}"


def _fits_into(season: pd.Timedelta, step: pd.Timedelta) -> int:
    return int(season / step) if season % step == pd.Timedelta(0) else 1
