"""Calendar features: time of day, day of the week, holidays and such, known for the future as for the past."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import BaseOffset, Day, Tick

from lstmforecast.contract.parameter_group import GroupedParameter, ParameterGroup
from lstmforecast.contract.plain import plain
from lstmforecast.data.index import Frequency, parse_frequency
from lstmforecast.data.period_days import Days, period_days, share_of_days, share_of_weekends
from lstmforecast.data.season import of_one_word

# The version of the features; files contain the version that their model was trained with.
VERSION = 2
# The position in each cycle, from 0 to below 1. Days are counted relative to the length of the year or month, so that
# 1 January is 0 and 31 December just below 1 in leap years too.
_CYCLES: dict[str, Callable[[pd.DatetimeIndex], pd.Index | NDArray[np.float64]]] = {
    "time_of_day": lambda times: (times - times.normalize()) / pd.Timedelta(days=1),
    "day_of_week": lambda times: times.day_of_week / 7,
    "day_of_month": lambda times: (times.day - 1) / times.days_in_month,
    "day_of_year": lambda times: (times.day_of_year - 1) / np.where(times.is_leap_year, 366, 365),
    "month": lambda times: (times.month - 1) / 12,
    "quarter": lambda times: (times.quarter - 1) / 4,
}
_WAVES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {"sin": np.sin, "cos": np.cos}
_WITHIN_A_DAY = ("time_of_day", "day_of_week", "day_of_year")
_WITHIN_A_WEEK = ("day_of_week", "day_of_year")
_WITHIN_A_YEAR = ("day_of_year",)
# The cycles of calendar="auto" for offsets that are no multiples of days.
_BY_CODE = {
    **dict.fromkeys(("bh", "cbh"), _WITHIN_A_DAY),
    **dict.fromkeys(("B", "C"), _WITHIN_A_WEEK),
    **dict.fromkeys(("W", "SME", "SMS"), _WITHIN_A_YEAR),
    **dict.fromkeys(("ME", "MS", "BME", "BMS", "CBME", "CBMS", "WOM", "LWOM"), ("month",)),
    **dict.fromkeys(("QE", "QS", "BQE", "BQS"), ("quarter",)),
}
# With steps of this number (or a multiple), the day of the week, the month or the quarter never changes.
_STANDSTILL = {"B": 5, "month": 12, "quarter": 4}


@dataclass(eq=False, repr=False)
class Calendar(ParameterGroup):
    """Calendar features of a forecaster, known in advance.

    Parameters
    ----------
    features : "auto", list of str or None, default=None
        ``"auto"``: those that the frequency resolves, such as time of day, day of week and day of year for hours. A
        list names them; see `calendar_features`.
    holidays : str or None, default=None
        A country code of the `holidays` package, such as ``"DE"`` or ``"US-CA"``: public holidays become a feature (of
        weeks and months, the share of their days). Of a panel also the name of a static column, which has the country
        code of each series.
    yearly : {"auto", True, False}, default="auto"
        Whether what the day of the year adds becomes a feature: a smooth year, fixed dates such as Christmas, and dates
        such as the fourth Thursday of November, all learned from the series. It needs one series with times, steps of a
        day or less, and two years before the held-out rows. ``"auto"``: where linear forecasts of the held-out rows err
        less by 2 % with it, unless there are other features of the calendar, or pretrained weights.

    Examples
    --------
    >>> from lstmforecast import Calendar, LSTMForecaster
    >>> LSTMForecaster(calendar=Calendar("auto", holidays="DE"))
    LSTMForecaster(calendar=Calendar(features='auto', holidays='DE'))
    """

    bare: ClassVar[str] = "features"
    flat_names: ClassVar[dict[str, str]] = {"features": "calendar"}
    features: str | Sequence[str] | None = None
    _: KW_ONLY
    holidays: str | None = None
    yearly: str | bool = "auto"


CALENDAR = GroupedParameter("calendar", Calendar, example='Calendar("auto", holidays="DE")')


def calendar_names(
    freq: Frequency, calendar: str | Sequence[str] | None, holidays: str | None = None, version: int = VERSION
) -> list[str]:
    """The names of the columns of `calendar_features`.

    Parameters
    ----------
    freq : str, int, offset or None
        As found by `lstmforecast.data.index.regular_grid`.
    calendar : "auto", list of str or None
        As in `calendar_features`.
    holidays : str or None
        As in `calendar_features`; not checked.
    version : int
        As in `calendar_features`.

    Returns
    -------
    list of str, of length m

    Raises
    ------
    ValueError
        If ``calendar`` is invalid, or the frequency is that of integers or None.

    Examples
    --------
    >>> calendar_names("D", "auto", "DE")[:4]
    ['day_of_week_sin', 'day_of_week_cos', 'weekend', 'day_of_year_sin']
    >>> calendar_names("MS", "auto")
    ['month_sin', 'month_cos']
    """
    if calendar is None and holidays is None:
        return []
    if freq is None or isinstance(freq, int):
        raise _no_times(calendar, holidays, "no index" if freq is None else "integers")
    columns = [column for cycle in _chosen_cycles(freq, calendar, version) for column in _columns_of(cycle)]
    return columns if holidays is None else [*columns, "holiday"]


def _no_times(calendar: str | Sequence[str] | None, holidays: str | None, got: str) -> ValueError:
    asked = f"holidays={holidays!r}" if calendar is None else f"calendar={calendar!r}"
    return ValueError(f"expected y with a DatetimeIndex or PeriodIndex for {asked}, got {got}")


def _columns_of(cycle: str) -> list[str]:
    waves = [f"{cycle}_{wave}" for wave in _WAVES]
    return [*waves, "weekend"] if cycle == "day_of_week" else waves


def _chosen_cycles(freq: Frequency, calendar: str | Sequence[str] | None, version: int) -> Sequence[str]:
    calendar = plain(calendar)
    if calendar is None:
        return ()
    if isinstance(calendar, str) and calendar == "auto":
        offset = parse_frequency(freq)
        simple = of_one_word(offset) if type(offset) is pd.DateOffset and version > 1 else None
        return _resolved_cycles(offset if simple is None else parse_frequency(simple))
    is_list = isinstance(calendar, Sequence) and not isinstance(calendar, str)
    unknown = [cycle for cycle in calendar if cycle not in list(_CYCLES)] if is_list else [calendar]
    if unknown:
        known = ", ".join(map(repr, _CYCLES))
        raise ValueError(f"expected calendar to be None, 'auto' or a list of {known}, got {unknown[0]!r}")
    return list(dict.fromkeys(calendar))


def _resolved_cycles(offset: BaseOffset) -> tuple[str, ...]:
    """The cycles that change from step to step at this frequency."""
    # since pandas 3 a Day is no Tick
    if isinstance(offset, Day | Tick):
        days = offset.n if isinstance(offset, Day) else pd.Timedelta(offset) / pd.Timedelta(days=1)
        if days < 1:
            return _WITHIN_A_DAY
        return _WITHIN_A_WEEK if days % 7 else _WITHIN_A_YEAR
    # not `rule_code`, which fails for a DateOffset
    code = re.sub(r"^\d*([A-Za-z]*).*", r"\1", offset.freqstr)
    if code == "B" and offset.n % _STANDSTILL[code] == 0:
        return _WITHIN_A_YEAR
    cycles = _BY_CODE.get(code, ())
    return tuple(cycle for cycle in cycles if cycle not in _STANDSTILL or offset.n % _STANDSTILL[cycle])


def calendar_features(
    index: pd.Index,
    freq: Frequency,
    calendar: str | Sequence[str] | None,
    holidays: str | None = None,
    version: int = VERSION,
) -> pd.DataFrame:
    """Compute calendar features of each step.

    Each cycle is encoded as the sine and cosine of the position in it, so that the end of a cycle is close to its
    beginning. As a plain number, 23:59 and 00:00 would differ more than noon and midnight. Both coordinates are needed
    to identify a position.

    Parameters
    ----------
    index : DatetimeIndex or PeriodIndex of shape (n,)
        With a time zone, features are those of the local time; of a period, those of its start. Any index if neither
        ``calendar`` nor ``holidays`` is given.
    freq : str, int, offset or None
        As found by `lstmforecast.data.index.regular_grid`.
    calendar : "auto", list of str or None
        The cycles: "time_of_day", "day_of_week", "day_of_month", "day_of_year", "month" and "quarter". "auto" takes
        those that change from step to step: the time of day for steps below a day, the day of the week below a week,
        the day of the year below a year (for months the month, for quarters the quarter).
    holidays : str, optional
        A country code of the package `holidays`, such as "DE", or one with a subdivision, such as "US-CA".
    version : int, default=2
        1: the features of older model files, with "weekend" and "holiday" of the day of the label only, and no cycles
        for a ``pandas.DateOffset`` with "auto".

    Returns
    -------
    DataFrame of shape (n, m)
        float64, with ``index``, and `calendar_names` as columns: "<cycle>_sin" and "<cycle>_cos" of each cycle; after
        the day of the week "weekend", 1 on Saturdays and Sundays; at the end "holiday", 1 on public holidays, else 0.
        For steps longer than a day these two are shares of the days of the step: 2/7 for a week with two holidays.
        Steps of "W-SUN" and "ME" end with their label, those of "MS" begin with it; see
        `lstmforecast.data.period_days`.

    Raises
    ------
    ImportError
        With ``holidays``, if the package `holidays` is missing.
    ValueError
        If ``calendar`` is invalid, the index has no times, or the country or subdivision is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.date_range("2024-12-24", periods=4, freq="8h")
    >>> calendar_features(index, "8h", ["time_of_day"], "DE").round(2)
                         time_of_day_sin  time_of_day_cos  holiday
    2024-12-24 00:00:00             0.00              1.0      0.0
    2024-12-24 08:00:00             0.87             -0.5      0.0
    2024-12-24 16:00:00            -0.87             -0.5      0.0
    2024-12-25 00:00:00             0.00              1.0      1.0
    >>> weeks = pd.date_range("2024-12-22", periods=3, freq="W-SUN")
    >>> print((7 * calendar_features(weeks, "W-SUN", None, "DE")["holiday"]).tolist())
    [0.0, 2.0, 1.0]
    """
    names = calendar_names(freq, calendar, holidays, version)
    # each column is contiguous, as in pandas
    values = np.empty((len(index), len(names)), order="F")
    if names:
        if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
            raise _no_times(calendar, holidays, type(index).__name__)
        times = _wall_clock(index)
        days = period_days(index, freq) if version > 1 else (times.to_numpy().astype("datetime64[D]"),) * 2
        for column, name in enumerate(names):
            values[:, column] = _feature(name, times, days, holidays)
    return pd.DataFrame(values, index=index, columns=names)


def _wall_clock(index: pd.DatetimeIndex | pd.PeriodIndex) -> pd.DatetimeIndex:
    if isinstance(index, pd.PeriodIndex):
        return index.to_timestamp(how="start")
    return index.tz_localize(None)


def _feature(name: str, times: pd.DatetimeIndex, days: tuple[Days, Days], holidays: str | None) -> NDArray[np.float64]:
    if name == "weekend":
        return share_of_weekends(*days)
    if name == "holiday":
        assert holidays is not None
        return share_of_days(*days, _holiday_dates(holidays, *days))
    cycle, _, wave = name.rpartition("_")
    return _WAVES[wave](2 * np.pi * np.asarray(_CYCLES[cycle](times), dtype=np.float64))


def _holiday_dates(code: str, first: Days, last: Days) -> Days:
    """The public holidays in the years of steps, sorted."""
    years = np.unique(np.concatenate([first, last]).astype("datetime64[Y]")).astype(int) + 1970
    if len(years):
        years = np.arange(years[0], years[-1] + 1)
    try:
        from holidays import country_holidays
    except ImportError as error:
        raise ImportError(
            f'expected the holidays package for holidays={code!r}, got none: pip install "lstmforecast[holidays]"'
        ) from error
    country, _, subdivision = code.partition("-")
    try:
        found = country_holidays(country, subdiv=subdivision or None, years=years.tolist())
    except NotImplementedError as error:
        raise ValueError(
            f"expected holidays to be a country of the holidays package, such as 'DE', or one with its subdivision, "
            f"such as 'US-CA', or a static column of such countries, got {code!r}"
        ) from error
    return np.sort(np.array(list(found), dtype="datetime64[D]"))
